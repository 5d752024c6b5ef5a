import type { Clock } from "../clock";
import type { OutboxEvent } from "./event";
import type { EventLifecycle } from "./event-lifecycle";
import type { MemoryLimits } from "./outbox-limits";
import type { WaitingEvents } from "./queue/waiting-events";
import type { EventStore } from "./store/store";
import type { GroupWriter } from "./storing/group-writer";

/** What a purge works on. */
export interface PurgeOptions {
    readonly clock: Clock;
    readonly store: EventStore;
    readonly memory: MemoryLimits;
    readonly waiting: WaitingEvents;
    readonly lifecycle: EventLifecycle;
    readonly writer: GroupWriter;
}

/** How long the removal from disk may take before the purge counts as done all the same. */
const writtenWithinMs = 5000;

/** Drops what waits for one device, in memory and on disk, because an operator says so. */
export class Purge {
    readonly #options: PurgeOptions;
    readonly #device: string;
    /** Events with larger numbers came after the operator's word. */
    readonly #upTo: number;
    #dropped = 0;

    constructor(device: string, upTo: number, options: PurgeOptions) {
        this.#options = options;
        this.#device = device;
        this.#upTo = upTo;
    }

    /** Resolves with the number of events dropped, once the disk does not hold them any more; rejects when it could not be read. */
    async run(): Promise<number> {
        this.#dropInMemory();
        for (let after: number | undefined = 0; after !== undefined; after = await this.#dropStored(after)) await this.#turn();
        await this.#options.writer.flush(writtenWithinMs);
        return this.#dropped;
    }

    /** Each sender is told: the rest of the process gets its turn in between. */
    #turn(): Promise<void> {
        return new Promise((resolve) => this.#options.clock.setTimer(0, resolve));
    }

    #dropInMemory(): void {
        for (const entry of this.#options.waiting.inMemory()) {
            if (entry.device !== this.#device || entry.seq > this.#upTo) continue;
            this.#options.lifecycle.purge(entry);
            this.#dropped += 1;
        }
    }

    /** Drops a batch of the events after a number; resolves with the number to go on after, or undefined when there are no more. */
    #dropStored(after: number): Promise<number | undefined> {
        const { store, memory, waiting } = this.#options;
        const { batchEvents: maxEvents, batchBytes: maxBytes } = memory;
        return new Promise((resolve, reject) => {
            store.read({ after, upTo: this.#upTo, device: this.#device, maxEvents, maxBytes }, (error, { events, isComplete }) => {
                if (error) {
                    reject(error);
                    return;
                }
                this.#dropBatch(events);
                // What a queue is just reading could not be dropped: it is in memory in a moment.
                if (waiting.isReading(this.#device)) resolve(after);
                else resolve(isComplete ? undefined : events.at(-1)?.seq);
            });
        });
    }

    #dropBatch(events: readonly OutboxEvent[]): void {
        this.#dropInMemory();
        for (const event of events) {
            const entry = this.#options.waiting.takeStored(event);
            if (!entry) continue;
            this.#options.lifecycle.purge(entry);
            this.#dropped += 1;
        }
    }
}
