import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { waitFor } from "../../support/wait-for";

/** What the flow noted of its messages. */
export interface Outcomes {
    /** Payloads whose message was completed, in that order. */
    readonly done: string[];
    readonly failed: string[];
}

/** A real Node-RED with a flow that publishes numbered events and notes which of them were reported done. */
export class LoadedNodeRed {
    readonly userDir = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-load-"));
    readonly #outcomeFile = path.join(this.userDir, "outcomes.txt");
    readonly #pauseFile = path.join(this.userDir, "pause");
    #child: ChildProcess | undefined;
    #url = "";
    #output = "";

    constructor(options: { port: number; properties?: Record<string, unknown>; perTick?: number }) {
        const nodesDir = [path.join(process.cwd(), "dist"), path.join(process.cwd(), "test/reliability/fixtures/load")];
        writeFileSync(
            path.join(this.userDir, "settings.js"),
            `module.exports = ${JSON.stringify({
                uiHost: "127.0.0.1",
                uiPort: 0,
                flowFile: "flows.json",
                credentialSecret: "test",
                nodesDir,
                telemetry: { enabled: false, updateNotification: false },
                externalModules: { palette: { allowInstall: false, allowUpload: false } },
                logging: { console: { level: "info", metrics: false, audit: false } },
            })};\n`,
        );
        writeFileSync(this.#outcomeFile, "");
        writeFileSync(path.join(this.userDir, "flows.json"), JSON.stringify(this.flows(options)));
    }

    /** The flows; `touched` changes something harmless, so that a deploy is a change. */
    flows(options: { port: number; properties?: Record<string, unknown>; perTick?: number }, touched = ""): object[] {
        const at = { z: "tab", x: 100, y: 100 };
        const { port, properties, perTick = 4 } = options;
        const broker = { platform: "broker", transport: "tcp", host: "127.0.0.1", port: String(port) };
        return [
            { id: "tab", type: "tab", label: `load ${touched}` },
            { id: "config-node", type: "gateway-config", ...broker, orgId: "org1", typeId: "gw", deviceId: "gw1", ...properties },
            { id: "source", type: "load-source", ...at, pauseFile: this.#pauseFile, devices: 5, perTick, wires: [["out"]] },
            { id: "out", type: "device-event-out", ...at, gateway: "config-node", format: "text", wires: [] },
            { id: "complete", type: "complete", ...at, scope: ["out"], uncaught: false, wires: [["sink"]] },
            { id: "catch", type: "catch", ...at, scope: ["out"], uncaught: false, wires: [["sink"]] },
            { id: "sink", type: "load-sink", ...at, file: this.#outcomeFile, wires: [] },
        ];
    }

    async start(): Promise<void> {
        const red = path.join(path.dirname(require.resolve("node-red/package.json")), "red.js");
        const child = spawn(process.execPath, [red, "-u", this.userDir], { stdio: ["ignore", "pipe", "pipe"] });
        this.#child = child;
        this.#output = "";
        const listen = (chunk: Buffer): void => {
            this.#output = (this.#output + chunk.toString()).slice(-100_000);
        };
        child.stdout.on("data", listen);
        child.stderr.on("data", listen);
        await waitFor(
            () => {
                if (child.exitCode !== null) throw new Error(`Node-RED ended:\n${this.#output}`);
                this.#url = /Server now running at (http:\S+)/.exec(this.#output)?.[1] ?? "";
                return this.#url !== "" && this.#output.includes("Started flows");
            },
            "Node-RED to start",
            60_000,
        );
    }

    /** Ends it: in good order, or as a crash or a power cut would. */
    async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
        const child = this.#child;
        if (!child || child.exitCode !== null || child.signalCode !== null) return;
        const exit = once(child, "exit");
        child.kill(signal);
        await exit;
    }

    async deploy(flows: object[]): Promise<void> {
        const response = await fetch(`${this.#url}flows`, {
            method: "POST",
            headers: { "content-type": "application/json", "Node-RED-API-Version": "v2", "Node-RED-Deployment-Type": "full" },
            body: JSON.stringify({ flows }),
        });
        if (!response.ok) throw new Error(`deploy: ${response.status} ${await response.text()}`);
    }

    /** Stops the source, or lets it go on. */
    pause(isPaused: boolean): void {
        if (isPaused) writeFileSync(this.#pauseFile, "");
        else if (existsSync(this.#pauseFile)) rmSync(this.#pauseFile);
    }

    get outcomes(): Outcomes {
        const lines = readFileSync(this.#outcomeFile, "utf8").split("\n").slice(0, -1);
        const done = lines.filter((line) => line.startsWith("done ")).map((line) => line.slice(5));
        return { done, failed: lines.filter((line) => !line.startsWith("done ")) };
    }

    /** Waits until so many more messages were reported done. */
    async moreDone(count: number): Promise<void> {
        const before = this.outcomes.done.length;
        await waitFor(
            () => this.outcomes.done.length >= before + count,
            `${count} more events to be done; Node-RED says:\n${this.#output.slice(-3000)}`,
            60_000,
        );
    }

    get log(): string {
        return this.#output;
    }

    async dispose(): Promise<void> {
        await this.end("SIGKILL");
        rmSync(this.userDir, { recursive: true, force: true });
    }
}
