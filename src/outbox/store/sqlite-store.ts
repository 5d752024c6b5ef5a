import type { Chance } from "../../chance";
import type { Clock, Timer } from "../../clock";
import type { GatewayError } from "../../errors";
import { type OutboxEvent, priorities } from "../event";
import { SqliteAccess } from "./sqlite-connection";
import { StateJournal } from "./state-journal";
import type {
    DeviceTotal,
    DeviceTotals,
    EventStore,
    EventStoreListener,
    ExpiredBatch,
    ExpiredCursor,
    KeptPage,
    KeptPlace,
    KeptSelection,
    LatestBatch,
    ReadBatch,
    ReadRange,
    StateStore,
    UndeliveredBatch,
    UndeliveredChanges,
    UndeliveredOutcome,
} from "./store";
import { storeFileSize } from "./store-file";
import type { StoreHealthListener } from "./store-health";
import type { StoreThreads } from "./store-threads";
import { rowsFromUndelivered, undeliveredFromRows } from "./undelivered-rows";
import { deviceTotalsFromRows, eventsFromRows, latestFromRows, type OpenedContents, rowsFromEvents } from "./worker-protocol";

/** States are written this long after a change, together with whatever else is written then. */
const stateDelayMs = 250;
const stateRetryMs = 1000;

/**
 * Keeps events and states in one SQLite file that a thread of its own has open, so that a slow disk stops nobody. While the file cannot
 * be used, every request fails; events stay with the outbox meanwhile.
 */
export class SqliteStore implements EventStore, StateStore {
    readonly path: string;
    /** Resolves when the file has been opened for the first time, and its states are there. */
    readonly loaded: Promise<void>;
    oldestCreatedAt: number | undefined = undefined;
    readonly #clock: Clock;
    readonly #access: SqliteAccess;
    readonly #states = new StateJournal();
    #events: EventStoreListener | undefined;
    /** What `attach` has to tell when it comes after opening has ended. */
    #contents: OpenedContents | undefined;
    #isClosing = false;
    #isFlushing = false;
    #isLoaded: () => void = () => {};
    #stateTimer: Timer | undefined;

