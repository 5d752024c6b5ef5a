#!/usr/bin/env node
import { parseArgs } from "node:util";
import { machineClock } from "./machine";
import type { SimulatorOptions } from "./options";
import { type Simulator, startSimulator } from "./simulator";

const defaultPort = 1883;
const defaultHttpPort = 8080;
const loopback = /^(localhost|127\.|::1$)/;

const helpText = `Usage: wiotp-simulator [options]

Runs an IoT platform that enforces the rules of Watson IoT Platform / Maximo IoT for gateways, devices and
applications, so that a client in any language can be tried against it. MQTT 3.1.1 over TCP, no TLS.

  --port <number>       MQTT port (default ${defaultPort}; 0 = any free one)
  --http-port <number>  port of the HTTP API (default ${defaultHttpPort}; 0 = any free one)
  --host <address>      address to listen on (default 127.0.0.1: this machine only)
  --org <id>            the only organisation (default: any)
  --token <token>       the token that every client must give, over MQTT and HTTP (default: any, or none)
  --help                this text

It writes one JSON object per line: first {"event":"listening", …}, then connections, refusals and registrations.
SIGTERM or Ctrl-C ends it.
`;

async function run(args: readonly string[]): Promise<void> {
    const command = readCommand(args);
    if (command.command === "help") {
        process.stdout.write(helpText);
    } else if (command.command === "wrong") {
        process.stderr.write(`${command.message}\nSee wiotp-simulator --help.\n`);
        process.exitCode = 2;
    } else {
        const simulator = await startSimulator({ ...command.options, onEvent: log });
        announce(simulator);
        const stop = (): void => {
            simulator
                .close()
                .then(() => log({ event: "stopped" }))
                .catch(fail);
        };
        process.once("SIGTERM", stop);
        process.once("SIGINT", stop);
    }
}

type Command = { command: "run"; options: SimulatorOptions } | { command: "help" } | { command: "wrong"; message: string };

function readCommand(args: readonly string[]): Command {
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

function announce({ host, port, httpPort }: Simulator): void {
    const reach = loopback.test(host) ? "This machine only." : "Reachable from other machines, without encryption.";
    const name = host.includes(":") ? `[${host}]` : host;
    log({ event: "listening", mqtt: `mqtt://${name}:${port}`, http: `http://${name}:${httpPort}`, message: reach });
}

function log(entry: object): void {
    process.stdout.write(`${JSON.stringify({ time: new Date(machineClock.now()).toISOString(), ...entry })}\n`);
}

function fail(error: unknown): void {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
}

run(process.argv.slice(2)).catch(fail);
