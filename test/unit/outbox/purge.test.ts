import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemClock } from "../../../src/clock";
import type { GatewayError } from "../../../src/errors";
import type { OutboxEvent } from "../../../src/outbox/event";
import { thisBoot } from "../../../src/outbox/machine-boot";
import { Outbox } from "../../../src/outbox/outbox";
import type { MemoryLimits } from "../../../src/outbox/outbox-limits";
import { isSqliteAvailable } from "../../../src/outbox/store/open-store";
import { SqliteStore } from "../../../src/outbox/store/sqlite-store";
import type { EventStore, StoreContents } from "../../../src/outbox/store/store";
import { newEvent, RecordedCompletion, RecordingListener, roomyLimits } from "../../support/doubles/outbox-events";
import { ManualGate, ManualLink } from "../../support/doubles/outbox-ports";
import { waitFor } from "../../support/wait-for";

const gone = "t/gone";
const kept = "t/kept";

/** An outbox on a store, and on the machine's clock: a purge of a large backlog is to leave the process alone in between. */
function outboxOn(store: EventStore | undefined, options: { maxInFlight?: number; memory?: Partial<MemoryLimits> } = {}) {
    const link = new ManualLink();
    const gate = new ManualGate();
    const listener = new RecordingListener();
    const limits = { ...roomyLimits, maxInFlight: options.maxInFlight ?? 100 };
    const outbox = new Outbox({
        store,
        storesEvents: store !== undefined,
        clock: systemClock,
        boot: thisBoot,
        limits,
        memory: options.memory ?? {},
        gate,
        link,
        listener,
    });
    return {
        outbox,
        link,
        gate,
        listener,
        admit(device: string, text: string, complete: "safe" | "acknowledged" = "safe"): RecordedCompletion {
            const completion = new RecordedCompletion();
            outbox.admit(newEvent(device, text, { completionMode: complete }), completion);
            return completion;
        },
        /** Sends and acknowledges until nothing is left. */
        async drain(): Promise<void> {
            outbox.linkUp();
            await waitFor(() => {
                link.acknowledgeAll();
                return outbox.counters.queued === 0;
            }, "everything to be sent");
        },
    };
}

