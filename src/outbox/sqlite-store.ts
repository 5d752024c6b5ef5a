import { randomUUID } from "node:crypto";
import { stat } from "node:fs/promises";
import type { Clock, Timer } from "../clock";
import { GatewayError } from "../errors";
import type { OutboxEvent } from "./event";
import { eventsFromRows, rowsFromEvents } from "./event-rows";
import { type Ask, SqliteClient } from "./sqlite-client";
import type { OpenedContents, StoreFailure, StoreFaults, WorkerResponse } from "./sqlite-messages";
import { StateJournal } from "./state-journal";
import type { EventStore, EventStoreListener, ExpiredBatch, ReadBatch, ReadRange, StateStore } from "./store";

/** Told about the health of the file. */
export interface StoreHealthListener {
    /** The file cannot be used, or was replaced; once per change. */
    failed(error: GatewayError): void;
    /** The file can be used again. */
    recovered(): void;
}

/** How to open an outbox file. */
export interface SqliteStoreOptions {
    readonly path: string;
    readonly clock: Clock;
    readonly listener: StoreHealthListener;
    readonly faults?: StoreFaults;
    /** The file is opened when this resolves, because an earlier gateway may still have it open; at once when absent. */
    readonly opensWhen?: Promise<void> | undefined;
}

/** States are written this long after a change, together with whatever else is written then. */
const stateDelayMs = 250;
const firstRetryMs = 1000;
const lastRetryMs = 30_000;

/**
 * Keeps events and states in one SQLite file that a thread of its own has open, so that a slow disk stops nobody. A file that cannot be
 * opened, or fails later, is tried again until it can be used; events stay with the outbox meanwhile.
 */
export class SqliteStore implements EventStore, StateStore {
    readonly isDurable = true;
    readonly path: string;
    /** Resolves when opening has succeeded or failed for the first time. */
    readonly ready: Promise<void>;
    readonly #clock: Clock;
    readonly #listener: StoreHealthListener;
    readonly #client: SqliteClient;
    readonly #states = new StateJournal();
    #events: EventStoreListener | undefined;
    /** What `attach` has to tell when it comes after opening has ended. */
    #contents: OpenedContents | undefined;
    #access: "opening" | "open" | "closed" = "opening";
    /** The request whose failure was told: the file is well again when its like succeeds. */
    #failedRequest: Ask | undefined;
    #isClosing = false;
    #failure: StoreFailure = { kind: "unusable", text: "it is not open yet" };
    #retryTimer: Timer | undefined;
    #retryMs = 0;
    #stateTimer: Timer | undefined;
    #isReady: () => void = () => {};

    constructor(options: SqliteStoreOptions) {
        this.path = options.path;
        this.#clock = options.clock;
        this.#listener = options.listener;
        this.#client = new SqliteClient({ path: options.path, owner: randomUUID(), faults: options.faults ?? {} });
        this.ready = new Promise((resolve) => {
            this.#isReady = resolve;
        });
        if (!options.opensWhen) this.#open();
        else
            void options.opensWhen.then(() => {
                if (!this.#isClosing) this.#open();
            });
    }

    attach(listener: EventStoreListener): void {
        this.#events = listener;
        if (this.#access === "open" && this.#contents) listener.opened({ ...this.#contents, isContinued: false });
        if (this.#access === "closed") listener.closed();
    }

    commit(writes: readonly OutboxEvent[], removals: readonly number[], finished: (error: GatewayError | undefined) => void): void {
        const states = this.#states.take();
        this.#stateTimer?.cancel();
        this.#stateTimer = undefined;
        this.#ask({ kind: "commit", events: rowsFromEvents(writes), removals, states: states.values }, (error) => {
            states.written(error);
            if (error && this.#states.hasChanges) this.#writeStatesSoon(firstRetryMs);
            finished(error);
        });
    }

    read(range: ReadRange, finished: (error: GatewayError | undefined, batch: ReadBatch) => void): void {
        const { after, upTo, device, maxEvents, maxBytes } = range;
        this.#ask({ kind: "read", after, upTo, device, maxEvents, maxBytes }, (error, response) => {
            finished(error, { events: eventsFromRows(response?.values ?? []), isComplete: response?.isComplete ?? false });
        });
    }

