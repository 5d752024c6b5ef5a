import type { OutboxEvent } from "../event";
import type { EventStore } from "../store/store";
import { EntryList, type MemoryUse } from "./entry-list";
import type { OutboxEntry } from "./outbox-entry";

/**
 * Whether the store's events can be reached: not known yet; yes; not for a moment, so that whatever comes behind them waits; or not now, so
 * that the rest goes on without them.
 */
export type StoreAccess = "opening" | "open" | "interrupted" | "closed";

/** What all queues of an outbox share. */
export interface SpillContext {
    readonly store: EventStore;
    access: StoreAccess;
    /** Events have passed others that were left behind in a file that could not be read: order says nothing about numbers any more. */
    isOutOfOrder: boolean;
    /** What the unsaved tails of all queues hold together. */
    readonly unsaved: MemoryUse;
    /** Asks for an event to be stored with the next group. */
    save(entry: OutboxEntry): void;
    /** Whether the store may still return an event that is done with. */
    isForgotten(seq: number): boolean;
    /** The event is on disk only from now on. */
    spilled(entry: OutboxEntry): void;
}

/** How much of one queue is kept in memory, and how it is read back. */
export interface SpillQueueOptions {
    /** Only events of this device are in the queue. */
    readonly device?: string;
    /** Numbers up to this one have passed the queue already, or never come to it. */
    readonly passedSeq: number;
    readonly maxEvents: number;
    readonly batchEvents: number;
    readonly batchBytes: number;
    /** Counts the head of this queue together with others. */
    readonly use?: MemoryUse;
    hasRoom(head: EntryList): boolean;
    /** Makes an entry of an event that was on disk only. */
    loaded(event: OutboxEvent): OutboxEntry;
    /** Events have arrived from the store, or reading them failed. */
    readEnded(error: boolean): void;
}

interface DiskRange {
    /** Events up to and including this number have been read. */
    after: number;
    upTo: number;
}

/**
 * A first-in-first-out queue of any length in bounded memory: a head in memory, a middle that is on disk only, and a tail in memory of
 * events that wait to be stored. Events enter the head while everything fits; otherwise they go through the tail to disk and come back in
 * batches. Sequence numbers grow along the queue, so that the middle is known by ranges of numbers alone.
 */
export class SpillQueue {
    readonly head: EntryList;
    readonly #tail: EntryList;
    readonly #ranges: DiskRange[] = [];
    readonly #context: SpillContext;
    readonly #options: SpillQueueOptions;
    #passedSeq: number;
    /** Counts the reads whose answers are still wanted; an answer to an older one is ignored. */
    #readNumber = 0;
    #isReading = false;

    constructor(context: SpillContext, options: SpillQueueOptions) {
        this.#context = context;
        this.#options = options;
        this.head = new EntryList(options.use);
        this.#tail = new EntryList(context.unsaved);
        this.#passedSeq = options.passedSeq;
    }

    get isEmpty(): boolean {
        return this.head.length === 0 && this.#tail.length === 0 && this.#ranges.length === 0;
    }

    /** The largest number that has entered the head; what is on disk only has larger ones, as long as the store stays open. */
    get passedSeq(): number {
        return this.#passedSeq;
    }

    /** The number of the first event, as far as it can be reached now; on disk there may be only a larger one. */
    get oldestSeq(): number | undefined {
        if (this.head.first) return this.head.first.seq;
        const range = this.#hasRange() ? this.#ranges[0] : undefined;
        return range ? range.after + 1 : this.#tail.first?.seq;
    }

    /** Whether events of the queue are on their way from disk into memory. */
    get isReading(): boolean {
        return this.#isReading;
    }

    /** Adds an event behind all others. Its number must be larger than theirs. */
    push(entry: OutboxEntry): void {
        const isBehind = this.#tail.length > 0 || this.#hasRange() || this.#context.access === "opening";
        if (!isBehind && this.#options.hasRoom(this.head)) {
            this.#toHead(entry);
            return;
        }
        entry.tailOf = this;
        this.#tail.push(entry);
        if (entry.saved === "yes") this.stored();
        else this.#context.save(entry);
    }

    /** Puts an event that was taken out back before all others. */
    unshift(entry: OutboxEntry): void {
        this.head.unshift(entry);
    }

    /** The first event, without taking it; undefined when there is none in memory, even if some are on disk (they are being read then). */
    peek(): OutboxEntry | undefined {
        if (this.head.length === 0) this.#refillHead();
        return this.head.first;
    }

