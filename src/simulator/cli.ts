#!/usr/bin/env node
import { helpText, readCommand } from "./cli-options";
import { type Simulator, startSimulator } from "./simulator";

const loopback = /^(localhost|127\.|::1$)/;

function log(entry: object): void {
    process.stdout.write(`${JSON.stringify({ time: new Date().toISOString(), ...entry })}\n`);
}

function announce({ host, port, httpPort }: Simulator): void {
    const reach = loopback.test(host) ? "This machine only." : "Reachable from other machines, without encryption.";
    const name = host.includes(":") ? `[${host}]` : host;
    log({ event: "listening", mqtt: `mqtt://${name}:${port}`, http: `http://${name}:${httpPort}`, message: reach });
}

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

function fail(error: unknown): void {
    process.stderr.write(`${error instanceof Error ? error.message : String(error)}\n`);
    process.exitCode = 1;
}

run(process.argv.slice(2)).catch(fail);
