import type { Clock } from "../../clock";
import { type Priority, priorities } from "../event";
import type { MemoryLimits } from "../outbox-limits";
import type { OutboxEntry } from "../queue/outbox-entry";

/**
 * The events that are in memory only, in the order of admission, each with the time from which it is to be stored. An event leaves when a
 * commit has stored it, and when it is finished. So memory holds no more than what is queued, however long the store cannot be used.
 *
 * When is an event written to disk? Only here:
 *
 * | the event                                                      | is to be stored                                            |
 * |----------------------------------------------------------------|------------------------------------------------------------|
 * | was admitted while there is a connection                       | after the commit delay: 4 × the usual time of an           |
 * |                                                                | acknowledgement, within 25…250 ms (`AcknowledgementTime`)  |
 * | cannot be sent now: its device waits, or others come before it | at once                                                    |
 * | goes back to its queue                                         | at once                                                    |
 * | supersedes one that is stored, or about to be                  | at once, in its place                                      |
 * | is *latest*, and a newer one is sent before its time           | never: the newer one, when it would have been              |
 * | is queued while there is no connection, or when it ends        | at once                                                    |
 * | is in memory when the outbox closes                            | at once                                                    |
 * | is finished or acknowledged before its time                    | never: a healthy link writes no event to disk              |
 * | is queued in an outbox that stores nothing                     | never                                                      |
 *
 * "At once" means with the next group: `GroupWriter` writes one at a time, at least 25 ms apart.
 */
export class UnsavedEvents {
    readonly #options: UnsavedEventsOptions;
    #first: OutboxEntry | undefined = undefined;
    #last: OutboxEntry | undefined = undefined;
    #length = 0;
    /** Whether the first of them is the oldest: no event has come back to the list since it was empty. */
    #isInOrder = true;
    #isOnline = false;
    /** Where the search for the oldest waiting event of each priority goes on. */
    readonly #searches: Readonly<Record<Priority, Search>> = { high: new Search(), normal: new Search(), low: new Search() };

    constructor(options: UnsavedEventsOptions) {
        this.#options = options;
    }

    get length(): number {
        return this.#length;
    }