    readExpired(atMs: number, maxEvents: number, finished: (error: GatewayError | undefined, batch: ExpiredBatch) => void): void {
        this.#ask({ kind: "readExpired", atMs, maxEvents }, (error, response) => {
            finished(error, { events: eventsFromRows(response?.values ?? []), nextExpiresAt: response?.next });
        });
    }

    shiftTimes(afterSeq: number, byMs: number, finished: (error: GatewayError | undefined) => void): void {
        this.#ask({ kind: "shiftTimes", afterSeq, byMs }, (error) => finished(error));
    }

    entries(kind: string): Iterable<[key: string, value: string]> {
        return this.#states.entries(kind);
    }

    put(kind: string, key: string, value: string): void {
        this.#states.put(kind, key, value);
        this.#writeStatesSoon(stateDelayMs);
    }

    remove(kind: string, key: string): void {
        this.#states.remove(kind, key);
        this.#writeStatesSoon(stateDelayMs);
    }

    flush(): Promise<void> {
        const flushed = this.#states.flushed();
        this.commit([], [], () => {});
        return flushed;
    }

    /** Bytes that the file and its journal take up on the disk. */
    async size(): Promise<number> {
        const sizes = await Promise.all(
            [this.path, `${this.path}-wal`].map((file) =>
                stat(file).then(
                    (found) => found.size,
                    () => 0,
                ),
            ),
        );
        return sizes.reduce((sum, size) => sum + size, 0);
    }

    /** For tests: changes how badly the disk behaves. */
    setFaults(faults: StoreFaults): Promise<void> {
        return new Promise((resolve) => this.#client.ask({ kind: "faults", faults }, () => resolve()));
    }

    /** For tests: the thread dies. */
    crashWorker(): Promise<void> {
        return this.#client.terminate();
    }

    /** Writes what is left of the states and closes the file, so that another process can open it; gives up at the deadline. */
    async close(deadlineMs: number): Promise<void> {
        this.#isClosing = true;
        this.#retryTimer?.cancel();
        this.#stateTimer?.cancel();
        if (this.#access === "open" && this.#states.hasChanges) this.commit([], [], () => {});
        await new Promise<void>((resolve) => {
            const timer = this.#clock.setTimer(deadlineMs, resolve);
            this.#client.ask({ kind: "close" }, () => {
                timer.cancel();
                resolve();
            });
        });
        await this.#client.terminate();
    }

    #open(): void {
        this.#client.ask({ kind: "open" }, (response) => {
            if (response.contents) this.#opened(response.contents);
            else this.#closed(response.failure ?? this.#failure);
        });
    }

    #opened(contents: OpenedContents): void {
        this.#access = "open";
        this.#contents = contents;
        this.#retryMs = 0;
        this.#states.load(contents.states);
        if (contents.setAside !== undefined) {
            this.#failedRequest = undefined;
            this.#fail(
                { kind: "open" },
                { kind: "corrupt", text: `it was damaged. It was set aside as ${contents.setAside} and a new one was begun` },
            );
            this.#states.putAll();
        }
        this.#recover();
        if (this.#states.hasChanges) this.#writeStatesSoon(stateDelayMs);
        this.#isReady();
        this.#events?.opened(contents);
    }

    #closed(failure: StoreFailure): void {
        if (this.#isClosing) return;
        this.#failure = failure;
        this.#fail({ kind: "open" }, failure);
        this.#isReady();
        const wasClosed = this.#access === "closed";
        this.#access = "closed";
        // A damaged file is replaced at once; everything else may get better with time.
        this.#retryMs = failure.kind === "corrupt" && !wasClosed ? 0 : Math.min(Math.max(this.#retryMs * 2, firstRetryMs), lastRetryMs);
        this.#retryTimer?.cancel();
        this.#retryTimer = this.#clock.setTimer(this.#retryMs, () => this.#open());
        if (!wasClosed) this.#events?.closed();
    }

    #ask(request: Ask, answered: (error: GatewayError | undefined, response?: WorkerResponse) => void): void {
        if (this.#access !== "open") {
            answered(storeError(this.path, this.#failure));
            return;
        }
        this.#client.ask(request, (response) => {
            if (!response.failure) {
                if (this.#failedRequest && isLike(request, this.#failedRequest)) this.#recover();
                answered(undefined, response);
                return;
            }
            this.#fail(request, response.failure);
            answered(storeError(this.path, response.failure), response);
            if (response.isClosed && this.#access === "open") this.#closed(response.failure);
        });
    }

    #writeStatesSoon(delayMs: number): void {
        if (this.#access !== "open" || this.#isClosing) return;
        this.#stateTimer ??= this.#clock.setTimer(delayMs, () => {
            this.#stateTimer = undefined;
            this.commit([], [], () => {});
        });
    }

    #fail(request: Ask, failure: StoreFailure): void {
        if (this.#failedRequest) return;
        this.#failedRequest = request;
        this.#listener.failed(storeError(this.path, failure));
    }

    #recover(): void {
        if (!this.#failedRequest) return;
        this.#failedRequest = undefined;
        this.#listener.recovered();
    }
}

/** Whether the success of one request shows that the other would succeed now: removing events says little about writing some. */
function isLike(request: Ask, failed: Ask): boolean {
    if (request.kind === "commit" && failed.kind === "commit") return request.events.length > 0 || failed.events.length === 0;
    return request.kind === failed.kind;
}

const advice: Record<StoreFailure["kind"], string> = {
    locked: "Another process has it open: see that only one Node-RED uses this gateway and this user directory.",
    full: "Make room on the disk; until then events are kept in memory only.",
    corrupt: "Events that were only in the damaged file are not sent; keep it if they matter.",
    newer: "Until then events are kept in memory only.",
    foreign: "Until then events are kept in memory only.",
    unusable: "Check the disk and the permissions of the folder; until then events are kept in memory only.",
};

function storeError(file: string, failure: StoreFailure): GatewayError {
    return new GatewayError("GW_STORE", `The outbox file ${file} cannot be used: ${failure.text}. ${advice[failure.kind]}`);
}
