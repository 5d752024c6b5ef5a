import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";

/** How badly a disk behaves. */
export interface DiskFaults {
    /** Each flush takes so much longer. */
    readonly flushMs?: number;
    /** An SQLite file may not have more pages than this, as on a full disk. */
    readonly maxPages?: number;
    /** Events cannot be read, as where the disk has bad places. */
    readonly isUnreadable?: boolean;
    /** The events of this device cannot be read one by one. */
    readonly unreadableDevice?: string;
    /** The states cannot be read. */
    readonly areStatesUnreadable?: boolean;
    /** Transactions are committed, but reported as failed. */
    readonly isCommitLost?: boolean;
    /** Each flush waits until somebody writes to this pipe; nothing can end the wait. */
    readonly flushWaitsFor?: string;
}

/** The disk under the SQLite files of a process that is started with `environment`, as the test wants it to be. */
export class FaultyDisk {
    readonly #directory = mkdtempSync(path.join(tmpdir(), "faulty-disk-"));
    readonly #control = path.join(this.#directory, "faults.json");

    constructor(faults: DiskFaults = {}) {
        this.set(faults);
        writeFileSync(`${this.#control}.transactions`, "");
    }

    /** The environment of the process, or of threads that are started while this process has it. */
    get environment(): Readonly<Record<string, string>> {
        return { NODE_OPTIONS: `--require ${path.join(__dirname, "faulty-disk-hook.js")}`, FAULTY_DISK: this.#control };
    }

    /** Transactions committed so far. */
    get transactions(): number {
        return statSync(`${this.#control}.transactions`).size;
    }

    /** Whether a flush waits for its pipe, or has done so. */
    get isFlushWaiting(): boolean {
        return existsSync(`${this.#control}.waiting`);
    }

    /** How often something has failed that was not to be read, or was reported as not committed. */
    get failures(): number {
        return existsSync(`${this.#control}.failures`) ? statSync(`${this.#control}.failures`).size : 0;
    }

    /** Changes the behaviour; counts from the next transaction on. */
    set(faults: DiskFaults): void {
        writeFileSync(this.#control, JSON.stringify(faults));
    }

    /** Whatever threads are started meanwhile in this process write to this disk. */
    async under<Result>(start: () => Promise<Result>): Promise<Result> {
        const before = Object.keys(this.environment).map((name) => [name, process.env[name]] as const);
        Object.assign(process.env, this.environment);
        try {
            return await start();
        } finally {
            for (const [name, value] of before) {
                if (value === undefined) delete process.env[name];
                else process.env[name] = value;
            }
        }
    }

    dispose(): void {
        rmSync(this.#directory, { recursive: true, force: true });
    }
}
