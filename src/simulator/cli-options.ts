import { parseArgs } from "node:util";
import type { SimulatorOptions } from "./options";

/** What the command line asks for. */
export type Command = { command: "run"; options: SimulatorOptions } | { command: "help" } | { command: "wrong"; message: string };

const defaultPort = 1883;
const defaultHttpPort = 8080;

/** The text of `--help`. */
export const helpText = `Usage: wiotp-simulator [options]

Runs an IoT platform that enforces the rules of Watson IoT Platform / Maximo IoT for gateways, devices and
applications, so that a client in any language can be tried against it. MQTT 3.1.1 over TCP, no TLS.

  --port <number>       MQTT port (default ${defaultPort}; 0 = any free one)
  --http-port <number>  port of the HTTP API (default ${defaultHttpPort}; 0 = any free one)
  --host <address>      address to listen on (default 127.0.0.1: this machine only)
  --org <id>            the only organisation (default: any)
  --token <token>       the token every client must give, over MQTT and HTTP (default: any, also none)
  --help                this text

It writes one JSON object per line: first {"event":"listening", …}, then connections, refusals and registrations.
SIGTERM or Ctrl-C ends it.
`;

/** Reads the arguments. */
export function readCommand(args: readonly string[]): Command {
    try {
        const { values } = parseArgs({
            args: [...args],
            options: {
                port: { type: "string" },
                "http-port": { type: "string" },
                host: { type: "string" },
                org: { type: "string" },
                token: { type: "string" },
                help: { type: "boolean" },
            },
        });
        if (values.help) return { command: "help" };
        const options: SimulatorOptions = {
            port: readPort("--port", values.port, defaultPort),
            httpPort: readPort("--http-port", values["http-port"], defaultHttpPort),
            logSize: 0,
        };
        if (values.host !== undefined) options.host = values.host;
        if (values.org !== undefined) options.organisation = values.org;
        if (values.token !== undefined) options.token = values.token;
        return { command: "run", options };
    } catch (error) {
        return { command: "wrong", message: error instanceof Error ? error.message : "The arguments cannot be read." };
    }
}

function readPort(name: string, text: string | undefined, otherwise: number): number {
    if (text === undefined) return otherwise;
    const port = Number(text);
    if (!/^\d+$/.test(text) || port > 65535) throw new Error(`${name} must be a whole number from 0 to 65535; it is ${text}.`);
    return port;
}