/** What a purge does, whatever the events are stored in. */
function behavesLikeAPurge(open: () => Promise<{ store: EventStore | undefined; close: () => Promise<StoreContents> }>): void {
    const small = { readyEvents: 4, batchEvents: 3, deviceEvents: 3 };
    let store: EventStore | undefined;
    let close: () => Promise<StoreContents>;

    beforeEach(async () => {
        ({ store, close } = await open());
    });

    it("drops the queue of the device in memory and on disk, reports each event once, and leaves the rest in order", async () => {
        const { outbox, link, listener, admit, drain } = outboxOn(store, { memory: small });
        const safe = Array.from({ length: 40 }, (_, index) => admit(index % 2 === 0 ? gone : kept, `${index}`));
        const waiting = admit(gone, "waiting", "acknowledged");
        if (store) await waitFor(() => safe.every(({ outcome }) => outcome === "done"), "everything to be stored");
        assert.equal(await outbox.purge(gone), 21);
        assert.equal(waiting.error?.code, "GW_EXPIRED");
        assert.match(waiting.error?.message ?? "", /an operator purged all events waiting for this device/);
        const late = listener.late.map(({ error, event }) => [error.code, event.device]);
        const failed = safe.filter(({ outcome }) => outcome === "failed");
        assert.equal(late.length + failed.length, 20);
        assert.ok(late.every(([code, device]) => code === "GW_EXPIRED" && device === gone));
        const { queued, dropped, expired } = outbox.counters;
        assert.deepEqual({ queued, dropped, expired }, { queued: 20, dropped: 21, expired: 0 });
        await drain();
        assert.deepEqual(
            link.sent,
            Array.from({ length: 20 }, (_, index) => `${index * 2 + 1}`),
        );
        await outbox.close(5000);
        assert.equal((await close()).events, 0);
    });

    it("leaves no event of the device in the store", async () => {
        const { outbox, admit } = outboxOn(store, { memory: small });
        for (let index = 0; index < 30; index++) admit(index % 3 === 0 ? kept : gone, `${index}`);
        if (store) await waitFor(() => outbox.counters.writtenEvents === 30, "everything to be stored");
        assert.equal(await outbox.purge(gone), 20);
        const everything = { priority: "normal", after: 0, upTo: 1000, maxEvents: 1000, maxBytes: 1e6 } as const;
        const left = await new Promise<readonly OutboxEvent[]>((resolve) =>
            store ? store.read(everything, (_, { events }) => resolve(events)) : resolve([]),
        );
        const devices = left.map(({ device }) => device);
        assert.ok(!devices.includes(gone), String(devices));
        await outbox.close(0);
        await close();
    });

    it("leaves events in flight, and those that arrive later", async () => {
        const { outbox, link, admit } = outboxOn(store, { maxInFlight: 2 });
        outbox.linkUp();
        const [inFlight, other, waiting] = [admit(gone, "in flight"), admit(kept, "other"), admit(gone, "waiting")];
        const purged = outbox.purge(gone);
        const later = admit(gone, "later");
        assert.equal(await purged, 1);
        assert.equal(waiting.error?.code, "GW_EXPIRED");
        link.acknowledgeAll();
        assert.deepEqual(link.sent, ["in flight", "other", "later"]);
        assert.deepEqual([inFlight.outcome, other.outcome, later.outcome], ["done", "done", "done"]);
        await outbox.close(5000);
        await close();
    });

    it("frees the share of the outbox that a held device used", async () => {
        const { outbox, link, gate, admit } = outboxOn(store, { memory: small });
        gate.hold(gone);
        outbox.linkUp();
        for (let index = 0; index < 20; index++) admit(gone, `${index}`);
        assert.ok(outbox.counters.heldBytes > 0);
        assert.equal(await outbox.purge(gone), 20);
        const { queued, heldBytes } = outbox.counters;
        assert.deepEqual({ queued, heldBytes }, { queued: 0, heldBytes: 0 });
        gate.release(gone);
        admit(gone, "new");
        gate.verbs.wake(gone);
        await waitFor(() => link.sent.length > 0, "the new event to be sent");
        assert.deepEqual(link.sent, ["new"]);
        link.acknowledgeAll();
        assert.equal(outbox.counters.waitingDevices, 0);
        await outbox.close(5000);
        await close();
    });

    it("either sends or drops each event of a device whose backlog is being drained", async () => {
        const { outbox, link, listener, admit } = outboxOn(store, { maxInFlight: 10, memory: small });
        const completions = Array.from({ length: 2000 }, (_, index) => admit(gone, `${index}`, "acknowledged"));
        outbox.linkUp();
        let isPurged = false;
        const purged = outbox.purge(gone).finally(() => {
            isPurged = true;
        });
        await waitFor(() => {
            link.acknowledgeAll();
            return isPurged;
        }, "the purge to end");
        link.acknowledgeAll();
        assert.equal(link.sent.length + (await purged), 2000);
        assert.equal(outbox.counters.queued, 0);
        assert.ok(completions.every(({ outcome }) => outcome !== "open"));
        assert.equal(completions.filter(({ outcome }) => outcome === "done").length, link.sent.length);
        assert.deepEqual(listener.late, []);
        await outbox.close(5000);
        await close();
    });

    it("yields to the rest of the process during the purge of a large backlog", async () => {
        const events = 30_000;
        const { outbox, listener, admit } = outboxOn(store);
        for (let index = 0; index < events; index++) admit(index % 3 === 0 ? kept : gone, `${index}`);
        if (store) await waitFor(() => outbox.counters.writtenEvents === events, "everything to be stored", 30_000);
        let turns = 0;
        const ticker = setInterval(() => {
            turns += 1;
        }, 1);
        assert.equal(await outbox.purge(gone), 20_000);
        clearInterval(ticker);
        assert.ok(turns >= 20, `${turns} turns`);
        assert.equal(outbox.counters.queued, 10_000);
        if (store) assert.equal(new Set(listener.late.map(({ event }) => event.message.messageId)).size, 20_000);
        await outbox.close(0);
        const { events: stored } = await close();
        if (store) assert.equal(stored, 10_000);
    });
}

describe("a purge of an outbox in memory", () => {
    behavesLikeAPurge(() => {
        const time = { note: "", lastCreatedAt: undefined };
        const undelivered = { lastId: 0, waiting: 0, waitingBytes: 0, kept: 0, keptBytes: 0 };
        const close = () => Promise.resolve({ lastSeq: 0, events: 0, bytes: 0, isContinued: false, time, undelivered });
        return Promise.resolve({ store: undefined, close });
    });
});

if (isSqliteAvailable()) {
    const health = { failed: (error: GatewayError) => assert.fail(error), recovered: () => {} };

    describe("a purge of an outbox on disk", () => {
        behavesLikeAPurge(async () => {
            const directory = mkdtempSync(path.join(tmpdir(), "outbox-"));
            const open = async () => {
                const opened = new SqliteStore({ path: path.join(directory, "gw.sqlite"), clock: systemClock, listener: health });
                await opened.open();
                return opened;
            };
            const store = await open();
            /** What the next process would find. */
            const close = async () => {
                await store.close(5000);
                const next = await open();
                const contents = await new Promise<StoreContents>((resolve) =>
                    next.attach({ opened: resolve, closed: () => {}, clockNote: () => "" }),
                );
                await next.close(5000);
                rmSync(directory, { recursive: true });
                return contents;
            };
            return { store, close };
        });

        it("fails with an explanation if the file cannot be read, after the events in memory were dropped", async () => {
            const directory = mkdtempSync(path.join(tmpdir(), "outbox-"));
            const store = new SqliteStore({ path: directory, clock: systemClock, listener: { failed: () => {}, recovered: () => {} } });
            await store.open();
            const { outbox, admit } = outboxOn(store);
            const completion = admit(gone, "1");
            await assert.rejects(outbox.purge(gone), { code: "GW_STORE" });
            assert.equal(completion.error?.code, "GW_EXPIRED");
            await outbox.close(0);
            await store.close(5000);
            rmSync(directory, { recursive: true });
        });
    });
}
