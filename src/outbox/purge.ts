import type { Clock } from "../clock";
import { type Priority, priorities } from "./event";
import type { EventLifecycle } from "./event-lifecycle";
import type { MemoryLimits } from "./outbox-limits";
import type { OutboxEntry } from "./queue/outbox-entry";
import type { WaitingEvents } from "./queue/waiting-events";
import type { EventStore } from "./store/store";
import type { GroupWriter } from "./storing/group-writer";
import type { StoreSession } from "./storing/store-session";

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
        await this.#dropInMemory();
        if (!this.#options.store) return this.#dropped;
        while (this.#options.session.isTakingOver) await this.#turn();
        for (const priority of priorities) {
            for (let after: number | undefined = 0; after !== undefined; ) {
                after = await this.#dropStored(priority, after);
                await this.#turn();
            }
        }
        await this.#options.writer.flush(writtenWithinMs);
        return this.#dropped;
    }

    /** Each sender is called back: the rest of the process gets its turn in between. */
    #turn(): Promise<void> {
        return new Promise((resolve) => this.#options.clock.setTimer(0, resolve));
    }

    async #dropInMemory(): Promise<void> {
        const { waiting, memory } = this.#options;
        const found: OutboxEntry[] = [];
        for (const entry of waiting.inMemory()) if (entry.device === this.#device && entry.seq <= this.#upTo) found.push(entry);
        for (const [index, entry] of found.entries()) {
            if (index % memory.batchEvents === memory.batchEvents - 1) await this.#turn();
            this.#drop(entry);
        }
    }

    /** Drops a batch of the events after a number; resolves with the number to go on after, or undefined when there are no more. */
    #dropStored(priority: Priority, after: number): Promise<number | undefined> {
        const { waiting, writer, memory } = this.#options;
        const { batchEvents: maxEvents, batchBytes: maxBytes } = memory;
        const range = { priority, after, upTo: this.#upTo, device: this.#device, maxEvents, maxBytes };
        return new Promise((resolve, reject) => {
            this.#options.store?.read(range, (error, { events, isComplete }) => {
                if (error) {
                    reject(error);
                    return;
                }
                for (const event of events) this.#drop(writer.stored.resident(event.seq) ?? waiting.load(event));
                resolve(isComplete ? undefined : events.at(-1)?.seq);
            });
        });
    }

    #drop(entry: OutboxEntry | undefined): void {
        if (entry?.state !== "waiting") return;
        this.#options.lifecycle.purge(entry);
        this.#dropped += 1;
    }
}

/** What a purge works on. */
export interface PurgeOptions {
    readonly clock: Clock;
    readonly store: EventStore | undefined;
    readonly memory: MemoryLimits;
    readonly waiting: WaitingEvents;
    readonly lifecycle: EventLifecycle;
    readonly writer: GroupWriter;
    readonly session: StoreSession;
}