    /** Takes the first event; like `peek`. */
    shift(): OutboxEntry | undefined {
        if (this.head.length < this.#lowWater) this.#refillHead();
        return this.head.shift();
    }

    /** Moves events from the tail to the head while it has room, if nothing on disk comes between. */
    fill(): void {
        if (this.#isReading || this.#hasRange() || this.#context.access === "opening") return;
        for (
            let entry = this.#tail.first;
            entry && (this.head.length === 0 || this.#options.hasRoom(this.head));
            entry = this.#tail.first
        ) {
            this.#tail.remove(entry);
            this.#toHead(entry);
        }
    }

    /** Whatever is on its way from disk is asked for once more, with the next look at the queue. */
    readAgain(): void {
        this.#readNumber += 1;
        this.#isReading = false;
    }

    /** An event of the tail is in the store now: what is stored up to the first that is not leaves memory. */
    stored(): void {
        for (let entry = this.#tail.first; entry?.saved === "yes"; entry = this.#tail.first) {
            this.#tail.remove(entry);
            entry.tailOf = undefined;
            this.#addToRanges(entry.seq);
            this.#context.spilled(entry);
        }
    }

    /** Whether an event is on disk only, in this queue, and not being read. */
    isOnlyStored(seq: number): boolean {
        return !this.#isReading && this.#ranges.some((range) => seq > range.after && seq <= range.upTo);
    }

    /** Every event of the queue that is in memory. */
    *inMemory(): Generator<OutboxEntry> {
        yield* this.head;
        yield* this.#tail;
    }

    /** The numbers in memory have grown by `shift`, and what was on disk is not ours any more; the store holds others up to `lastSeq`. */
    renumber(shift: number, lastSeq: number): void {
        this.readAgain();
        this.#ranges.length = 0;
        this.#passedSeq += shift;
        if (lastSeq > 0) this.#ranges.push({ after: 0, upTo: lastSeq });
    }

    get #lowWater(): number {
        return Math.min(this.#options.batchEvents * 2, Math.ceil(this.#options.maxEvents / 2));
    }

    /** Whether events on disk come before the tail. While the file cannot be read for long they are left behind: the rest must go on. */
    #hasRange(): boolean {
        return this.#ranges.length > 0 && this.#context.access !== "closed";
    }

    /** The last range grows, unless events with numbers in between have passed: those are in memory, or in another queue. */
    #addToRanges(seq: number): void {
        const last = this.#ranges.at(-1);
        if (last && this.#isNext(last.upTo, seq)) last.upTo = seq;
        else this.#ranges.push({ after: seq - 1, upTo: seq });
    }

    #isNext(previous: number, seq: number): boolean {
        if (this.#options.device !== undefined && this.#context.isOutOfOrder) return seq === previous + 1;
        return seq > previous && (this.#passedSeq <= previous || this.#passedSeq >= seq);
    }

    #toHead(entry: OutboxEntry): void {
        if (this.#ranges.length > 0 && this.#context.access === "closed") this.#context.isOutOfOrder = true;
        entry.tailOf = undefined;
        if (entry.seq > this.#passedSeq) this.#passedSeq = entry.seq;
        this.head.push(entry);
    }

    /** A store that answers at once may have nothing left in one range, and more in the next. */
    #refillHead(): void {
        while (this.#refill() && this.head.length === 0);
    }

    /** Returns whether the store has answered at once. */
    #refill(): boolean {
        const { access } = this.#context;
        if (this.#isReading || access === "opening") return false;
        if (this.#hasRange()) return access === "open" && this.#read();
        this.fill();
        return false;
    }

    #read(): boolean {
        const range = this.#ranges[0];
        if (!range) return false;
        let isAnswered = false;
        const readNumber = ++this.#readNumber;
        const upTo = range.upTo;
        this.#isReading = true;
        const { device, batchEvents: maxEvents, batchBytes: maxBytes } = this.#options;
        this.#context.store.read({ after: range.after, upTo, device, maxEvents, maxBytes }, (error, batch) => {
            if (readNumber !== this.#readNumber) return;
            this.#isReading = false;
            isAnswered = error === undefined;
            if (!error) {
                for (const event of batch.events) {
                    if (!this.#context.isForgotten(event.seq)) this.#toHead(this.#options.loaded(event));
                }
                range.after = batch.isComplete ? upTo : (batch.events.at(-1)?.seq ?? upTo);
                if (range.after >= range.upTo) this.#ranges.shift();
            }
            this.#options.readEnded(error !== undefined);
        });
        return isAnswered;
    }
}
