import type { OutboxEvent } from "../event";
import type { MemoryLimits } from "../outbox-limits";
import type { MemoryUse } from "./entry-list";
import type { OutboxEntry } from "./outbox-entry";
import { type SpillContext, SpillQueue } from "./spill-queue";

/** A sum of bytes that several device queues add to. */
export interface HeldBytes {
    bytes: number;
}

/** What a device queue needs from its surroundings. */
export interface DeviceQueueOptions {
    readonly device: string;
    readonly context: SpillContext;
    readonly memory: MemoryLimits;
    /** What the device queues hold in memory together. */
    readonly use: MemoryUse;
    /** What held devices hold together. */
    readonly held: HeldBytes;
    /** The number of the event for which it is made, and the largest number given so far. */
    readonly firstSeq: number;
    readonly lastSeq: number;
    /** Makes an entry of an event that was on disk only. */
    loaded(event: OutboxEvent): OutboxEntry;
    readEnded(deviceQueue: DeviceQueue, error: boolean): void;
}

/**
 * `parked`: waits to be woken. `awake`: its turn to ask the gate will come. `registering`: its first event is on the wire.
 * `confirming`: that event was acknowledged and the outcome is awaited.
 */
export type DeviceQueueState = "parked" | "awake" | "registering" | "confirming";

/**
 * The queue of one device that may not simply flow. The main queue stays the only way in: it moves each of the device's events here when
 * it comes to them, so that events of the device queue always precede those of the device still in the main queue.
 */
export class DeviceQueue {
    readonly device: string;
    readonly events: SpillQueue;
    state: DeviceQueueState = "parked";
    /** The registration attempt under way. */
    registering: OutboxEntry | undefined = undefined;
    /** The largest number given when it was made: larger ones were counted as its own at admission. */
    #createdSeq: number;
    readonly #held: HeldBytes;
    #isHeld = false;
    #bytes = 0;

    constructor(options: DeviceQueueOptions) {
        const { memory, use } = options;
        this.device = options.device;
        this.#createdSeq = options.lastSeq;
        this.#held = options.held;
        this.events = new SpillQueue(options.context, {
            device: options.device,
            passedSeq: options.firstSeq - 1,
            maxEvents: memory.eventsPerDeviceQueue,
            batchEvents: Math.ceil(memory.batchEvents / 4),
            batchBytes: Math.ceil(memory.batchBytes / 4),
            use,
            hasRoom: (head) =>
                head.length < memory.eventsPerDeviceQueue && use.events < memory.deviceQueueEvents && use.bytes < memory.deviceQueueBytes,
            loaded: (event) => {
                const entry = options.loaded(event);
                entry.deviceQueue = this;
                return entry;
            },
            readEnded: (error) => options.readEnded(this, error),
        });
    }

    /** Bytes of the device's events: those in it, and those in the main queue that were admitted since it exists. */
    get bytes(): number {
        return this.#bytes;
    }

    get isHeld(): boolean {
        return this.#isHeld;
    }

    /** Whether the device's bytes count towards what held devices may use together. */
    set isHeld(isHeld: boolean) {
        if (isHeld === this.#isHeld) return;
        this.#isHeld = isHeld;
        this.#held.bytes += isHeld ? this.#bytes : -this.#bytes;
    }

    /** A new event of the device was admitted to the main queue. */
    admitted(entry: OutboxEntry): void {
        entry.deviceQueue = this;
        this.#add(entry.bytes);
    }

    /** Whether an event that is still in the main queue was counted when it was admitted. */
    counts(seq: number): boolean {
        return seq > this.#createdSeq;
    }

    /** Counts an event of the main queue as the device queue's, without queueing it. */
    attach(entry: OutboxEntry): void {
        if (entry.deviceQueue === this) return;
        if (!this.counts(entry.seq)) this.#add(entry.bytes);
        entry.deviceQueue = this;
    }

    /** Takes an event over from the main queue. */
    take(entry: OutboxEntry): void {
        this.attach(entry);
        this.events.push(entry);
    }

    /** An event that was counted is finished. */
    finished(entry: OutboxEntry): void {
        this.#add(-entry.bytes);
    }

    /** The numbers in memory have grown, and what was on disk is not in this queue any more: what is in memory is counted again. */
    renumber(shift: number): void {
        this.#createdSeq += shift;
        this.events.renumber(shift, 0);
        this.#add(-this.#bytes);
    }

    /** Counts an event that was counted before `rebase`. */
    reaccount(entry: OutboxEntry): void {
        this.#add(entry.bytes);
    }

    /** The device flows again: nothing is counted here any more. */
    dispose(): void {
        this.isHeld = false;
    }

    #add(bytes: number): void {
        this.#bytes += bytes;
        if (this.#isHeld) this.#held.bytes += bytes;
    }
}
