import { type OutboxEvent, type Priority, priorities } from "./event";
import type { EventLifecycle } from "./event-lifecycle";
import type { OutboxEntry } from "./queue/outbox-entry";
import type { WaitingEvents } from "./queue/waiting-events";
import type { StoredEvents } from "./storing/stored-events";
import type { UnsavedEvents } from "./storing/unsaved-events";

const leastUrgentFirst = [...priorities].reverse();
/** Stored events looked at in one go. */
const batchEvents = 64;
const batchBytes = 262_144;

/**
 * Drops the oldest waiting event, wherever it is: in memory, next in the class queue, or in the line of a device, where it may be stored only.
 * It makes no difference how many there are, nor of how many devices.
 */
export class Eviction {
    readonly #options: EvictionOptions;
    readonly #stored: Readonly<Record<Priority, OldestStored>>;

    constructor(options: EvictionOptions) {
        this.#options = options;
        const { stored, read } = options;
        this.#stored = {
            high: new OldestStored("high", stored, read),
            normal: new OldestStored("normal", stored, read),
            low: new OldestStored("low", stored, read),
        };
    }

    /** Drops the oldest event of the lowest priority that is not above this one; `reading`: it is about to be read. */
    dropOldest(upTo: Priority): "dropped" | "reading" | "none" {
        for (const priority of leastUrgentFirst) {
            const dropped = this.#dropOldestOf(priority);
            if (dropped !== "none" || priority === upTo) return dropped;
        }
        return "none";
    }

    /** Drops the oldest event in memory only of the lowest priority that is not above this one; false when there is none that waits. */
    dropUnsaved(upTo: Priority): boolean {
        for (const priority of leastUrgentFirst) {
            const entry = this.#options.unsaved.firstWaiting(priority);
            if (entry) this.#drop(entry);
            if (entry || priority === upTo) return entry !== undefined;
        }
        return false;
    }

    /** The store holds other events than before. */
    restart(): void {
        for (const priority of priorities) this.#stored[priority].restart();
    }

    #dropOldestOf(priority: Priority): "dropped" | "reading" | "none" {
        const own = this.#options.waiting.class(priority);
        const ofLines = own.lines.stored > 0 ? this.#stored[priority].peek() : undefined;
        if (ofLines === "reading") return "reading";
        if (!ofLines && own.hasUnread && !own.isOldestInMemory && own.readOn()) return "reading";
        const inMemory = older(own.oldestInMemory, this.#options.unsaved.firstWaiting(priority));
        const entry = ofLines && older<OutboxEvent>(inMemory, ofLines) === ofLines ? this.#loaded(ofLines) : inMemory;
        if (!entry) return "none";
        this.#drop(entry);
        return "dropped";
    }

    #loaded(event: OutboxEvent): OutboxEntry | undefined {
        return this.#options.stored.resident(event.seq) ?? this.#options.waiting.load(event);
    }

    #drop(entry: OutboxEntry): void {
        this.#options.lifecycle.drop(entry);
    }
}

function older<T extends OutboxEvent>(a: T | undefined, b: T | undefined): T | undefined {
    return a && b ? (a.seq <= b.seq ? a : b) : (a ?? b);
}

/** The oldest stored events of one priority that wait, read a batch at a time. */
class OldestStored {
    readonly #priority: Priority;
    readonly #stored: StoredEvents;
    readonly #read: () => void;
    readonly #batch = new Map<number, OutboxEvent>();
    /** Events up to this number have been read. */
    #after = 0;
    #isReading = false;
    /** Whether no event has been found from the first to the last. */
    #isEmpty = false;
    #generation = 0;

    constructor(priority: Priority, stored: StoredEvents, read: () => void) {
        this.#priority = priority;
        this.#stored = stored;
        this.#read = read;
        stored.watch(this.#batch);
    }

    /** The oldest; undefined when there is none, or the store cannot be read. */
    peek(): OutboxEvent | "reading" | undefined {
        for (const event of this.#batch.values()) {
            if (this.#isWaiting(event)) return event;
            this.#batch.delete(event.seq);
        }
        if (this.#isEmpty || this.#stored.access !== "open") {
            this.#isEmpty = false;
            return undefined;
        }
        if (!this.#isReading) this.#readNext();
        return "reading";
    }

    restart(): void {
        this.#generation += 1;
        this.#batch.clear();
        this.#after = 0;
        this.#isReading = false;
        this.#isEmpty = false;
    }

    #isWaiting({ seq }: OutboxEvent): boolean {
        return this.#stored.isOnlyStored(seq) || this.#stored.resident(seq)?.state === "waiting";
    }

    #readNext(): void {
        const generation = this.#generation;
        const after = this.#after;
        const upTo = Number.MAX_SAFE_INTEGER;
        this.#isReading = true;
        const range = { priority: this.#priority, after, upTo, maxEvents: batchEvents, maxBytes: batchBytes };
        this.#stored.read(range, (error, { events, isComplete }) => {
            if (generation !== this.#generation) return;
            this.#isReading = false;
            if (error) return;
            // What is in memory may be newer than the row.
            for (const event of events) if (this.#isWaiting(event)) this.#batch.set(event.seq, this.#stored.resident(event.seq) ?? event);
            this.#isEmpty = after === 0 && events.length === 0;
            this.#after = isComplete ? 0 : (events.at(-1)?.seq ?? 0);
            this.#read();
        });
    }
}

/** What an eviction looks through. */
export interface EvictionOptions {
    readonly waiting: WaitingEvents;
    readonly stored: StoredEvents;
    readonly unsaved: UnsavedEvents;
    readonly lifecycle: EventLifecycle;
    /** Stored events have been read: what had to wait for it can be dropped. */
    read(): void;
}
