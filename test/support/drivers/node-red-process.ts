import { type ChildProcess, spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { requireRecord } from "../records";
import { assertNoSecrets, secretToken } from "../secrets";
import { isolatedSettings } from "./isolated-settings";
import { answersOf, askWith, exportsOf, filesIn, type Trace } from "./traces";

/** The versions of Node-RED that the package is tested in, by the module that holds each. */
export const nodeRedModules = { "Node-RED 5": "node-red", "Node-RED 4.1": "node-red-4" } as const;

/** Nothing leaves the machine: no telemetry, no catalogue, no tours; see the comments for what each line prevents. */
function settings(userDir: string, nodesDir: string | undefined, more: Readonly<Record<string, unknown>>): string {
    return `module.exports = ${JSON.stringify({
        ...isolatedSettings,
        userDir,
        credentialSecret: "test",
        // Loads the built package without installing it, with its real name, icons, examples and resources.
        nodesDir,
        ...more,
    })};\n`;
}

/** What of the flows a deploy restarts. */
export type DeployType = "full" | "flows" | "nodes";

/** How Node-RED is started, where it matters. */
export interface StartOptions {
    /** The package is installed in this user directory; without it, the built package is loaded from here. */
    readonly installedIn?: string;
    /** A user directory to use instead of an empty one of its own; the caller removes it. */
    readonly userDir?: string;
    /** Settings in addition to those of every test. */
    readonly settings?: Readonly<Record<string, unknown>>;
    /** Environment variables in addition to those of this process. */
    readonly env?: Readonly<Record<string, string>>;
}

/** A real Node-RED in a process of its own, with an empty user directory. */
export class NodeRedProcess {
    readonly url: string;
    readonly userDir: string;
    readonly #child: ChildProcess;
    readonly #output: string[];
    readonly #isOwnUserDir: boolean;
    /** The gateways that were given a token. */
    readonly #withTokens = new Set<unknown>();
    #accessToken: string | undefined;

    private constructor(child: ChildProcess, url: string, userDir: string, output: string[], isOwnUserDir: boolean) {
        this.#child = child;
        this.url = url;
        this.userDir = userDir;
        this.#output = output;
        this.#isOwnUserDir = isOwnUserDir;
    }

    /**
     * Starts it and waits until it listens; fails with its output when it does not within a minute.
     */
    static async start(module: string, options: StartOptions = {}): Promise<NodeRedProcess> {
        const { installedIn } = options;
        const givenDir = installedIn ?? options.userDir;
        const userDir = givenDir ?? mkdtempSync(path.join(tmpdir(), "wiotp-gateway-node-red-"));
        const settingsFile = path.join(userDir, "settings.js");
        writeFileSync(settingsFile, settings(userDir, installedIn === undefined ? process.cwd() : undefined, options.settings ?? {}));
        const red = path.join(path.dirname(require.resolve(`${module}/package.json`)), "red.js");
        const child = spawn(process.execPath, [red, "-u", userDir, "-s", settingsFile], {
            stdio: ["ignore", "pipe", "pipe"],
            env: { ...process.env, ...options.env },
        });
        const output: string[] = [];
        const url = await new Promise<string>((resolve, reject) => {
            const fail = (what: string): void => {
                // A child that is left behind keeps the test run from ending.
                child.kill("SIGKILL");
                reject(new Error(`Node-RED ${what}:\n${output.join("")}`));
            };
            const deadline = setTimeout(() => fail("did not start within a minute"), 60_000);
            child.once("error", (error) => fail(error.message));
            child.once("exit", (code) => fail(`ended with ${code}`));
            const listen = (chunk: Buffer): void => {
                output.push(chunk.toString());
                // The words around it are in the language of the server.
                const started = /(http:\/\/127\.0\.0\.1:\d+\/)/.exec(output.join(""));
                if (!started?.[1]) return;
                clearTimeout(deadline);
                resolve(started[1]);
            };
            child.stdout.on("data", listen);
            child.stderr.on("data", listen);
        });
        return new NodeRedProcess(child, url, userDir, output, givenDir === undefined);
    }

    /** What it wrote so far. */
    get log(): string {
        return this.#output.join("");
    }

    /** Logs in, where `adminAuth` asks for it; requests from here carry the token from now on. Returns it. */
    async logIn(username: string, password: string): Promise<string> {
        const body = { client_id: "node-red-admin", grant_type: "password", scope: "", username, password };
        const response = await fetch(`${this.url}auth/token`, {
            method: "POST",
            headers: { "content-type": "application/json" },
            body: JSON.stringify(body),
        });
        if (!response.ok) throw new Error(`login: ${response.status} ${await response.text()}`);
        this.#accessToken = String(requireRecord(await response.json()).access_token);
        return this.#accessToken;
    }

    /** Asks the admin API, as the user who has logged in. */
    ask(location: string, init: RequestInit = {}): Promise<Response> {
        const headers = new Headers(init.headers);
        if (this.#accessToken !== undefined) headers.set("authorization", `Bearer ${this.#accessToken}`);
        return fetch(`${this.url}${location}`, { ...init, headers });
    }

    /**
     * Replaces all flows and waits until they are accepted.
     * @param revision of the flows that are replaced; Node-RED refuses with 409 when it has others
     */
    async deploy(flows: readonly object[], type: DeployType = "full", revision?: string): Promise<void> {
        // Node-RED forgets the credentials of what is not deployed any more.
        for (const id of this.#withTokens) if (!flows.some((node) => requireRecord(node).id === id)) this.#withTokens.delete(id);
        const response = await this.ask("flows", {
            method: "POST",
            headers: { "content-type": "application/json", "Node-RED-API-Version": "v2", "Node-RED-Deployment-Type": type },
            body: JSON.stringify({
                flows: flows.map((node) => this.#withToken(node)),
                ...(revision === undefined ? {} : { rev: revision }),
            }),
        });
        if (!response.ok) throw new Error(`deploy: ${response.status} ${await response.text()}`);
    }

    /** The deployed flows. */
    async flows(): Promise<Record<string, unknown>[]> {
        const response = await this.ask("flows", { headers: { "Node-RED-API-Version": "v2" } });
        const { flows } = requireRecord(await response.json());
        return Array.isArray(flows) ? flows.map(requireRecord) : [];
    }

    /** Whether the process is there. */
    get isRunning(): boolean {
        return this.#child.exitCode === null && this.#child.signalCode === null;
    }

    /** Sends it a signal and waits for its end; its user directory stays. */
    async kill(signal: "SIGTERM" | "SIGKILL"): Promise<void> {
        if (!this.isRunning) return;
        const ended = new Promise<void>((resolve) => this.#child.once("exit", () => resolve()));
        this.#child.kill(signal);
        await ended;
    }

    /**
     * Ends it and removes the user directory that it was given for the test. Fails when a token of the tests is in anything that it
     * wrote or answers.
     */
    async stop(): Promise<void> {
        try {
            assertNoSecrets(await this.#answers());
        } finally {
            const force = setTimeout(() => this.#child.kill("SIGKILL"), 20_000);
            await this.kill("SIGTERM");
            clearTimeout(force);
            const texts = this.#texts();
            if (this.#isOwnUserDir) rmSync(this.userDir, { recursive: true, force: true });
            assertNoSecrets(texts);
        }
    }

    /** Fails when a token of the tests is in anything that it wrote or answers. */
    async checkSecrets(): Promise<void> {
        assertNoSecrets([...(await this.#answers()), ...this.#texts()]);
    }

    /** What it wrote. */
    #texts(): Trace[] {
        return [["the log", this.log], ...filesIn(this.userDir)];
    }

    /**
     * Every gateway of an own user directory gets a token, once while it is deployed: what is deployed again without credentials keeps
     * those that are stored.
     */
    #withToken(node: object): object {
        const { type, id, credentials } = requireRecord(node);
        if (!this.#isOwnUserDir || type !== "gateway-config" || credentials !== undefined || this.#withTokens.has(id)) return node;
        this.#withTokens.add(id);
        return { ...node, credentials: { token: secretToken } };
    }

    /** Its answer to a user who may read, or to the one who has logged in. */
    async #answers(): Promise<Trace[]> {
        if (!this.isRunning) return [];
        const ids = [...this.#withTokens].map(String);
        const ask = askWith((location, init) => this.ask(location, init));
        return [...(await exportsOf(ask, ids)), ...(await answersOf(ask, ids))];
    }
}
