import type { OutboxEvent } from "../event";
import type { EventLifecycle } from "../event-lifecycle";
import type { MemoryLimits } from "../outbox-limits";
import type { DeviceQueue } from "./device-queue";
import { DeviceQueues } from "./device-queues";
import type { OutboxEntry } from "./outbox-entry";
import { type SpillContext, SpillQueue } from "./spill-queue";

/** What the waiting events work with. */
export interface WaitingEventsOptions {
    readonly memory: MemoryLimits;
    readonly lifecycle: EventLifecycle;
    readonly context: SpillContext;
    /** The largest number given to an event so far. */
    lastSeq(): number;
    /** Events came back into memory, or could not be read. */
    readEnded(error: boolean): void;
}

/**
 * The events that are to be sent, in memory and on disk: the main queue, and a queue for each device that may not simply flow. What is in
 * flight, or an acknowledged registration attempt, is not among them.
 */
export class WaitingEvents {
    readonly main: SpillQueue;
    readonly deviceQueues: DeviceQueues;
    readonly #lifecycle: EventLifecycle;
    readonly #context: SpillContext;

    constructor({ memory, lifecycle, context, lastSeq, readEnded }: WaitingEventsOptions) {
        this.#lifecycle = lifecycle;
        this.#context = context;
        this.main = new SpillQueue(context, {
            passedSeq: 0,
            maxEvents: memory.readyEvents,
            batchEvents: memory.batchEvents,
            batchBytes: memory.batchBytes,
            hasRoom: (head) => head.length < memory.readyEvents && head.bytes < memory.readyBytes,
            loaded: (event) => this.#loadedToMain(event),
            readEnded,
        });
        this.deviceQueues = new DeviceQueues({
            context,
            memory,
            lastSeq,
            readEnded,
            loaded: (event) => lifecycle.loaded(event),
            emptied: () => {
                if (this.main.isEmpty) context.isOutOfOrder = false;
            },
        });
    }

    /** Adds a new event behind all others. */
    push(entry: OutboxEntry): void {
        this.deviceQueues.of(entry.device)?.admitted(entry);
        this.main.push(entry);
    }

    /** Puts an event that was sent back before all others of its device. */
    unshift(entry: OutboxEntry): void {
        entry.list?.remove(entry);
        entry.transmission = 0;
        entry.isRegistering = false;
        (this.deviceQueues.of(entry.device)?.events ?? this.main).unshift(entry);
    }

    /** The device queue of a device; made, for what is still to come, when there is none. */
    deviceQueueFor(device: string): DeviceQueue {
        return this.deviceQueues.of(device) ?? this.deviceQueues.create(device, this.main.passedSeq + 1);
    }

    /** The oldest event, if it is in memory; `isLoading` tells that it is not. Takes longer the more device queues there are. */
    oldest(): { entry: OutboxEntry | undefined; isLoading: boolean } {
        let queue = this.main;
        let oldestSeq = queue.oldestSeq ?? Number.POSITIVE_INFINITY;
        for (const deviceQueue of this.deviceQueues) {
            const seq = deviceQueue.events.oldestSeq;
            if (seq === undefined || seq >= oldestSeq) continue;
            oldestSeq = seq;
            queue = deviceQueue.events;
        }
        const entry = queue.peek();
        return { entry, isLoading: !entry && !queue.isEmpty };
    }

    *inMemory(): Generator<OutboxEntry> {
        yield* this.main.inMemory();
        for (const deviceQueue of this.deviceQueues) yield* deviceQueue.events.inMemory();
    }

    /** Whether events, of this device or of several, are on their way from disk into memory. */
    isReading(device: string): boolean {
        return this.main.isReading || (this.deviceQueues.of(device)?.events.isReading ?? false);
    }

    /** What is on its way from disk into memory is asked for once more. */
    readAgain(): void {
        this.main.readAgain();
        for (const deviceQueue of this.deviceQueues) deviceQueue.events.readAgain();
    }

    /** The entry, to be finished at once, of an event that was found in the store; undefined when it is in memory too, or done with. */
    takeStored(event: OutboxEvent): OutboxEntry | undefined {
        if (this.#context.isForgotten(event.seq)) return undefined;
        if (this.main.isOnlyStored(event.seq)) return this.#loadedToMain(event);
        const deviceQueue = this.deviceQueues.of(event.device);
        if (!deviceQueue?.events.isOnlyStored(event.seq)) return undefined;
        const entry = this.#lifecycle.loaded(event);
        entry.deviceQueue = deviceQueue;
        return entry;
    }

    /** The numbers in memory have grown by `shift`; the store holds others, up to `lastSeq`. */
    renumber(shift: number, lastSeq: number): void {
        this.main.renumber(shift, lastSeq);
        for (const deviceQueue of this.deviceQueues) deviceQueue.renumber(shift);
    }

    #loadedToMain(event: OutboxEvent): OutboxEntry {
        const entry = this.#lifecycle.loaded(event);
        const deviceQueue = this.deviceQueues.of(event.device);
        if (deviceQueue?.counts(event.seq)) entry.deviceQueue = deviceQueue;
        return entry;
    }
}
