import type { OutboxEvent } from "../event";
import type { Ledger } from "../event-lifecycle";
import type { MemoryLimits } from "../outbox-limits";
import type { DeviceLane } from "./device-queue";
import { LaneTable } from "./device-queues";
import type { Entry } from "./outbox-entry";
import { type SpillContext, SpillQueue } from "./spill-queue";

/** What the waiting events work with. */
export interface WaitingEventsOptions {
    readonly memory: MemoryLimits;
    readonly ledger: Ledger;
    readonly context: SpillContext;
    /** The largest number given to an event so far. */
    lastSeq(): number;
    /** Events came back into memory, or could not be read. */
    loaded(error: boolean): void;
}

/**
 * The events that are to be sent, in memory and on disk: the main queue, and a lane for each device that may not simply flow. What is in
 * flight, or an acknowledged first contact, is not among them.
 */
export class WaitingEvents {
    readonly main: SpillQueue;
    readonly lanes: LaneTable;
    readonly #ledger: Ledger;
    readonly #context: SpillContext;

    constructor({ memory, ledger, context, lastSeq, loaded }: WaitingEventsOptions) {
        this.#ledger = ledger;
        this.#context = context;
        this.main = new SpillQueue(context, {
            passedSeq: 0,
            maxEvents: memory.readyEvents,
            batchEvents: memory.batchEvents,
            batchBytes: memory.batchBytes,
            hasRoom: (head) => head.length < memory.readyEvents && head.bytes < memory.readyBytes,
            reloaded: (event) => this.#reloadedToMain(event),
            loaded,
        });
        this.lanes = new LaneTable({
            context,
            memory,
            lastSeq,
            loaded,
            reloaded: (event) => ledger.reloaded(event),
            emptied: () => {
                if (this.main.isEmpty) context.isOutOfOrder = false;
            },
        });
    }

    /** Adds a new event behind all others. */
    push(entry: Entry): void {
        this.lanes.of(entry.device)?.admitted(entry);
        this.main.push(entry);
    }

    /** Puts an event that was sent back before all others of its device. */
    giveBack(entry: Entry): void {
        entry.list?.remove(entry);
        entry.transmission = 0;
        entry.isContact = false;
        (this.lanes.of(entry.device)?.queue ?? this.main).unshift(entry);
    }

    /** The lane of a device; made, for what is still to come, when there is none. */
    laneFor(device: string): DeviceLane {
        return this.lanes.of(device) ?? this.lanes.create(device, this.main.passedSeq + 1);
    }

    /** The oldest event, if it is in memory; `isLoading` tells that it is not. Takes longer the more lanes there are. */
    oldest(): { entry: Entry | undefined; isLoading: boolean } {
        let queue = this.main;
        let oldestSeq = queue.oldestSeq ?? Number.POSITIVE_INFINITY;
        for (const lane of this.lanes) {
            const seq = lane.queue.oldestSeq;
            if (seq === undefined || seq >= oldestSeq) continue;
            oldestSeq = seq;
            queue = lane.queue;
        }
        const entry = queue.peek();
        return { entry, isLoading: !entry && !queue.isEmpty };
    }

    *inMemory(): Generator<Entry> {
        yield* this.main.inMemory();
        for (const lane of this.lanes) yield* lane.queue.inMemory();
    }

    /** Whether events, of this device or of several, are on their way from disk into memory. */
    isReading(device: string): boolean {
        return this.main.isReading || (this.lanes.of(device)?.queue.isReading ?? false);
    }

    /** What is on its way from disk into memory is asked for once more. */
    readAgain(): void {
        this.main.readAgain();
        for (const lane of this.lanes) lane.queue.readAgain();
    }

    /** The entry, to be finished at once, of an event that was found in the store; undefined when it is in memory too, or done with. */
    takeStored(event: OutboxEvent): Entry | undefined {
        if (this.#context.isForgotten(event.seq)) return undefined;
        if (this.main.isOnlyStored(event.seq)) return this.#reloadedToMain(event);
        const lane = this.lanes.of(event.device);
        if (!lane?.queue.isOnlyStored(event.seq)) return undefined;
        const entry = this.#ledger.reloaded(event);
        entry.lane = lane;
        return entry;
    }

    /** The numbers in memory have grown by `shift`; the store holds others, up to `lastSeq`. */
    rebase(shift: number, lastSeq: number): void {
        this.main.rebase(shift, lastSeq);
        for (const lane of this.lanes) lane.rebase(shift);
    }

    #reloadedToMain(event: OutboxEvent): Entry {
        const entry = this.#ledger.reloaded(event);
        const lane = this.lanes.of(event.device);
        if (lane?.counts(event.seq)) entry.lane = lane;
        return entry;
    }
}
