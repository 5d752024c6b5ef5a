import type { Priority } from "../event";
import type { LineTotals } from "./device-queue";
import { type ClassQueueOptions, DeviceRotation } from "./device-rotation";
import { EntryList } from "./entry-list";
import type { OutboxEntry } from "./outbox-entry";

/**
 * The events of one priority that wait, in the order in which the class queue will come to them:
 *
 * * `live`: admitted while there was a connection and nothing else of their device waited. They take turns with the rest.
 * * `ready`: next in order, in memory. What was given back comes first, then what has been read from the store.
 * * rows of the store with numbers up to `#storedUpTo`: those up to `#readUpTo` have been read.
 * * `behind`: in memory only, behind all of these. As soon as they are stored they leave memory.
 *
 * Devices that could not be sent for when their turn came have a line of their own (`DeviceBacklog`) and get turns in `devices`.
 */
export class ClassQueue {
    readonly priority: Priority;
    readonly live = new EntryList();
    readonly ready = new EntryList();
    readonly behind: EntryList;
    readonly devices: DeviceRotation;
    readonly lines: LineTotals;
    readonly #options: ClassQueueOptions;
    #readUpTo = 0;
    #storedUpTo = 0;
    /** Events of lines are stored up to this number. */
    #linesUpTo = 0;
    /** Counts the reads whose answers are still wanted; an answer to an older one is ignored. */
    #readNumber = 0;
    #isReading = false;

    constructor(priority: Priority, options: ClassQueueOptions) {
        this.priority = priority;
        this.#options = options;
        this.behind = new EntryList(options.use);
        this.lines = { events: 0, stored: 0, use: options.use };
        this.devices = new DeviceRotation(priority, options);
    }

    /** Whether nothing waits here that could be sent. */
    get isIdle(): boolean {
        return this.live.length === 0 && this.ready.length === 0 && this.behind.length === 0 && !this.hasUnread && this.devices.isIdle;
    }

    /** Whether some events are not in memory. */
    get isSomeOnlyStored(): boolean {
        return this.#readUpTo < this.#storedUpTo || this.lines.stored > 0;
    }

    /** Whether stored events come before those that are behind. While the store cannot be reached for long they are left out. */
    get hasUnread(): boolean {
        return this.#readUpTo < this.#storedUpTo && this.#options.stored.access !== "closed";
    }

    /** Whether more may be in memory, ready to be sent. */
    get hasRoom(): boolean {
        const { readyEvents, readyBytes } = this.#options.memory;
        const { length, bytes } = this.ready;
        return length === 0 || (length + this.live.length < readyEvents && bytes + this.live.bytes < readyBytes);
    }

    /** The oldest event in memory, apart from lines. */
    get oldestInMemory(): OutboxEntry | undefined {
        const { first } = this.ready;
        const live = this.live.first;
        if (first && live) return first.seq < live.seq ? first : live;
        return first ?? live ?? this.behind.first;
    }

    /** Whether no stored event is older than that. */
    get isOldestInMemory(): boolean {
        const oldest = this.oldestInMemory;
        return oldest !== undefined && oldest.seq <= this.#readUpTo;
    }

    /** Reads on, if little is in memory; whether events are being read. */
    readOn(): boolean {
        if (this.ready.length < this.#lowWater) this.#refill();
        return this.#isReading;
    }

    /** Adds a new event behind all others. Its number must be larger than theirs. */
    push(entry: OutboxEntry): void {
        const isNext = this.behind.length === 0 && !this.hasUnread && this.#options.stored.access !== "opening";
        if (isNext && (this.hasRoom || !this.#options.storesEvents)) this.ready.push(entry);
        else this.behind.push(entry);
    }

    /** An event that is behind is stored: it leaves memory, unless what follows it has been read already. */
    stored(entry: OutboxEntry): void {
        this.behind.remove(entry);
        if (entry.seq <= this.#readUpTo) {
            this.ready.push(entry);
            return;
        }
        this.storedUpTo(entry.seq);
        this.#options.stored.unload(entry);
    }

    /** The largest number of an event that is stored. */
    get lastStored(): number {
        return this.#storedUpTo;
    }

    /** There are events in the store up to this number. */
    storedUpTo(seq: number): void {
        this.#storedUpTo = Math.max(this.#storedUpTo, seq);
    }

    /** An event of a line that has this number is only stored. */
    lineStoredUpTo(seq: number): void {
        this.#linesUpTo = Math.max(this.#linesUpTo, seq);
    }

    /** These come next, in order. */
    giveBack(entries: readonly OutboxEntry[]): void {
        for (const entry of [...entries].sort((a, b) => b.seq - a.seq)) this.ready.unshift(entry);
    }

    /** Whatever is being read is to be read once more, with the next look. */
    readAgain(): void {
        this.#readNumber += 1;
        this.#isReading = false;
        this.devices.readAgain();
    }

    /** Everything stored is to be read from the beginning, what was in lines included. With `isEmpty`, nothing is known of what is stored. */
    restart(isEmpty: boolean): void {
        this.readAgain();
        this.#readUpTo = 0;
        this.#storedUpTo = isEmpty ? 0 : Math.max(this.#storedUpTo, this.#linesUpTo);
        this.#linesUpTo = 0;
    }

    /** Every event in memory that has no line of its own. */
    *inMemory(): Generator<OutboxEntry> {
        yield* this.live;
        yield* this.ready;
        yield* this.behind;
    }

    get #lowWater(): number {
        const { batchEvents, readyEvents } = this.#options.memory;
        return Math.min(batchEvents * 2, Math.ceil(readyEvents / 2));
    }

    #refill(): void {
        const { access } = this.#options.stored;
        if (access === "opening") return;
        if (this.hasUnread) {
            if (access === "open" && !this.#isReading) this.#read();
            return;
        }
        for (let entry = this.behind.first; entry && this.hasRoom; entry = this.behind.first) {
            this.behind.remove(entry);
            this.ready.push(entry);
        }
    }

    #read(): void {
        const readNumber = ++this.#readNumber;
        const upTo = this.#storedUpTo;
        this.#isReading = true;
        const { memory, stored } = this.#options;
        const { batchEvents: maxEvents, batchBytes: maxBytes } = memory;
        const range = { priority: this.priority, after: this.#readUpTo, upTo, maxEvents, maxBytes };
        stored.read(range, (error, { events, isComplete }) => {
            if (readNumber !== this.#readNumber) return;
            this.#isReading = false;
            if (!error) {
                this.#readUpTo = isComplete ? upTo : (events.at(-1)?.seq ?? upTo);
                for (const event of events) {
                    if (stored.isOnlyStored(event.seq) && !this.#options.isOfLine(event)) this.ready.push(stored.load(event));
                }
            }
            this.#options.readEnded(error !== undefined);
        });
    }
}
