import { GatewayError } from "../../../src/errors";
import { type OutboxEvent, priorities } from "../../../src/outbox/event";
import type {
    DeviceTotal,
    DeviceTotals,
    EventStore,
    EventStoreListener,
    ExpiredBatch,
    ExpiredCursor,
    KeptPage,
    KeptPlace,
    KeptSelection,
    KeptSummary,
    LatestBatch,
    ReadBatch,
    ReadRange,
    StoredUndelivered,
    UndeliveredBatch,
    UndeliveredChanges,
    UndeliveredOutcome,
    UndeliveredTotals,
} from "../../../src/outbox/store/store";

type Mutable<T> = { -readonly [Key in keyof T]: T[Key] };

/** Keeps events as a store on disk does, but in memory. Answers each request before it returns. */
export class MemoryEventStore implements EventStore {
    /** The note that the last write took along. */
    clockNote = "";
    readonly #events = new Map<number, Mutable<OutboxEvent>>();
    #listener: EventStoreListener | undefined;
    readonly #undelivered = new Map<number, StoredUndelivered>();
    #lastId = 0;

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
        const { undeliveredTotals: undelivered } = this;
        this.#listener = listener;
        const time = { note: this.clockNote, lastCreatedAt: last?.createdAt };
        listener.opened({ lastSeq: last?.seq ?? 0, events: events.length, bytes, isContinued: false, time, undelivered });
    }

    commit(
        writes: readonly OutboxEvent[],
        removals: readonly number[],
        finished: (error: GatewayError | undefined, outcome?: UndeliveredOutcome) => void,
        undelivered?: UndeliveredChanges,
    ): void {
        if (writes.some((event) => !removals.includes(event.seq) && isAnother(event, this.#events.get(event.seq)))) {
            finished(new GatewayError("GW_STORE", "Another event has this number, says the test."));
            return;
        }
        for (const seq of removals) this.#events.delete(seq);
        for (const event of writes) if (!this.#events.has(event.seq)) this.#events.set(event.seq, copyOf(event));
        this.#noteClock();
        finished(undefined, undelivered && this.#change(undelivered));
    }

    /** Every undelivered event, in the order of the numbers. */
    get undelivered(): readonly StoredUndelivered[] {
        return [...this.#undelivered.values()].sort((a, b) => a.id - b.id);
    }

    get undeliveredTotals(): UndeliveredTotals {
        const waiting = this.undelivered.filter(({ state }) => state === "waiting");
        const kept = this.undelivered.filter(({ state }) => state !== "waiting");
        const bytesOf = (found: readonly StoredUndelivered[]) => found.reduce((sum, { event }) => sum + event.bytes, 0);
        return {
            lastId: this.#lastId,
            waiting: waiting.length,
            waitingBytes: bytesOf(waiting),
            kept: kept.length,
            keptBytes: bytesOf(kept),
        };
    }

    #change({ added, caught, uncaught, removed, raisedUpTo, limits }: UndeliveredChanges): UndeliveredOutcome {
        for (const { id, state, event, error, refusal, enteredAt, endedAt } of added) {
            if (id > this.#lastId) this.#undelivered.set(id, { id, state, event: copyOf(event), error, refusal, enteredAt, endedAt });
            this.#lastId = Math.max(this.#lastId, id);
        }
        for (const [ids, state] of [[caught, "caught"] as const, [uncaught, "uncaught"] as const]) {
            for (const id of ids) {
                const found = this.#undelivered.get(id);
                if (found) this.#undelivered.set(id, { ...found, state });
            }
        }
        for (const id of removed) this.#undelivered.delete(id);
        const waiting = this.#trim("waiting", raisedUpTo, limits.maxWaitingBytes);
        const kept = this.#trim("kept", 0, limits.maxKeptBytes);
        return {
            ...this.undeliveredTotals,
            forgottenWaiting: waiting.length,
            forgottenUpTo: waiting.at(-1) ?? 0,
            forgottenKept: limits.maxKeptBytes === 0 ? 0 : kept.length,
        };
    }

    #trim(which: "waiting" | "kept", after: number, maxBytes: number): number[] {
        const found = this.undelivered.filter(({ state }) => (state === "waiting") === (which === "waiting"));
        let size = found.reduce((sum, { event }) => sum + event.bytes + rowOverheadBytes, 0);
        const forgotten: number[] = [];
        for (const { id, event } of found) {
            if (id <= after) continue;
            if (size <= maxBytes) break;
            this.#undelivered.delete(id);
            size -= event.bytes + rowOverheadBytes;
            forgotten.push(id);
        }
        return forgotten;
    }

    listUndelivered(selection: KeptSelection, place: KeptPlace, finished: (error: GatewayError | undefined, page: KeptPage) => void): void {
        const found = this.#kept(selection).reverse();
        const events = found.slice(place.offset, place.offset + place.limit).map(
            ({ id, state, event, error, enteredAt, endedAt }): KeptSummary => ({
                id,
                device: event.device,
                eventId: event.message.eventId,
                code: error.code,
                ...(error.rc !== undefined && { rc: error.rc }),
                reason: error.message,
                enteredAt,
                endedAt,
                size: Buffer.byteLength(event.payload),
                caught: state === "caught",
            }),
        );
        finished(undefined, { events, total: found.length });
    }

    readKept(
        selection: KeptSelection,
        after: number,
        max: { readonly events: number; readonly bytes: number },
        finished: (error: GatewayError | undefined, batch: UndeliveredBatch) => void,
    ): void {
        const found = this.#kept(selection).filter(({ id }) => id > after);
        finished(undefined, { events: found.slice(0, max.events), isComplete: found.length <= max.events });
    }

    #kept({ ids, search, includesCaught }: KeptSelection): StoredUndelivered[] {
        return this.undelivered.filter(
            ({ id, state, event }) =>
                state !== "waiting" &&
                (includesCaught || state === "uncaught") &&
                (ids ?? [id]).includes(id) &&
                event.device.toLowerCase().includes(search.toLowerCase()),
        );
    }

    readUndelivered(
        after: number,
        max: { readonly events: number; readonly bytes: number },
        finished: (error: GatewayError | undefined, batch: UndeliveredBatch) => void,
    ): void {
        const found = this.undelivered.filter(({ id, state }) => state === "waiting" && id > after);
        const events = found.slice(0, max.events).map((undelivered) => ({ ...undelivered }));
        finished(undefined, { events, isComplete: events.length === found.length });
    }

    whenFree(next: () => void): void {
        next();
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

    readLatest(after: number, maxEvents: number, finished: (error: GatewayError | undefined, batch: LatestBatch) => void): void {
        const found = this.events.filter(({ isLatest, seq }) => isLatest && seq > after);
        const events = found
            .slice(0, maxEvents)
            .map(({ seq, device, priority, bytes, message }) => ({ seq, device, priority, bytes, message }));
        finished(undefined, { events, isComplete: found.length <= maxEvents });
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

/** What a row takes besides its payload. */
const rowOverheadBytes = 200;

/** The members of an event alone, as a row holds them. */
function copyOf(event: OutboxEvent): Mutable<OutboxEvent> {
    const { seq, device, priority, isLatest, topic, payload, bytes, qos, createdAt, expiresAt, message, encoding, returns } = event;
    return { seq, device, priority, isLatest, topic, payload, bytes, qos, createdAt, expiresAt, message, encoding, returns };
}

function keyOf({ device, priority }: Pick<DeviceTotal, "device" | "priority">): string {
    return `${device}\n${priorities.indexOf(priority)}`;
}
