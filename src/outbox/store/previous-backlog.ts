import type { GatewayError } from "../../errors";
import type { OutboxEvent } from "../event";
import { MemoryStore } from "./memory-store";
import type { EventStore, EventStoreListener, ExpiredBatch, ReadBatch, ReadRange, StoreContents } from "./store";

const maxFailedReads = 30;

/**
 * A memory store in front of events that an outbox on disk left in its file: what was reported safe is still sent after the user has
 * switched to memory. Numbers up to the file's last belong to the file, larger ones to memory. A file that cannot be opened, or not be read
 * any more, keeps its events until it can be, at a later start: what is in memory does not wait for it.
 */
export class PreviousBacklog implements EventStore {
    readonly isDurable = false;
    readonly #file: EventStore;
    readonly #memory = new MemoryStore();
    #lastInFile = 0;
    #keptEvents = 0;
    /** Failures in a row, about a second apart. */
    #failedReads = 0;
    #isStarted = false;
    #removals: number[] = [];
    #isRemoving = false;

    constructor(file: EventStore) {
        this.#file = file;
    }

    /** What is left in the file is sent at a later start. */
    get keptEvents(): number {
        return this.#keptEvents;
    }

    attach(listener: EventStoreListener): void {
        this.#file.attach({
            opened: (contents) => this.#opened(contents, listener),
            closed: () => this.#opened({ lastSeq: 0, events: 0, bytes: 0, isContinued: false }, listener),
        });
    }

    commit(writes: readonly OutboxEvent[], removals: readonly number[], finished: (error: GatewayError | undefined) => void): void {
        const ofFile = removals.filter((seq) => seq <= this.#lastInFile);
        this.#removals.push(...ofFile);
        this.#keptEvents -= ofFile.length;
        this.#removeFromFile();
        this.#memory.commit(writes, removals, finished);
    }

    read(range: ReadRange, finished: (error: GatewayError | undefined, batch: ReadBatch) => void): void {
        if (range.after >= this.#lastInFile || this.#isGivenUp) {
            this.#memory.read(range, finished);
            return;
        }
        const upTo = Math.min(range.upTo, this.#lastInFile);
        this.#file.read({ ...range, upTo }, (error, batch) => {
            this.#failedReads = error ? this.#failedReads + 1 : 0;
            if (this.#isGivenUp) this.#memory.read(range, finished);
            else if (error || !batch.isComplete || upTo === range.upTo) finished(error, batch);
            else
                this.#memory.read({ ...range, after: upTo }, (_, rest) =>
                    finished(undefined, { ...rest, events: [...batch.events, ...rest.events] }),
                );
        });
    }

    readExpired(atMs: number, maxEvents: number, finished: (error: GatewayError | undefined, batch: ExpiredBatch) => void): void {
        this.#memory.readExpired(atMs, maxEvents, (_, inMemory) => {
            if (this.#lastInFile === 0 || this.#isGivenUp) finished(undefined, inMemory);
            else this.#file.readExpired(atMs, maxEvents, (error, inFile) => finished(error, inFile.events.length > 0 ? inFile : inMemory));
        });
    }

    shiftTimes(afterSeq: number, byMs: number, finished: (error: GatewayError | undefined) => void): void {
        this.#memory.shiftTimes(afterSeq, byMs, finished);
    }

    /** Whether the file has failed for so long that the rest must go on without it. */
    get #isGivenUp(): boolean {
        return this.#failedReads >= maxFailedReads;
    }

    #opened(contents: StoreContents, listener: EventStoreListener): void {
        if (this.#isStarted) {
            this.#removeFromFile();
            return;
        }
        this.#isStarted = true;
        this.#lastInFile = contents.events > 0 ? contents.lastSeq : 0;
        this.#keptEvents = contents.events;
        listener.opened({ ...contents, lastSeq: this.#lastInFile });
    }

    /** Removes in one transaction whatever has come together during the one before. */
    #removeFromFile(): void {
        if (this.#isRemoving || this.#removals.length === 0) return;
        const removals = this.#removals;
        this.#removals = [];
        this.#isRemoving = true;
        this.#file.commit([], removals, (error) => {
            this.#isRemoving = false;
            // Tried again with the next removal: an event that stays is only sent twice.
            if (error) this.#removals = [...removals, ...this.#removals];
            else this.#removeFromFile();
        });
    }
}
