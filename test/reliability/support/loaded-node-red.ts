import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { appendFileSync, existsSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type LinkAction, linkActions } from "../../../src/gateway/link-control";
import type { GatewayOverview } from "../../../src/gateway/monitor/gateway-overview";
import { isRecord } from "../../../src/protocol/json";
import { isolatedSettings } from "../../support/drivers/isolated-settings";
import type { DeployType } from "../../support/drivers/node-red-process";
import { answersOf, askWith, exportsOf, filesIn, type Trace } from "../../support/drivers/traces";
import { unaccountedEvents } from "../../support/event-account";
import { requireRecord } from "../../support/records";
import { assertNoSecrets, secretToken } from "../../support/secrets";
import { waitFor } from "../../support/wait-for";
import { FlowRecord } from "./flow-record";

/** What is under load, and how much. */
export interface LoadOptions {
    /** Properties of the `gateway-config`; by default a broker without TLS. */
    readonly gateway: Readonly<Record<string, unknown>>;
    /** The gateway's token at first; one of the tests' when absent. */
    readonly token?: string;
    /** A certificate authority, as a file. */
    readonly authorityFile?: string;
    /** Messages sent every 10 ms. */
    readonly perTick?: number;
    /** Environment variables of Node-RED. */
    readonly env?: Readonly<Record<string, string>>;
}

/** What a deploy can make of the load. */
export interface LoadVariant {
    /** Devices that publish; 5 by default. */
    readonly devices?: number;
    /** The property of the `gateway-config`. */
    readonly registration?: "auto" | "always";
}

const gatewayId = "config-node";

/** A real Node-RED with a flow that publishes numbered events, takes commands, and records what is reported of them. */
export class LoadedNodeRed {
    readonly userDir = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-load-"));
    /** Where the outbox is. */
    readonly storeDir = path.join(this.userDir, "wiotp-gateway");
    readonly record: FlowRecord;
    readonly #options: LoadOptions;
    readonly #recordFile = path.join(this.userDir, "record.txt");
    readonly #pauseFile = path.join(this.userDir, "pause");
    readonly #logFile = path.join(this.userDir, "log.txt");
    #child: ChildProcess | undefined;
    #url = "";
    /** The end of what the process wrote; all of it is in a file. */
    #output = "";
    #hasFlows = false;

