import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemClock } from "../../../src/clock";
import { GatewayError } from "../../../src/errors";
import type { OutboxEvent } from "../../../src/outbox/event";
import { isSqliteAvailable } from "../../../src/outbox/store/open-store";
import { SqliteStore } from "../../../src/outbox/store/sqlite-store";
import type {
    EventStore,
    KeptPage,
    KeptSelection,
    ReadBatch,
    ReadRange,
    StoredUndelivered,
    UndeliveredBatch,
    UndeliveredChanges,
    UndeliveredLimits,
    UndeliveredOutcome,
} from "../../../src/outbox/store/store";
import { MemoryEventStore } from "../../support/doubles/memory-event-store";
import { storedEvent } from "../../support/doubles/outbox-events";

function ask<T>(start: (finished: (error: GatewayError | undefined, result: T) => void) => void): Promise<T> {
    return new Promise((resolve, reject) => start((error, result) => (error ? reject(error) : resolve(result))));
}

function commit(store: EventStore, writes: OutboxEvent[], removals: number[] = []): Promise<unknown> {
    return ask((finished) => store.commit(writes, removals, (error) => finished(error, undefined)));
}

function read(store: EventStore, range: Partial<ReadRange>): Promise<ReadBatch> {
    return ask((finished) => store.read({ priority: "normal", after: 0, upTo: 1000, maxEvents: 100, maxBytes: 1e6, ...range }, finished));
}

function pick({ event, refusal, enteredAt, endedAt }: StoredUndelivered) {
    return { event, refusal, enteredAt, endedAt };
}

function numbers(batch: { events: readonly OutboxEvent[] }): number[] {
    return batch.events.map((event) => event.seq);
}

/** An undelivered event as a store holds it. */
function undelivered(id: number, options: Partial<StoredUndelivered> = {}): StoredUndelivered {
    const event = storedEvent(id, "t/a", { payload: `undelivered ${id}`, bytes: 100 });
    const error = new GatewayError("GW_EXPIRED", "too old");
    return { id, state: "waiting", event, error, refusal: undefined, enteredAt: event.createdAt, endedAt: event.createdAt + 5, ...options };
}

const roomy: UndeliveredLimits = { maxWaitingBytes: 1e6, maxKeptBytes: 1e6 };

function change(store: EventStore, changes: Partial<UndeliveredChanges>, removals: number[] = []): Promise<UndeliveredOutcome | undefined> {
    const undelivered = { added: [], caught: [], uncaught: [], removed: [], raisedUpTo: 0, limits: roomy, ...changes };
    return ask((finished) => store.commit([], removals, finished, undelivered));
}

function readUndelivered(store: EventStore, after = 0, events = 100): Promise<UndeliveredBatch> {
    return ask((finished) => store.readUndelivered(after, { events, bytes: 1e6 }, finished));
}