    constructor({ path, clock, chance, listener, isMadeWhenNeeded, threads }: SqliteStoreOptions) {
        this.path = path;
        this.#clock = clock;
        this.loaded = new Promise((resolve) => {
            this.#isLoaded = resolve;
        });
        this.#access = new SqliteAccess({
            path,
            clock,
            chance,
            health: listener,
            isMadeWhenNeeded,
            threads,
            opened: (contents) => {
                this.#loadStates(contents);
                this.#events?.opened(contents);
            },
            made: (contents) => this.#loadStates(contents),
            closed: () => this.#events?.closed(),
        });
    }

    /** Opens the file, once. Resolves when that has succeeded or failed: then it is tried again, until it can be used. */
    open(): Promise<void> {
        return this.#access.open();
    }

    attach(listener: EventStoreListener): void {
        this.#events = listener;
        if (this.#access.isUsable && this.#contents) listener.opened({ ...this.#contents, isContinued: false });
        if (this.#access.state === "closed") listener.closed();
    }

    commit(
        writes: readonly OutboxEvent[],
        removals: readonly number[],
        finished: (error: GatewayError | undefined, outcome?: UndeliveredOutcome) => void,
        undelivered?: UndeliveredChanges,
    ): void {
        const states = this.#states.take();
        this.#stateTimer?.cancel();
        this.#stateTimer = undefined;
        const rows = undelivered && { ...undelivered, added: rowsFromUndelivered(undelivered.added) };
        const request = {
            kind: "commit",
            events: rowsFromEvents(writes),
            removals,
            states: states.values,
            clockNote: this.#clockNote,
            undelivered: rows,
        } as const;
        this.#access.ask(request, (error, response) => {
            if (!error) this.oldestCreatedAt = response?.oldestCreatedAt;
            states.written(error);
            if (error && this.#states.hasChanges) this.#writeStatesSoon(stateRetryMs);
            finished(error, response?.undelivered);
        });
    }

    readUndelivered(
        after: number,
        max: { readonly events: number; readonly bytes: number },
        finished: (error: GatewayError | undefined, batch: UndeliveredBatch) => void,
    ): void {
        this.#access.ask({ kind: "readUndelivered", after, maxEvents: max.events, maxBytes: max.bytes }, (error, response) => {
            finished(error, { events: undeliveredFromRows(response?.values ?? []), isComplete: response?.isComplete ?? false });
        });
    }

    listUndelivered(selection: KeptSelection, place: KeptPlace, finished: (error: GatewayError | undefined, page: KeptPage) => void): void {
        this.#access.ask({ kind: "listUndelivered", selection, place }, (error, response) => {
            finished(error, response?.kept ?? { events: [], total: 0 });
        });
    }

    readKept(
        selection: KeptSelection,
        after: number,
        max: { readonly events: number; readonly bytes: number },
        finished: (error: GatewayError | undefined, batch: UndeliveredBatch) => void,
    ): void {
        const { events: maxEvents, bytes: maxBytes } = max;
        this.#access.ask({ kind: "readKept", selection, after, maxEvents, maxBytes }, (error, response) => {
            finished(error, { events: undeliveredFromRows(response?.values ?? []), isComplete: response?.isComplete ?? true });
        });
    }

    whenFree(next: () => void): void {
        this.#access.whenFree(next);
    }

    read(range: ReadRange, finished: (error: GatewayError | undefined, batch: ReadBatch) => void): void {
        const { after, upTo, device, maxEvents, maxBytes } = range;
        const priority = priorities.indexOf(range.priority);
        this.#access.ask({ kind: "read", priority, after, upTo, device, maxEvents, maxBytes }, (error, response) => {
            finished(error, { events: eventsFromRows(response?.values ?? []), isComplete: response?.isComplete ?? false });
        });
    }

    readDevices(
        after: DeviceTotal | undefined,
        maxTotals: number,
        finished: (error: GatewayError | undefined, totals: DeviceTotals) => void,
    ): void {
        const cursor = { device: after?.device ?? "", priority: after ? priorities.indexOf(after.priority) : -1 };
        this.#access.ask({ kind: "readDevices", after: cursor, maxRows: maxTotals }, (error, response) => {
            finished(error, { totals: deviceTotalsFromRows(response?.values ?? []), isComplete: response?.isComplete ?? false });
        });
    }

    readLatest(after: number, maxEvents: number, finished: (error: GatewayError | undefined, batch: LatestBatch) => void): void {
        this.#access.ask({ kind: "readLatest", after, maxRows: maxEvents }, (error, response) => {
            finished(error, { events: latestFromRows(response?.values ?? []), isComplete: response?.isComplete ?? false });
        });
    }

    readExpired(
        atMs: number,
        after: ExpiredCursor | undefined,
        maxEvents: number,
        finished: (error: GatewayError | undefined, batch: ExpiredBatch) => void,
    ): void {
        const cursor = after ?? { expiresAt: Number.MIN_SAFE_INTEGER, seq: 0 };
        this.#access.ask({ kind: "readExpired", atMs, after: cursor, maxEvents }, (error, response) => {
            finished(error, { events: eventsFromRows(response?.values ?? []), nextExpiresAt: response?.next });
        });
    }

    shiftTimes(afterSeq: number, byMs: number, finished: (error: GatewayError | undefined) => void): void {
        this.#access.ask({ kind: "shiftTimes", afterSeq, byMs, clockNote: this.#clockNote }, (error, response) => {
            if (!error) this.oldestCreatedAt = response?.oldestCreatedAt;
            finished(error);
        });
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
        if (!this.#isFlushing) {
            this.#isFlushing = true;
            // What is to be flushed in the same turn of the event loop is flushed together.
            queueMicrotask(() => this.#writeFlushes());
        }
        return flushed;
    }

    /** Bytes that the file and its journal take up on the disk. */
    size(): Promise<number> {
        return storeFileSize(this.path);
    }

    /** Writes what is left of the states, and the time, and closes the file, so that another process can open it; gives up at the deadline. */
    async close(deadlineMs: number): Promise<void> {
        this.#isClosing = true;
        this.#access.stopOpening();
        this.#stateTimer?.cancel();
        const { state, isUsable } = this.#access;
        const isSomethingLeft = this.#states.hasChanges || state === "making" || (this.#events && state === "open");
        if (isUsable && isSomethingLeft) await this.#writeLast(deadlineMs);
        await this.#access.close(deadlineMs);
    }

    get #clockNote(): string {
        return this.#events?.clockNote() ?? "";
    }

    /** A file that must be made first is waited for; otherwise requests are carried out in order. */
    #writeLast(deadlineMs: number): Promise<void> | undefined {
        if (this.#access.state === "open") {
            this.commit([], [], () => {});
            return undefined;
        }
        return new Promise((resolve) => {
            const timer = this.#clock.setTimer(deadlineMs / 2, resolve);
            this.commit([], [], () => {
                timer.cancel();
                resolve();
            });
        });
    }

    #loadStates(contents: OpenedContents): void {
        this.#contents = contents;
        this.oldestCreatedAt = contents.oldestCreatedAt;
        this.#states.load(contents.states);
        this.#isLoaded();
        if (contents.setAside !== undefined) this.#states.putAll();
        if (this.#states.hasChanges) this.#writeStatesSoon(stateDelayMs);
    }

    /** One commit at a time: what is to be flushed while the disk is busy is flushed together by the next one. */
    #writeFlushes(): void {
        this.#isFlushing = this.#states.hasFlushes;
        if (this.#isFlushing) this.commit([], [], () => this.#writeFlushes());
    }

    #writeStatesSoon(delayMs: number): void {
        if (!this.#access.isUsable || this.#isClosing) return;
        this.#stateTimer ??= this.#clock.setTimer(delayMs, () => {
            this.#stateTimer = undefined;
            this.commit([], [], () => {});
        });
    }
}

/** How to open an outbox file. */
export interface SqliteStoreOptions {
    readonly path: string;
    readonly clock: Clock;
    /** Names what this store writes; the one of the machine without it. */
    readonly chance?: Chance;
    readonly listener: StoreHealthListener;
    /** Whether a file that is not there is made only when something is to be written. */
    readonly isMadeWhenNeeded?: boolean;
    /** Where files are opened; those of the process without it. */
    readonly threads?: StoreThreads;
}