    constructor(options: LoadOptions) {
        this.#options = options;
        this.record = new FlowRecord(this.#recordFile);
        mkdirSync(this.storeDir, { mode: 0o700 });
        const nodesDir = [process.cwd(), path.join(process.cwd(), "test/reliability/fixtures/load")];
        writeFileSync(
            path.join(this.userDir, "settings.js"),
            `module.exports = ${JSON.stringify({
                ...isolatedSettings,
                credentialSecret: "test",
                nodesDir,
            })};\n`,
        );
    }

    /** The flows; `touched` changes something harmless on the tab and on a node, so that a deploy is a change. */
    flows(touched = "", token?: string, { devices = 5, registration = "auto" }: LoadVariant = {}): object[] {
        const at = { z: "tab", x: 100, y: 100, wires: [] };
        const { gateway, authorityFile, perTick = 4 } = this.#options;
        const broker = { platform: "broker", transport: "tcp", host: "127.0.0.1", orgId: "org1", typeId: "gw", deviceId: "gw1" };
        const secured = authorityFile === undefined ? {} : { transport: "tls", tls: "tls" };
        const credentials = token === undefined ? {} : { credentials: { token } };
        const noted = { ...at, wires: [["sink"]] };
        return [
            { id: "tab", type: "tab", label: `load ${touched}` },
            { id: "tls", type: "tls-config", ca: authorityFile ?? "", verifyservercert: true },
            { id: gatewayId, type: "gateway-config", ...broker, registration, ...secured, ...gateway, ...credentials },
            { id: "source", type: "load-source", ...at, pauseFile: this.#pauseFile, devices, perTick, wires: [["out"]] },
            { id: "out", type: "device-event-out", ...at, name: touched, gateway: gatewayId, format: "text", priority: "" },
            { id: "commands", type: "device-command-in", ...noted, gateway: gatewayId },
            { id: "complete", type: "complete", ...noted, scope: ["out"], uncaught: false },
            { id: "catch", type: "catch", ...noted, scope: null, uncaught: false },
            { id: "status", type: "status", ...noted, scope: ["out"] },
            ...linkActions.map((action) => {
                const props = [{ p: "gateway", v: JSON.stringify({ action }), vt: "json" }];
                return { id: action, type: "inject", ...at, props, wires: [["control"]] };
            }),
            { id: "control", type: "device-event-out", ...at, gateway: gatewayId },
            { id: "sink", type: "load-sink", ...at, file: this.#recordFile },
        ];
    }

    /** Starts it, for the first time without flows: it gets them by a deploy, so that it encrypts the token itself. */
    async start(): Promise<void> {
        const red = path.join(path.dirname(require.resolve("node-red/package.json")), "red.js");
        const child = spawn(process.execPath, ["--expose-gc", red, "-u", this.userDir], {
            stdio: ["ignore", "pipe", "pipe"],
            env: { ...process.env, ...this.#options.env },
        });
        this.#child = child;
        this.#output = "";
        const listen = (chunk: Buffer): void => {
            appendFileSync(this.#logFile, chunk);
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
            180_000,
        );
        if (!this.#hasFlows) await this.deploy(this.flows("", this.#options.token ?? secretToken));
        this.#hasFlows = true;
    }

    /** Ends it: in good order, or as a crash or a power cut would. */
    async end(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
        const child = this.#child;
        if (!child || !this.#isRunning) return;
        const exit = once(child, "exit");
        child.kill(signal);
        await exit;
    }

    async deploy(flows: object[], type: DeployType = "full"): Promise<void> {
        const response = await fetch(`${this.#url}flows`, {
            method: "POST",
            headers: { "content-type": "application/json", "Node-RED-API-Version": "v2", "Node-RED-Deployment-Type": type },
            body: JSON.stringify({ flows }),
        });
        if (!response.ok) throw new Error(`deploy: ${response.status} ${await response.text()}`);
    }

    /** Stops the source, or lets it go on. */
    pause(isPaused: boolean): void {
        if (isPaused) writeFileSync(this.#pauseFile, "");
        else if (existsSync(this.#pauseFile)) rmSync(this.#pauseFile);
    }

    /** Sends the message that asks for this. */
    async ask(action: LinkAction): Promise<void> {
        const response = await fetch(`${this.#url}inject/${action}`, { method: "POST" });
        if (!response.ok) throw new Error(`${action}: ${response.status} ${await response.text()}`);
    }

    /** Waits until the gateway is in this state. */
    async becomes(health: string): Promise<void> {
        await waitFor(async () => (await this.state())?.health === health, `the gateway to be ${health}`, 90_000);
    }

    /** Waits until this many more messages were reported done, however long a busy machine takes; fails after a minute without one. */
    async moreDone(count: number): Promise<void> {
        const { record } = this;
        record.update();
        const goal = record.done.length + count;
        while (record.done.length < goal) {
            const { length } = record.done;
            await waitFor(
                () => {
                    record.update();
                    return record.done.length > length;
                },
                () => `one more event to be done of ${goal - length} that are missing`,
            );
        }
    }

    /** Messages the source has sent since Node-RED was started, and the memory in use after a garbage collection. */
    async load(): Promise<{ sent: number; usedBytes: number }> {
        const { sent, usedBytes } = await this.#get("load");
        return { sent: Number(sent), usedBytes: Number(usedBytes) };
    }

    /** What the gateway says of itself; undefined while it does not run. */
    async state(): Promise<{ health: string; isOnline: boolean; queuedEvents: number; unaccounted: number } | undefined> {
        const { gateways } = await this.#get("wiotp-gateway/state");
        const [entry] = Array.isArray(gateways) ? gateways.map(requireRecord) : [];
        if (!isRecord(entry?.gateway)) return undefined;
        const overview = entry.gateway as unknown as GatewayOverview;
        const { connection, outbox, health } = overview;
        return {
            health: health.state,
            isOnline: connection.phase === "online",
            queuedEvents: outbox.events,
            unaccounted: unaccountedEvents(overview),
        };
    }

    /** Waits until the gateway is online and has delivered everything. */
    async nothingQueued(): Promise<void> {
        const isIdle = async () => {
            const state = await this.state();
            return state?.isOnline && state.queuedEvents === 0;
        };
        await waitFor(isIdle, "the gateway to have nothing left to send", 90_000);
    }

    /** The end of what it wrote. */
    get log(): string {
        return this.#output;
    }

    /** Fails when a token of the tests is in anything that it wrote, keeps or answers: log, statuses, errors, outbox, endpoints, exports. */
    async assertNoSecrets(): Promise<void> {
        assertNoSecrets([...(await this.#answers()), ...filesIn(this.userDir)]);
    }

    /** Ends it and removes everything, after a search for secrets. */
    async dispose(): Promise<void> {
        try {
            await this.assertNoSecrets();
        } finally {
            await this.end("SIGKILL");
            this.record.close();
            rmSync(this.userDir, { recursive: true, force: true });
        }
    }

    get #isRunning(): boolean {
        return this.#child !== undefined && this.#child.exitCode === null && this.#child.signalCode === null;
    }

    async #answers(): Promise<Trace[]> {
        if (!this.#isRunning) return [];
        const ask = askWith((location, init) => fetch(`${this.#url}${location}`, init));
        return [...(await exportsOf(ask, [gatewayId])), ...(await answersOf(ask, [gatewayId]))];
    }

    /** Node-RED closes idle connections after a while: a question that meets such an end is asked again. */
    async #get(route: string): Promise<Record<string, unknown>> {
        const ask = () => fetch(`${this.#url}${route}`);
        const response = await ask().catch(ask);
        return requireRecord(await response.json());
    }
}
