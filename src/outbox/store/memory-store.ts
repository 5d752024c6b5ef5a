import type { GatewayError } from "../../errors";
import type { OutboxEvent } from "../event";
import { SortedNumbers } from "./sorted-numbers";
import type { EventStore, EventStoreListener, ExpiredBatch, ReadBatch, ReadRange, StateStore } from "./store";

interface StoredTimes {
    createdAt: number;
    expiresAt: number;
}

/** Keeps events in memory, for `outbox: "memory"` and where SQLite is not available. Answers each request before it returns. */
export class MemoryStore implements EventStore {
    readonly isDurable = false;
    readonly #events = new Map<number, OutboxEvent & StoredTimes>();
    readonly #order = new SortedNumbers();
    readonly #ofDevice = new Map<string, SortedNumbers>();

    attach(listener: EventStoreListener): void {
        const bytes = [...this.#events.values()].reduce((sum, event) => sum + event.bytes, 0);
        listener.opened({ lastSeq: this.#order.last ?? 0, events: this.#events.size, bytes, isContinued: false });
    }

    commit(writes: readonly OutboxEvent[], removals: readonly number[], finished: (error: GatewayError | undefined) => void): void {
        for (const event of writes) this.#write(event);
        for (const seq of removals) this.#remove(seq);
        finished(undefined);
    }

    read(range: ReadRange, finished: (error: GatewayError | undefined, batch: ReadBatch) => void): void {
        const order = range.device === undefined ? this.#order : this.#ofDevice.get(range.device);
        const events: OutboxEvent[] = [];
        let bytes = 0;
        let isComplete = true;
        for (const seq of order?.after(range.after) ?? []) {
            const event = this.#events.get(seq);
            if (seq > range.upTo) break;
            if (!event) continue;
            if (events.length >= range.maxEvents || (events.length > 0 && bytes + event.bytes > range.maxBytes)) {
                isComplete = false;
                break;
            }
            bytes += event.bytes;
            events.push({ ...event });
        }
        finished(undefined, { events, isComplete });
    }

    readExpired(atMs: number, maxEvents: number, finished: (error: GatewayError | undefined, batch: ExpiredBatch) => void): void {
        const events: OutboxEvent[] = [];
        let nextExpiresAt: number | undefined;
        for (const event of this.#events.values()) {
            if (event.expiresAt <= atMs && events.length < maxEvents) events.push({ ...event });
            else if (nextExpiresAt === undefined || event.expiresAt < nextExpiresAt) nextExpiresAt = event.expiresAt;
        }
        events.sort((a, b) => a.expiresAt - b.expiresAt);
        finished(undefined, { events, nextExpiresAt });
    }

    shiftTimes(afterSeq: number, byMs: number, finished: (error: GatewayError | undefined) => void): void {
        for (const seq of this.#order.after(afterSeq)) {
            const event = this.#events.get(seq);
            if (!event) continue;
            event.createdAt += byMs;
            event.expiresAt += byMs;
        }
        finished(undefined);
    }

    #write(event: OutboxEvent): void {
        const { seq, device, topic, payload, bytes, qos, createdAt, expiresAt, message } = event;
        if (this.#events.has(seq)) return;
        this.#events.set(seq, { seq, device, topic, payload, bytes, qos, createdAt, expiresAt, message });
        this.#order.add(seq);
        const own = this.#ofDevice.get(device);
        if (own) own.add(seq);
        else this.#ofDevice.set(device, new SortedNumbers(seq));
    }

    #remove(seq: number): void {
        const event = this.#events.get(seq);
        if (!event) return;
        this.#events.delete(seq);
        this.#order.remove(seq);
        const own = this.#ofDevice.get(event.device);
        own?.remove(seq);
        if (own?.size === 0) this.#ofDevice.delete(event.device);
    }
}

/** States that last as long as the process, where there is no file. */
export class MemoryStateStore implements StateStore {
    readonly #kinds = new Map<string, Map<string, string>>();

    entries(kind: string): Iterable<[key: string, value: string]> {
        return this.#kinds.get(kind) ?? [];
    }

    put(kind: string, key: string, value: string): void {
        const values = this.#kinds.get(kind);
        if (values) values.set(key, value);
        else this.#kinds.set(kind, new Map([[key, value]]));
    }

    remove(kind: string, key: string): void {
        this.#kinds.get(kind)?.delete(key);
    }

    flush(): Promise<void> {
        return Promise.resolve();
    }
}
