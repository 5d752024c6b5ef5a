import { randomInt, randomUUID } from "node:crypto";
import path from "node:path";
import { Worker } from "node:worker_threads";
import type { Clock, Timer } from "../../clock";
import type { GatewayError } from "../../errors";
import { anyOpening, StoreHealth, type StoreHealthListener, storeError } from "./store-health";
import type { Ask, OpenedContents, StoreFailure, WorkerOptions, WorkerResponse } from "./worker-protocol";

const firstRetryMs = 1000;
const lastRetryMs = 30_000;
/** Longer than anybody waits who has something to write that failed. */
const probeAfterMs = 60_000;

/** Keeps one file open: a file that cannot be opened, or fails later, is tried again until it can be used. */
export class SqliteAccess {
    readonly #options: SqliteAccessOptions;
    readonly #client: SqliteClient;
    readonly #health: StoreHealth;
    #state: "opening" | "open" | "closed" = "opening";
    #isClosing = false;
    #failure: StoreFailure = { kind: "notOpen" };
    #retryTimer: Timer | undefined;
    #retryMs = 0;
    /** What closed the file: attempts follow each other at growing intervals until the like of it succeeds. */
    #failedKind: Ask["kind"] = "open";
    /** The last opening that was reported. */
    #opening: string | undefined;
    #probeTimer: Timer | undefined;
    #isReady: () => void = () => {};

    constructor(options: SqliteAccessOptions) {
        const { path, health } = options;
        this.#options = options;
        this.#client = new SqliteClient({ path, run: randomInt(2 ** 47) });
        this.#health = new StoreHealth(path, health);
    }

    /** Opens the file, once. Resolves when that has succeeded or failed: then it is tried again, until it can be used. */
    open(): Promise<void> {
        const ready = new Promise<void>((resolve) => {
            this.#isReady = resolve;
        });
        if (!this.#isClosing) this.#open();
        return ready;
    }

    get state(): "opening" | "open" | "closed" {
        return this.#state;
    }

    /** Asks the file; with an error when it is not open or fails. */
    ask(request: Ask, answered: (error: GatewayError | undefined, response?: WorkerResponse) => void): void {
        if (this.#state !== "open") {
            answered(storeError(this.#options.path, this.#failure));
            return;
        }
        this.#client.ask(request, (response) => {
            if (!response.failure) {
                this.#health.succeeded(request);
                if (request.kind === this.#failedKind) this.#retryMs = 0;
                answered(undefined, response);
                return;
            }
            this.#health.failed(request, response.failure);
            answered(storeError(this.#options.path, response.failure), response);
            if (response.isClosed && this.#state === "open") this.#closed(response.failure, request.kind);
            else this.#probeLater();
        });
    }

    /** From now on the file is not opened again. */
    stopOpening(): void {
        this.#isClosing = true;
        this.#retryTimer?.cancel();
        this.#probeTimer?.cancel();
    }

    /** Closes the file, so that another process can open it. Gives up at the deadline, even where the disk holds the thread up. */
    close(deadlineMs: number): Promise<void> {
        this.stopOpening();
        return new Promise((resolve) => {
            const timer = this.#options.clock.setTimer(deadlineMs, () => {
                void this.#client.terminate();
                resolve();
            });
            this.#client.ask({ kind: "close" }, () => {
                timer.cancel();
                void this.#client.terminate().then(resolve);
            });
        });
    }

    /** On a good link nothing has to be written for days: without a probe the file would be called unusable for as long. */
    #probeLater(): void {
        this.#probeTimer?.cancel();
        if (this.#isClosing) return;
        this.#probeTimer = this.#options.clock.setTimer(probeAfterMs, () => this.ask({ kind: "probe" }, () => {}));
    }

    #open(): void {
        const owner = randomUUID();
        this.#client.ask({ kind: "open", owner, continues: this.#opening }, (response) => {
            if (!response.contents) {
                this.#closed(response.failure ?? this.#failure, "open");
                return;
            }
            this.#opening = owner;
            this.#opened(response.contents);
        });
    }

    #opened(contents: OpenedContents): void {
        this.#state = "open";
        if (this.#failedKind === "open") this.#retryMs = 0;
        this.#health.opened(contents.setAside);
        this.#isReady();
        this.#options.opened(contents);
    }

    #closed(failure: StoreFailure, failedKind: Ask["kind"]): void {
        if (this.#isClosing) return;
        this.#failure = failure;
        this.#failedKind = failedKind;
        if (failure.kind === "conflict") this.#opening = undefined;
        this.#health.failed(anyOpening, failure);
        this.#isReady();
        const wasClosed = this.#state === "closed";
        this.#state = "closed";
        // A damaged file is replaced at once, and one with other events is read again; everything else may get better with time.
        const isRemedied = failure.kind === "corrupt" || failure.kind === "conflict";
        this.#retryMs = isRemedied && !wasClosed ? 0 : Math.min(Math.max(this.#retryMs * 2, firstRetryMs), lastRetryMs);
        this.#retryTimer?.cancel();
        this.#retryTimer = this.#options.clock.setTimer(this.#retryMs, () => this.#open());
        if (!wasClosed) this.#options.closed();
    }
}

/** Which file is kept open, and its listener. */
export interface SqliteAccessOptions {
    readonly path: string;
    readonly clock: Clock;
    readonly health: StoreHealthListener;
    /** The file is open, for the first time or again. */
    opened(contents: OpenedContents): void;
    /** The file cannot be used any more, or not yet; reported once until it is opened. */
    closed(): void;
}

/** Called once with the answer; a worker that dies answers everything with a failure. */
type Answered = (response: WorkerResponse) => void;

/** Talks to the thread that has the file open; starts it when it is first needed and again after it died. */
class SqliteClient {
    readonly #options: WorkerOptions;
    readonly #answers = new Map<number, Answered>();
    #worker: Worker | undefined;
    #lastId = 0;

    constructor(options: WorkerOptions) {
        this.#options = options;
    }

    /** Requests are carried out in order. While one is outstanding the process stays alive. */
    ask(request: Ask, answered: Answered): void {
        const worker = this.#worker ?? this.#start();
        const id = ++this.#lastId;
        this.#answers.set(id, answered);
        if (this.#answers.size === 1) worker.ref();
        worker.postMessage({ ...request, id });
    }

    /** Ends the thread, whatever it is doing. */
    async terminate(): Promise<void> {
        await this.#worker?.terminate();
    }

    #start(): Worker {
        const worker = new Worker(path.join(__dirname, "sqlite-worker.js"), {
            workerData: this.#options,
            // Older versions of Node warn that SQLite is experimental; this package is tested on each of them.
            execArgv: ["--disable-warning=ExperimentalWarning"],
        });
        this.#worker = worker;
        let failure: StoreFailure = { kind: "crashed" };
        worker.on("message", (response: WorkerResponse) => this.#answer(response));
        worker.on("error", (error) => {
            failure = { kind: "crashed", error: error.message };
        });
        worker.on("exit", () => this.#ended(worker, failure));
        worker.unref();
        return worker;
    }

    #answer(response: WorkerResponse): void {
        const answered = this.#answers.get(response.id);
        this.#answers.delete(response.id);
        if (this.#answers.size === 0) this.#worker?.unref();
        answered?.(response);
    }

    #ended(worker: Worker, failure: StoreFailure): void {
        if (this.#worker !== worker) return;
        this.#worker = undefined;
        const unanswered = [...this.#answers];
        this.#answers.clear();
        for (const [id, answered] of unanswered) answered({ id, failure, isClosed: true });
    }
}
