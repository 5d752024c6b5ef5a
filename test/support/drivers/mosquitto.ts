import { type ChildProcess, spawn } from "node:child_process";
import { pbkdf2Sync, randomBytes } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { freePort } from "../ports";
import { waitFor } from "../wait-for";

/** How a broker for a test is set up. */
export interface MosquittoOptions {
    /** Lines of the configuration that apply to the listener, e.g. certificates. */
    readonly listener?: readonly string[];
    /** Lines that apply to the whole broker; anonymous clients are allowed when absent. */
    readonly general?: readonly string[];
    /** Files to write next to the configuration, by name; `{dir}` in a line stands for their folder. */
    readonly files?: Readonly<Record<string, string>>;
    /** Logs no packets but SUBSCRIBEs, and has no window for what it sends, so that it slows down no measurement. */
    readonly quiet?: boolean;
    /** Keeps sessions over `restart`. */
    readonly persistent?: boolean;
}

/** Debian keeps it where the path of an ordinary user does not look. */
const searchPath = `/usr/sbin:${process.env.PATH ?? ""}`;
const portAttempts = 5;
/** Few, because the passwords are those of tests. */
const passwordIterations = 101;

/** A real broker of its own for one test, on loopback. */
export class Mosquitto {
    readonly #directory: string;
    readonly #options: MosquittoOptions;
    #process: ChildProcess | undefined;
    /** What it logged, connects and packets included. */
    readonly log: string[] = [];
    port = 0;

    private constructor(options: MosquittoOptions) {
        this.#options = options;
        this.#directory = mkdtempSync(join(tmpdir(), "mosquitto-"));
    }

    /** Starts a broker on a free port; resolves when it accepts connections. */
    static async start(options: MosquittoOptions = {}): Promise<Mosquitto> {
        const broker = new Mosquitto(options);
        for (const [name, content] of Object.entries(options.files ?? {})) writeFileSync(join(broker.#directory, name), content);
        for (let attempt = 1; ; attempt++) {
            broker.port = await freePort();
            if (await broker.#launch()) return broker;
            // Somebody else was given the port meanwhile: Mosquitto cannot choose one itself.
            if (attempt === portAttempts) throw new Error(`Mosquitto does not start: ${broker.log.join("\n")}`);
        }
    }

    /** How many lines of the log match. */
    count(pattern: RegExp): number {
        return this.log.filter((line) => pattern.test(line)).length;
    }

    /** Resolves once the log has that many matching lines. */
    async logged(pattern: RegExp, times = 1): Promise<void> {
        await waitFor(() => this.count(pattern) >= times, `${times} × ${pattern} in the log of Mosquitto`);
    }

    /** CONNECTs accepted so far. */
    get connects(): number {
        return this.count(/: New client connected from/);
    }

    /** Ends it in good order, or as a crash; its clients see the sockets close. */
    async halt(signal: "SIGTERM" | "SIGKILL" = "SIGTERM"): Promise<void> {
        const child = this.#process;
        this.#process = undefined;
        if (!child || child.exitCode !== null || child.signalCode !== null) return;
        const exit = once(child, "exit");
        child.kill(signal);
        await exit;
    }

    /** Starts it again on the same port, after `halt`. */
    async resume(): Promise<void> {
        if (!(await this.#launch())) throw new Error(`Mosquitto does not come back: ${this.log.slice(-5).join("\n")}`);
    }

    /** Removes what it kept of sessions, between `halt` and `resume`: then it is a broker without persistence. */
    forget(): void {
        rmSync(join(this.#directory, "mosquitto.db"), { force: true });
    }

    /** Writes files again and has it reload its settings; connections stay. */
    reload(files: Readonly<Record<string, string>>): void {
        for (const [name, content] of Object.entries(files)) writeFileSync(join(this.#directory, name), content);
        this.#process?.kill("SIGHUP");
    }

    /** Suspends it, as a hung server would be, until `thaw`. */
    freeze(): void {
        this.#process?.kill("SIGSTOP");
    }

    /** Lets a suspended broker go on. */
    thaw(): void {
        this.#process?.kill("SIGCONT");
    }

    /** Ends it and removes its files. */
    async stop(): Promise<void> {
        this.thaw();
        await this.halt("SIGKILL");
        rmSync(this.#directory, { recursive: true, force: true });
    }

    async #launch(): Promise<boolean> {
        const file = join(this.#directory, "mosquitto.conf");
        writeFileSync(file, this.#configuration());
        const child = spawn("mosquitto", ["-c", file], { stdio: ["ignore", "ignore", "pipe"], env: { ...process.env, PATH: searchPath } });
        this.#process = child;
        let running = false;
        createInterface({ input: child.stderr }).on("line", (line) => {
            this.log.push(line);
            if (line.includes(" running")) running = true;
        });
        await waitFor(() => running || child.exitCode !== null, "Mosquitto to run");
        return running && child.exitCode === null;
    }

    #configuration(): string {
        const { listener = [], general = ["allow_anonymous true"], quiet = false, persistent = false } = this.#options;
        return [
            "log_dest stderr",
            ...(quiet
                ? [
                      "log_type error",
                      "log_type warning",
                      "log_type notice",
                      "log_type information",
                      "log_type subscribe",
                      "max_inflight_messages 0",
                  ]
                : ["log_type all"]),
            "connection_messages true",
            "user root",
            "max_queued_messages 100000",
            ...(persistent ? ["persistence true", "persistence_location {dir}/", "autosave_interval 1"] : []),
            ...general,
            `listener ${this.port} 127.0.0.1`,
            ...listener,
            "",
        ]
            .join("\n")
            .replaceAll("{dir}", this.#directory);
    }
}

/** A password file for Mosquitto 2. */
export function passwordFile(passwords: Readonly<Record<string, string>>): string {
    return Object.entries(passwords)
        .map(([user, password]) => {
            const salt = randomBytes(12);
            const hash = pbkdf2Sync(password, salt, passwordIterations, 64, "sha512");
            return `${user}:$7$${passwordIterations}$${salt.toString("base64")}$${hash.toString("base64")}\n`;
        })
        .join("");
}
