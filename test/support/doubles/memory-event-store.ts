import { GatewayError } from "../../../src/errors";
import { type OutboxEvent, priorities } from "../../../src/outbox/event";
import type {
    DeviceTotal,
    DeviceTotals,
    EventStore,
    EventStoreListener,
    ExpiredBatch,
    ExpiredCursor,
    ReadBatch,
    ReadRange,
} from "../../../src/outbox/store/store";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Keeps events as a store on disk does, but in memory. Answers each request before it returns. */
export class MemoryEventStore implements EventStore {
    /** The note that the last write took along. */
    clockNote = "";
    readonly #events = new Map<number, Mutable<OutboxEvent>>();
    #listener: EventStoreListener | undefined;

    /** Every event, in the order of the numbers. */
    get events(): readonly OutboxEvent[] {
        return [...this.#events.values()].sort((a, b) => a.seq - b.seq);
    }

    get oldestCreatedAt(): number | undefined {
        const times = this.events.map(({ createdAt }) => createdAt);
        return times.length > 0 ? Math.min(...times) : undefined;
    }

    attach(listener: EventStoreListener): void {
        const { events } = this;
        const bytes = events.reduce((sum, event) => sum + event.bytes, 0);
        const last = events.at(-1);
        this.#listener = listener;
        const time = { note: this.clockNote, lastCreatedAt: last?.createdAt };
        listener.opened({ lastSeq: last?.seq ?? 0, events: events.length, bytes, isContinued: false, time });
    }

    commit(writes: readonly OutboxEvent[], removals: readonly number[], finished: (error: GatewayError | undefined) => void): void {
        if (writes.some((event) => isAnother(event, this.#events.get(event.seq)))) {
            finished(new GatewayError("GW_STORE", "Another event has this number, says the test."));
            return;
        }
        for (const { seq, device, priority, topic, payload, bytes, qos, createdAt, expiresAt, message } of writes) {
            if (this.#events.has(seq)) continue;
            this.#events.set(seq, { seq, device, priority, topic, payload, bytes, qos, createdAt, expiresAt, message });
        }
        for (const seq of removals) this.#events.delete(seq);
        this.#noteClock();
        finished(undefined);
    }

    read(range: ReadRange, finished: (error: GatewayError | undefined, batch: ReadBatch) => void): void {
        const { priority, device, after, upTo, maxEvents, maxBytes } = range;
        const found = this.events.filter(
            (event) => event.priority === priority && event.seq > after && event.seq <= upTo && (device ?? event.device) === event.device,
        );
        let bytes = 0;
        const end = found.findIndex((event, index) => {
            bytes += event.bytes;
            return index >= maxEvents || (index > 0 && bytes > maxBytes);
        });
        const events = (end < 0 ? found : found.slice(0, end)).map((event) => ({ ...event }));
        finished(undefined, { events, isComplete: end < 0 });
    }

    readDevices(
        after: DeviceTotal | undefined,
        maxTotals: number,
        finished: (error: GatewayError | undefined, totals: DeviceTotals) => void,
    ): void {
        const totals = new Map<string, Mutable<DeviceTotal>>();
        for (const { device, priority, bytes, seq } of this.events) {
            const key = keyOf({ device, priority });
            const total = totals.get(key) ?? { device, priority, events: 0, bytes: 0, lastSeq: 0 };
            totals.set(key, { ...total, events: total.events + 1, bytes: total.bytes + bytes, lastSeq: seq });
        }
        const keys = [...totals.keys()].sort().filter((key) => !after || key > keyOf(after));
        const found = keys.slice(0, maxTotals).flatMap((key) => totals.get(key) ?? []);
        finished(undefined, { totals: found, isComplete: keys.length <= maxTotals });
    }

    readExpired(
        atMs: number,
        after: ExpiredCursor | undefined,
        maxEvents: number,
        finished: (error: GatewayError | undefined, batch: ExpiredBatch) => void,
    ): void {
        const inOrder = [...this.events].sort((a, b) => a.expiresAt - b.expiresAt || a.seq - b.seq);
        const isAfter = ({ expiresAt, seq }: OutboxEvent) =>
            !after || expiresAt > after.expiresAt || (expiresAt === after.expiresAt && seq > after.seq);
        const expired = inOrder.filter((event) => event.expiresAt <= atMs && isAfter(event)).slice(0, maxEvents);
        const nextExpiresAt = inOrder.find(({ expiresAt }) => expiresAt > atMs)?.expiresAt;
        finished(undefined, { events: expired.map((event) => ({ ...event })), nextExpiresAt });
    }

    shiftTimes(afterSeq: number, byMs: number, finished: (error: GatewayError | undefined) => void): void {
        for (const event of this.#events.values()) {
            if (event.seq <= afterSeq) continue;
            event.createdAt += byMs;
            event.expiresAt += byMs;
        }
        this.#noteClock();
        finished(undefined);
    }

    #noteClock(): void {
        const note = this.#listener?.clockNote() ?? "";
        if (note !== "") this.clockNote = note;
    }
}

/** Whether a row belongs to another event than the one to be stored. */
function isAnother({ topic, createdAt }: OutboxEvent, row: OutboxEvent | undefined): boolean {
    return row !== undefined && (row.topic !== topic || row.createdAt !== createdAt);
}

function keyOf({ device, priority }: Pick<DeviceTotal, "device" | "priority">): string {
    return `${device}\n${priorities.indexOf(priority)}`;
}