    /** When the oldest of these events entered the outbox. */
    get oldestCreatedAt(): number | undefined {
        let oldest = this.#first?.createdAt;
        if (this.#isInOrder || oldest === undefined) return oldest;
        for (const { createdAt } of this) oldest = Math.min(oldest, createdAt);
        return oldest;
    }

    get isOnline(): boolean {
        return this.#isOnline;
    }

    /** The first event of a priority that waits. Finding it, or that there is none, costs nothing that grows with their number. */
    firstWaiting(priority: Priority): OutboxEntry | undefined {
        const search = this.#searches[priority];
        let entry = search.isAtEnd ? undefined : (search.next ?? this.#first);
        while (entry && (entry.state !== "waiting" || entry.priority !== priority)) entry = entry.nextUnsaved;
        search.goOnAt(entry);
        return entry;
    }

    linkUp(): void {
        this.#isOnline = true;
    }

    linkDown(): void {
        this.#isOnline = false;
        this.storeAllNow();
    }

    /** A new event, at this time of the monotonic clock. */
    admitted(entry: OutboxEntry, nowMs: number): void {
        const { commitDelayMs } = this.#options;
        entry.latest?.admitted(nowMs);
        // One that is sent again keeps its old age.
        if (this.#last && entry.createdAt < this.#last.createdAt) this.#isInOrder = false;
        this.#add(entry, nowMs + (this.#isOnline ? commitDelayMs() : 0));
    }

    /** The event cannot be sent now, or goes back to its queue. */
    storeNow(entry: OutboxEntry): void {
        if (entry.row === "stored") return;
        if (!entry.isUnsaved) {
            this.#isInOrder = this.#length === 0;
            this.#add(entry, 0);
        } else if (entry.storeFromMs > 0) {
            entry.storeFromMs = 0;
            this.#want(0);
        }
    }

    /** An event supersedes another, and is stored as soon as that would have been. */
    replace(entry: OutboxEntry, by: OutboxEntry): void {
        if (!entry.isUnsaved || by.row === "stored") return;
        const storeFromMs = by.isUnsaved ? Math.min(entry.storeFromMs, by.storeFromMs) : entry.storeFromMs;
        this.remove(by);
        const { previousUnsaved, nextUnsaved } = entry;
        this.remove(entry);
        by.isUnsaved = true;
        by.storeFromMs = storeFromMs;
        by.previousUnsaved = previousUnsaved;
        by.nextUnsaved = nextUnsaved;
        if (previousUnsaved) previousUnsaved.nextUnsaved = by;
        else this.#first = by;
        if (nextUnsaved) nextUnsaved.previousUnsaved = by;
        else this.#last = by;
        this.#length += 1;
        this.#isInOrder = this.#length === 1;
        this.tookPlace(by);
        this.#want(storeFromMs);
    }

    /** An event that was sent waits again. */
    returned(entry: OutboxEntry): void {
        this.tookPlace(entry);
        this.storeNow(entry);
    }

    /** An event waits at another place, or with another priority: it may precede what is known to be the first. */
    tookPlace({ priority }: OutboxEntry): void {
        this.#searches[priority].restart();
    }

    /** Nothing waits for its time any more. */
    storeAllNow(): void {
        for (let entry = this.#first; entry; entry = entry.nextUnsaved) entry.storeFromMs = 0;
        if (this.#first) this.#want(0);
    }

    /** The event is stored, finished or acknowledged. */
    remove(entry: OutboxEntry): void {
        if (!entry.isUnsaved) return;
        if (entry.previousUnsaved) entry.previousUnsaved.nextUnsaved = entry.nextUnsaved;
        else this.#first = entry.nextUnsaved;
        if (entry.nextUnsaved) entry.nextUnsaved.previousUnsaved = entry.previousUnsaved;
        else this.#last = entry.previousUnsaved;
        for (const priority of priorities) if (this.#searches[priority].next === entry) this.#searches[priority].goOnAt(entry.nextUnsaved);
        entry.previousUnsaved = undefined;
        entry.nextUnsaved = undefined;
        entry.isUnsaved = false;
        this.#length -= 1;
        if (this.#length === 0) this.#isInOrder = true;
    }

    /** The next group: the first events whose time has come. They stay here until they are stored. */
    due(nowMs: number): OutboxEntry[] {
        const { batchEvents, batchBytes } = this.#options.memory;
        const group: OutboxEntry[] = [];
        if (!this.#options.storesEvents) return group;
        let bytes = 0;
        for (let entry = this.#first; entry && group.length < batchEvents; entry = entry.nextUnsaved) {
            if (entry.storeFromMs > nowMs) continue;
            if (group.length > 0 && bytes + entry.bytes > batchBytes) break;
            bytes += entry.bytes;
            group.push(entry);
        }
        return group;
    }

    /** When the next event is to be stored, by the monotonic clock. */
    nextDueMs(): number {
        let nextMs = Number.POSITIVE_INFINITY;
        if (!this.#options.storesEvents) return nextMs;
        for (let entry = this.#first; entry && nextMs > 0; entry = entry.nextUnsaved) nextMs = Math.min(nextMs, entry.storeFromMs);
        return nextMs;
    }

    *[Symbol.iterator](): Generator<OutboxEntry> {
        for (let entry = this.#first; entry; ) {
            const next: OutboxEntry | undefined = entry.nextUnsaved;
            yield entry;
            entry = next;
        }
    }

    #add(entry: OutboxEntry, storeFromMs: number): void {
        entry.isUnsaved = true;
        entry.storeFromMs = storeFromMs;
        entry.previousUnsaved = this.#last;
        if (this.#last) this.#last.nextUnsaved = entry;
        else this.#first = entry;
        this.#last = entry;
        const search = this.#searches[entry.priority];
        if (search.isAtEnd) search.goOnAt(entry);
        this.#length += 1;
        this.#want(storeFromMs);
    }

    #want(dueMs: number): void {
        if (this.#options.storesEvents) this.#options.wanted(dueMs);
    }
}

/** No event before the next one is what is searched for. */
class Search {
    /** Undefined: the first of all, unless the search is at the end. */
    next: OutboxEntry | undefined = undefined;
    isAtEnd = false;

    goOnAt(entry: OutboxEntry | undefined): void {
        this.next = entry;
        this.isAtEnd = entry === undefined;
    }

    restart(): void {
        this.next = undefined;
        this.isAtEnd = false;
    }
}

export interface UnsavedEventsOptions {
    readonly clock: Clock;
    readonly memory: MemoryLimits;
    /** Whether events are stored at all. */
    readonly storesEvents: boolean;
    /** How long an event that is sent may stay unacknowledged before it is stored. */
    commitDelayMs(): number;
    /** An event is to be stored from this time of the monotonic clock on. */
    wanted(dueMs: number): void;
}