/** What every store does, whatever it is made of. */
function behavesLikeAStore(open: () => Promise<{ store: EventStore; dispose: () => Promise<void> }>): void {
    let store: EventStore;
    let dispose: () => Promise<void>;

    beforeEach(async () => {
        ({ store, dispose } = await open());
    });

    afterEach(() => dispose());

    it("returns events as they were stored: text as text, bytes as bytes, in order", async () => {
        const text = storedEvent(1, "t/a", { payload: "tempé ✓", bytes: 9, qos: 2 });
        const binary = storedEvent(2, "t/b", { payload: Buffer.from([0, 255, 1]), bytes: 3 });
        await commit(store, [text, binary]);
        const batch = await read(store, {});
        assert.deepEqual(batch, { events: [text, binary], isComplete: true });
        assert.ok(Buffer.isBuffer(batch.events[1]?.payload));
    });

    it("knows when its oldest event entered the outbox, whatever its number", async () => {
        assert.equal(store.oldestCreatedAt, undefined);
        const at = (seq: number, createdAt: number) => storedEvent(seq, "t/a", { createdAt, expiresAt: createdAt + 3_600_000 });
        const start = Date.UTC(2026, 0, 1);
        await commit(store, [at(1, start + 3000), at(2, start + 1000), at(3, start + 2000)]);
        assert.equal(store.oldestCreatedAt, start + 1000);
        await commit(store, [], [2]);
        assert.equal(store.oldestCreatedAt, start + 2000);
        await new Promise((resolve) => store.shiftTimes(1, 500, resolve));
        assert.equal(store.oldestCreatedAt, start + 2500);
        await commit(store, [], [1, 3]);
        assert.equal(store.oldestCreatedAt, undefined);
    });

    it("moves an event to the undelivered ones in one transaction, with everything that is known of it", async () => {
        await commit(store, [storedEvent(1, "t/a"), storedEvent(2, "t/a")]);
        const refused = undelivered(7, {
            event: storedEvent(7, "t/b", {
                priority: "high",
                payload: Buffer.from([0, 1]),
                bytes: 2,
                qos: 2,
                encoding: { format: "bin", wrap: true, timestampField: "ts" },
                returns: 4,
            }),
            error: new GatewayError("GW_REFUSED", "no", { rc: 276, willRetry: false }),
            refusal: { rc: 276, message: "no", willRetry: false },
        });
        const outcome = await change(store, { added: [undelivered(3), refused] }, [1]);
        assert.deepEqual(outcome, {
            lastId: 7,
            waiting: 2,
            waitingBytes: 102,
            kept: 0,
            keptBytes: 0,
            forgottenWaiting: 0,
            forgottenUpTo: 0,
            forgottenKept: 0,
        });
        assert.deepEqual(numbers(await read(store, {})), [2]);
        const { events, isComplete } = await readUndelivered(store);
        assert.deepEqual([events.map(({ id }) => id), isComplete], [[3, 7], true]);
        const [, { error, event, refusal, enteredAt, endedAt } = refused] = events;
        assert.deepEqual([error.code, error.message, error.rc], ["GW_REFUSED", "no", 276]);
        assert.deepEqual({ event, refusal, enteredAt, endedAt }, { ...pick(refused), event: { ...refused.event, seq: 7 } });
    });

    it("adds an undelivered event once", async () => {
        await change(store, { added: [undelivered(1)] });
        assert.equal((await change(store, { added: [undelivered(1), undelivered(2)] }))?.waiting, 2);
    });

    it("reads undelivered events that are to be handed over, and no others", async () => {
        await change(store, { added: [1, 2, 3, 4, 5].map((id) => undelivered(id)) });
        const outcome = await change(store, { caught: [1, 4], uncaught: [2] });
        assert.deepEqual([outcome?.waiting, outcome?.kept, outcome?.keptBytes], [2, 3, 300]);
        assert.deepEqual(
            (await readUndelivered(store)).events.map(({ id }) => id),
            [3, 5],
        );
        const first = await readUndelivered(store, 0, 1);
        assert.deepEqual([first.events.map(({ id }) => id), first.isComplete], [[3], false]);
        assert.deepEqual(
            (await readUndelivered(store, 3)).events.map(({ id }) => id),
            [5],
        );
    });

    it("forgets the oldest undelivered events beyond a limit, those to be handed over and those kept for themselves", async () => {
        await change(store, { added: [1, 2, 3, 4, 5].map((id) => undelivered(id)) });
        const waiting = await change(store, { limits: { maxWaitingBytes: 1000, maxKeptBytes: 600 } });
        assert.deepEqual([waiting?.waiting, waiting?.forgottenWaiting, waiting?.forgottenUpTo], [3, 2, 2]);
        const kept = await change(store, { caught: [3, 4, 5], limits: { maxWaitingBytes: 1000, maxKeptBytes: 600 } });
        assert.deepEqual([kept?.waiting, kept?.kept, kept?.forgottenKept, kept?.forgottenUpTo], [0, 2, 1, 0]);
    });

    it("forgets no undelivered event that is with the flows", async () => {
        await change(store, { added: [1, 2, 3, 4, 5].map((id) => undelivered(id)) });
        const outcome = await change(store, { raisedUpTo: 2, limits: { maxWaitingBytes: 1000, maxKeptBytes: 600 } });
        assert.deepEqual([outcome?.waiting, outcome?.forgottenWaiting, outcome?.forgottenUpTo], [3, 2, 4]);
        const waiting = await readUndelivered(store);
        assert.deepEqual(
            waiting.events.map(({ id }) => id),
            [1, 2, 5],
        );
    });

    it("lists kept undelivered events, the latest first, and reads them, by number, device and whether a Catch node got them", async () => {
        const refused = undelivered(3, {
            event: storedEvent(3, "Pump/B", { payload: "é\0", bytes: 3 }),
            error: new GatewayError("GW_REFUSED", "no", { rc: 276 }),
        });
        await change(store, { added: [undelivered(1), undelivered(2), refused, undelivered(4)] });
        await change(store, { caught: [1], uncaught: [2, 3] });
        const list = (selection: Partial<KeptSelection>, offset = 0, limit = 10) =>
            ask<KeptPage>((finished) =>
                store.listUndelivered({ search: "", includesCaught: true, ...selection }, { offset, limit }, finished),
            );
        const ids = async (selection: Partial<KeptSelection>) => (await list(selection)).events.map(({ id }) => id);
        assert.deepEqual(await ids({}), [3, 2, 1]);
        assert.deepEqual(await ids({ includesCaught: false }), [3, 2]);
        assert.deepEqual(await ids({ search: "PUMP" }), [3]);
        assert.deepEqual(await ids({ ids: [1, 2, 4] }), [2, 1]);
        assert.deepEqual(await ids({ ids: [] }), []);
        const page = await list({}, 1, 1);
        assert.deepEqual([page.events.map(({ id }) => id), page.total], [[2], 3]);
        const { enteredAt, endedAt } = refused;
        assert.deepEqual((await list({ ids: [3] })).events, [
            {
                id: 3,
                device: "Pump/B",
                eventId: "status",
                code: "GW_REFUSED",
                rc: 276,
                reason: "no",
                enteredAt,
                endedAt,
                size: 3,
                caught: false,
            },
        ]);
        const kept = (after: number, events: number) =>
            ask<UndeliveredBatch>((finished) =>
                store.readKept({ search: "", includesCaught: true }, after, { events, bytes: 1e6 }, finished),
            );
        const first = await kept(0, 2);
        assert.deepEqual([first.events.map(({ id, state }) => `${id} ${state}`), first.isComplete], [["1 caught", "2 uncaught"], false]);
        const rest = await kept(2, 2);
        assert.deepEqual([rest.events.map(({ event }) => String(event.payload)), rest.isComplete], [["é\0"], true]);
        assert.deepEqual((await change(store, { removed: [1, 3, 99] }))?.kept, 1);
        assert.deepEqual(await ids({}), [2]);
    });

    it("keeps nothing that was handed over where nothing is to be kept", async () => {
        await change(store, { added: [undelivered(1), undelivered(2)] });
        const outcome = await change(store, { caught: [1], uncaught: [2], limits: { maxWaitingBytes: 1000, maxKeptBytes: 0 } });
        assert.deepEqual([outcome?.waiting, outcome?.kept, outcome?.forgottenKept, outcome?.lastId], [0, 0, 0, 2]);
    });

    it("keeps the text behind a zero byte", async () => {
        await commit(store, [storedEvent(1, "t/a", { payload: "a\0b", bytes: 3 })]);
        assert.equal(String((await read(store, {})).events[0]?.payload), "a\0b");
    });

    it("stores a slice of a pool without the rest of the pool", async () => {
        const payload = Buffer.from("xxhelloxx").subarray(2, 7);
        await commit(store, [storedEvent(1, "t/a", { payload, bytes: 5 })]);
        assert.equal(String((await read(store, {})).events[0]?.payload), "hello");
    });

    it("reads ranges in order, whatever the order of writing", async () => {
        await commit(store, [storedEvent(5, "t/a"), storedEvent(2, "t/b")]);
        await commit(store, [storedEvent(3, "t/a"), storedEvent(9, "t/a")]);
        assert.deepEqual(numbers(await read(store, {})), [2, 3, 5, 9]);
        assert.deepEqual(numbers(await read(store, { after: 2, upTo: 5 })), [3, 5]);
        assert.deepEqual(numbers(await read(store, { device: "t/a", after: 3 })), [5, 9]);
        assert.deepEqual(numbers(await read(store, { device: "t/none" })), []);
    });

    it("bounds a read by number and by bytes, but always returns something, and says whether that was all", async () => {
        await commit(
            store,
            [1, 2, 3, 4].map((seq) => storedEvent(seq, "t/a", { payload: "x".repeat(10), bytes: 10 })),
        );
        const byNumber = await read(store, { maxEvents: 3 });
        assert.deepEqual([numbers(byNumber), byNumber.isComplete], [[1, 2, 3], false]);
        const exactly = await read(store, { maxEvents: 4 });
        assert.deepEqual([numbers(exactly), exactly.isComplete], [[1, 2, 3, 4], true]);
        const byBytes = await read(store, { maxBytes: 25 });
        assert.deepEqual([numbers(byBytes), byBytes.isComplete], [[1, 2], false]);
        const oneTooLarge = await read(store, { maxBytes: 1 });
        assert.deepEqual([numbers(oneTooLarge), oneTooLarge.isComplete], [[1], false]);
    });

    it("removes events, and ignores a second write or removal of a number", async () => {
        await commit(store, [storedEvent(1, "t/a"), storedEvent(2, "t/a")]);
        await commit(store, [storedEvent(2, "t/a", { payload: "other" })], [1, 7]);
        const batch = await read(store, {});
        assert.deepEqual(batch.events, [storedEvent(2, "t/a")]);
        await commit(store, [], [2, 2]);
        assert.deepEqual(numbers(await read(store, { device: "t/a" })), []);
    });

    it("finds expired events, soonest first, and the time of the next one", async () => {
        await commit(
            store,
            [10, 30, 20, 40].map((expiresAt, index) => storedEvent(index + 1, "t/a", { expiresAt })),
        );
        const batch = await ask<{ events: readonly OutboxEvent[]; nextExpiresAt: number | undefined }>((f) =>
            store.readExpired(30, undefined, 10, f),
        );
        assert.deepEqual([numbers(batch), batch.nextExpiresAt], [[1, 3, 2], 40]);
        const none = await ask<{ events: readonly OutboxEvent[] }>((f) => store.readExpired(5, undefined, 10, f));
        assert.deepEqual(numbers(none), []);
    });

    it("moves the times of the events after a number", async () => {
        const base = Date.UTC(2026, 0, 1);
        await commit(
            store,
            [1, 2].map((seq) => storedEvent(seq, "t/a", { createdAt: base, expiresAt: base + 10 })),
        );
        await ask((finished) => store.shiftTimes(1, 1000, (error) => finished(error, undefined)));
        const { events } = await read(store, {});
        assert.deepEqual(
            events.map((event) => [event.createdAt - base, event.expiresAt - base]),
            [
                [0, 10],
                [1000, 1010],
            ],
        );
    });
}

describe("the memory store that stands for one on disk", () => {
    behavesLikeAStore(() => {
        const store = new MemoryEventStore();
        store.attach({ opened: () => {}, closed: () => {}, clockNote: () => "" });
        return Promise.resolve({ store, dispose: () => Promise.resolve() });
    });
});

if (isSqliteAvailable()) {
    const health = { failed: (error: GatewayError) => assert.fail(error), recovered: () => {} };

    async function openSqlite(directory: string): Promise<SqliteStore> {
        const store = new SqliteStore({ path: path.join(directory, "deep", "gw.sqlite"), clock: systemClock, listener: health });
        await store.open();
        return store;
    }

    describe("an SQLite store", () => {
        behavesLikeAStore(async () => {
            const directory = mkdtempSync(path.join(tmpdir(), "outbox-"));
            const store = await openSqlite(directory);
            return { store, dispose: () => store.close(5000).then(() => rmSync(directory, { recursive: true })) };
        });
    });
}
