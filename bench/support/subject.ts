import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { isolatedSettings } from "../../test/support/drivers/isolated-settings";
import { waitFor } from "../../test/support/wait-for";
import type { Answer, AnswerMessage, Argument, RequestName } from "./requests";

/** A node of a flow. */
export type FlowNode = Readonly<Record<string, unknown>> & { readonly id: string; readonly type: string };

/** How a process is started. */
interface SubjectProcess {
    readonly name: string;
    readonly args: readonly string[];
    /** Removed at the end. */
    readonly directory: string;
    /** What is added to the environment. */
    readonly environment?: Readonly<Record<string, string>>;
}

const compiled = path.dirname(__dirname);

/** A process that is measured: Node-RED with a flow, or a peer. It is asked over the channel between parent and child. */
export class Subject {
    readonly name: string;
    readonly pid: number;
    readonly directory: string;
    readonly #child: ChildProcess;
    readonly #waiting = new Map<number, { resolve(answer: unknown): void; reject(error: Error): void }>();
    readonly #output: string[] = [];
    #requests = 0;
    #isReady = false;

    private constructor({ name, args, directory, environment = {} }: SubjectProcess) {
        this.name = name;
        this.directory = directory;
        this.#child = spawn(process.execPath, ["--expose-gc", ...profiling(), ...args], {
            stdio: ["ignore", "pipe", "pipe", "ipc"],
            serialization: "advanced",
            env: { ...process.env, ...environment },
        });
        this.pid = this.#child.pid ?? 0;
        for (const stream of [this.#child.stdout, this.#child.stderr]) {
            stream?.on("data", (chunk: Buffer) => {
                this.#output.push(chunk.toString());
                if (this.#output.length > 1000) this.#output.shift();
            });
        }
        this.#child.on("message", (message: AnswerMessage | "ready") => this.#received(message));
        this.#child.on("exit", (code) => {
            const error = new Error(`${name} ended with ${code}:\n${this.log}`);
            for (const { reject } of this.#waiting.values()) reject(error);
            this.#waiting.clear();
        });
    }

    /** Starts MQTT.js alone; with a filter it counts what it receives, or answers each command with an event. */
    static async rawMqtt(port: number, filter?: string, mode: "count" | "echo" = "count"): Promise<Subject> {
        const args = [path.join(compiled, "peers", "raw-mqtt.js"), String(port), ...(filter === undefined ? [] : [filter, mode])];
        const subject = new Subject({ name: "raw MQTT.js", args, directory: makeDirectory() });
        await subject.#waitUntil(() => subject.#isReady, "connect");
        return subject;
    }

    /**
     * Starts Node-RED with a flow. In `directory`, when given, it goes on with what an earlier one left there; `environment` is added to
     * that of this process.
     */
    static async nodeRed(
        name: string,
        flow: readonly FlowNode[],
        directory = makeDirectory(),
        environment: Readonly<Record<string, string>> = {},
    ): Promise<Subject> {
        prepareUserDirectory(directory, flow);
        const red = path.join(path.dirname(require.resolve("node-red/package.json")), "red.js");
        const args = [red, "-u", directory, "-s", path.join(directory, "settings.js")];
        const subject = new Subject({ name, args, directory, environment });
        await subject.#waitUntil(() => subject.log.includes("Started flows"), "start its flows");
        return subject;
    }

    /** What the process wrote last. */
    get log(): string {
        return this.#output.join("");
    }

    /** Deploys a flow, everything anew; resolves when Node-RED says that it has. */
    async deploy(flow: readonly FlowNode[]): Promise<void> {
        const url = /http:\/\/127\.0\.0\.1:\d+\//.exec(this.log)?.[0];
        const response = await fetch(`${url}flows`, {
            method: "POST",
            headers: { "content-type": "application/json", "Node-RED-Deployment-Type": "full" },
            body: JSON.stringify(placed(flow)),
        });
        if (!response.ok) throw new Error(`${this.name}: ${response.status} ${await response.text()}`);
    }

    /** Asks the process; rejects when it ends before it answers. */
    ask<Name extends RequestName>(name: Name, argument: Argument<Name>): Promise<Answer<Name>>;
    ask(name: RequestName, argument: unknown): Promise<unknown> {
        return new Promise((resolve, reject) => {
            const id = ++this.#requests;
            this.#waiting.set(id, { resolve, reject });
            this.#child.send({ id, name, argument });
        });
    }

    /** Ends the process as an operator would, or as a crash; its directory stays when it is to be used again. */
    async stop({ signal = "SIGTERM", keepsDirectory = false }: { signal?: NodeJS.Signals; keepsDirectory?: boolean } = {}): Promise<void> {
        if (this.#child.exitCode === null && this.#child.signalCode === null) {
            const ended = once(this.#child, "exit");
            if (this.#child.connected && signal === "SIGTERM") this.#child.disconnect();
            this.#child.kill(signal);
            const force = setTimeout(() => this.#child.kill("SIGKILL"), 20_000);
            await ended;
            clearTimeout(force);
        }
        if (!keepsDirectory) rmSync(this.directory, { recursive: true, force: true });
    }

    #received(message: AnswerMessage | "ready"): void {
        if (message === "ready") {
            this.#isReady = true;
            return;
        }
        const waiting = this.#waiting.get(message.id);
        this.#waiting.delete(message.id);
        if (message.error === undefined) waiting?.resolve(message.answer);
        else waiting?.reject(new Error(`${this.name}: ${message.error}`));
    }

    async #waitUntil(condition: () => boolean, what: string): Promise<void> {
        await waitFor(() => condition() || this.#child.exitCode !== null, `${this.name} to ${what}`, 120_000);
        if (this.#child.exitCode !== null) throw new Error(`${this.name} ended:\n${this.log}`);
    }
}

/** A directory for one subject. */
export function makeDirectory(): string {
    return mkdtempSync(path.join(tmpdir(), "gateway-bench-"));
}

/** BENCH_PROFILE=<folder> writes a CPU profile of each process there. */
function profiling(): string[] {
    const folder = process.env.BENCH_PROFILE;
    return folder === undefined ? [] : ["--cpu-prof", `--cpu-prof-dir=${folder}`];
}

function prepareUserDirectory(directory: string, flow: readonly FlowNode[]): void {
    const nodes = path.join(directory, "nodes");
    mkdirSync(nodes, { recursive: true });
    for (const type of ["bench-source", "bench-counter"]) {
        const module = path.join(compiled, "nodes", type);
        writeFileSync(path.join(nodes, `${type}.js`), `module.exports = require(${JSON.stringify(module)}).default;\n`);
        writeFileSync(path.join(nodes, `${type}.html`), "");
    }
    writeFileSync(path.join(directory, "flows.json"), JSON.stringify(placed(flow)));
    writeFileSync(path.join(directory, "settings.js"), `module.exports = ${JSON.stringify(settings())};\n`);
}

/** A node without a place on the canvas would be taken for a configuration node. */
function placed(flow: readonly FlowNode[]): FlowNode[] {
    return flow.map((node) => (node.z === undefined ? node : { x: 0, y: 0, ...node }));
}

/** As installed, but silent towards the network. */
function settings(): object {
    return {
        ...isolatedSettings,
        credentialSecret: "bench",
        // Loads the built package without installing it.
        nodesDir: process.cwd(),
    };
}
