import type { Clock } from "../../clock";
import type { GatewayError } from "../../errors";
import type { EventStore, KeptPage, KeptPlace, KeptSelection, StoredUndelivered, UndeliveredBatch } from "../store/store";
import { isNumberInMemory } from "./kept-in-memory";
import type { UndeliveredEvents } from "./undelivered-events";

/** What is read, sent again or deleted in one go, so that the rest of the process gets its turn. */
const atOnce = { events: 100, bytes: 1_048_576 };
const idsAtOnce = 1000;

/** What an operator can do with the undelivered events that were handed over and are kept. Rejects with `GW_STORE` if they cannot be read. */
export class KeptEvents {
    readonly #options: KeptEventsOptions;

    constructor(options: KeptEventsOptions) {
        this.#options = options;
    }

    /** A part of the list, the latest first, without the payloads. */
    async list(selection: KeptSelection, { offset, limit }: KeptPlace): Promise<KeptPage> {
        const { store, undelivered } = this.#options;
        const inMemory = undelivered.inMemory.list(selection, { offset, limit });
        if (!store) return inMemory;
        // Where nothing is stored, what a file holds is of earlier runs.
        const place = { offset: Math.max(offset - inMemory.total, 0), limit: limit - inMemory.events.length };
        const inFile = await answerOf<KeptPage>((finished) => store.listUndelivered(selection, place, finished));
        return { events: [...inMemory.events, ...inFile.events], total: inMemory.total + inFile.total };
    }

    /** The events with their data, the oldest first, a part at a time. */
    async *read(selection: KeptSelection): AsyncGenerator<readonly StoredUndelivered[]> {
        for (let after = 0; ; ) {
            const { events, isComplete } = await this.#readAfter(selection, after);
            if (events.length > 0) yield events;
            if (isComplete) return;
            after = events.at(-1)?.id ?? after;
            await this.#turn();
        }
    }

    /** Sends the events again, the oldest first, until the outbox is full: the rest stays. */
    async sendAgain(selection: KeptSelection): Promise<SentAgain> {
        let sent = 0;
        for await (const events of this.read(selection)) {
            for (const event of events) {
                if (!this.#options.undelivered.isKept(event.id)) continue;
                const rejection = this.#options.sendAgain(event);
                if (rejection) return { sent, rejection };
                sent += 1;
            }
        }
        return { sent };
    }

    /** Deletes the events; resolves with their number when they are gone. */
    async remove(selection: KeptSelection): Promise<number> {
        let count = 0;
        for (;;) {
            const { events } = await this.list(selection, { offset: 0, limit: idsAtOnce });
            const ids = events.map(({ id }) => id);
            if (ids.length === 0) return count;
            await this.#options.undelivered.remove(ids);
            count += ids.length;
            await this.#turn();
        }
    }

    async #readAfter(selection: KeptSelection, after: number): Promise<UndeliveredBatch> {
        const { store, undelivered } = this.#options;
        const readInMemory = () => undelivered.inMemory.read(selection, after, atOnce.events);
        if (!store || isNumberInMemory(after)) return readInMemory();
        const inFile = await answerOf<UndeliveredBatch>((finished) => store.readKept(selection, after, atOnce, finished));
        if (!inFile.isComplete) return inFile;
        const inMemory = readInMemory();
        return { events: [...inFile.events, ...inMemory.events], isComplete: inMemory.isComplete };
    }

    #turn(): Promise<void> {
        return new Promise((resolve) => this.#options.clock.setTimer(0, resolve));
    }
}

/** What became of events that were to be sent again. */
export interface SentAgain {
    readonly sent: number;
    /** Why the rest stays. */
    readonly rejection?: GatewayError;
}

/** What is done with kept events. */
export interface KeptEventsOptions {
    readonly clock: Clock;
    readonly store: EventStore | undefined;
    readonly undelivered: UndeliveredEvents;
    /** Moves an event to the outbox; returns why it stays. */
    sendAgain(event: SentAgainEvent): GatewayError | undefined;
}

/** A kept event that is to be sent again. */
export type SentAgainEvent = Pick<StoredUndelivered, "id" | "event" | "enteredAt">;

function answerOf<T>(ask: (finished: (error: GatewayError | undefined, answer: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => ask((error, answer) => (error ? reject(error) : resolve(answer))));
}
