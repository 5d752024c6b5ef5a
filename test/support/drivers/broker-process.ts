import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { createInterface } from "node:readline";
import { freePort } from "../ports";
import { waitFor } from "../wait-for";

const startTimeoutMs = 120_000;

/** A broker as a program of its own, on loopback and in a folder of its own. It is ended by its process id, and by nothing else. */
export class BrokerProcess implements RunningBroker {
    readonly #plan: BrokerPlan;
    #programs: ChildProcess[] = [];
    #pid: number | undefined;
    /** The end of what it wrote. */
    readonly #log: string[] = [];
    readonly port: number;

    private constructor(plan: BrokerPlan, port: number) {
        this.#plan = plan;
        this.port = port;
    }

    /** Starts a broker on a free port; resolves when it accepts connections. `plan` gets the port and an empty folder. */
    static async start(plan: (place: BrokerPlace) => BrokerPlan | Promise<BrokerPlan>): Promise<BrokerProcess> {
        const port = await freePort();
        const directory = mkdtempSync(path.join(tmpdir(), "broker-"));
        const broker = new BrokerProcess(await plan({ port, directory }), port);
        const { files = {} } = broker.#plan;
        for (const [name, content] of Object.entries(files)) writeFileSync(path.join(directory, name), content);
        await broker.resume();
        return broker;
    }

    async halt(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
        const pid = this.#pid;
        this.#pid = undefined;
        const programs = this.#programs.splice(0);
        const ends = programs.map((program) => (hasEnded(program) ? undefined : once(program, "exit")));
        if (pid !== undefined && !hasEnded(programs[0])) process.kill(pid, signal);
        await ends[0];
        for (const program of programs.slice(1)) program.kill("SIGKILL");
        await Promise.all(ends);
    }

    async resume(): Promise<void> {
        const { directory, programs, ready, pidFile } = this.#plan;
        let isReady = false;
        this.#log.length = 0;
        this.#programs = programs.map(({ command, args, env = {} }) => {
            const program = spawn(command, args, { cwd: directory, env: { PATH: searchPath, HOME: directory, ...env } });
            for (const stream of [program.stdout, program.stderr]) {
                createInterface({ input: stream }).on("line", (line) => {
                    this.#log.push(line);
                    if (this.#log.length > 200) this.#log.shift();
                    isReady ||= ready.test(line);
                });
            }
            program.on("error", (error) => this.#log.push(String(error)));
            return program;
        });
        const [broker] = this.#programs;
        const what = () => `${programs[0]?.command} to be ready; it wrote:\n${this.#log.slice(-20).join("\n")}`;
        await waitFor(() => isReady || hasEnded(broker), what, startTimeoutMs);
        if (hasEnded(broker)) throw new Error(`The broker ended at once: ${this.#log.slice(-20).join("\n")}`);
        this.#pid = pidFile === undefined ? broker?.pid : Number(readFileSync(path.join(directory, pidFile), "utf8"));
    }

    async stop(): Promise<void> {
        await this.halt("SIGKILL");
        rmSync(this.#plan.directory, { recursive: true, force: true, maxRetries: 5 });
    }
}

/** Debian keeps servers where the path of an ordinary user does not look. */
const searchPath = `/usr/sbin:/usr/lib/rabbitmq/bin:${process.env.PATH ?? ""}`;

function hasEnded(program: ChildProcess | undefined): boolean {
    return program === undefined || program.exitCode !== null || program.signalCode !== null || program.pid === undefined;
}

/** A broker that a test can crash and bring back. */
export interface RunningBroker {
    readonly port: number;
    /** Ends it in good order, or as a crash; its clients see the sockets close. */
    halt(signal?: "SIGTERM" | "SIGKILL"): Promise<void>;
    /** Starts it again on the same port with what it kept, after `halt`. */
    resume(): Promise<void>;
    /** Ends it and removes its files. */
    stop(): Promise<void>;
}

/** Where a broker is to run. */
export interface BrokerPlace {
    readonly port: number;
    readonly directory: string;
}

/** How a broker is run. */
export interface BrokerPlan {
    readonly directory: string;
    /** Written into the folder before the first start, by name. */
    readonly files?: Readonly<Record<string, string>>;
    /** The broker first, then what it needs beside it. */
    readonly programs: readonly BrokerProgram[];
    /** The line that says that it takes clients. */
    readonly ready: RegExp;
    /** The file with the broker's process id, if the broker is not the program that was started. */
    readonly pidFile?: string;
}

interface BrokerProgram {
    readonly command: string;
    readonly args: readonly string[];
    readonly env?: Readonly<Record<string, string>>;
}

/** A user of a broker, and the only topics that it may use: MQTT filters. */
export interface BrokerUser {
    readonly name: string;
    readonly password: string;
    readonly publish: readonly string[];
    readonly subscribe: readonly string[];
}
