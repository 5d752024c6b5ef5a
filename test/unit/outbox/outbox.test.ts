import assert from "node:assert/strict";
import { GatewayError } from "../../../src/errors";
import { newEvent, RecordedCompletion } from "../../support/doubles/outbox-events";
import { outboxFixture } from "../../support/doubles/outbox-fixture";
import { Disk } from "../../support/doubles/stepped-store";

const second = 1000;
const hour = 3600 * second;

describe("an outbox on a healthy link", () => {
    it("completes at the acknowledgement and writes nothing to disk", () => {
        const { outbox, link, store, clock, admit } = outboxFixture();
        outbox.linkUp();
        for (let index = 0; index < 5000; index++) {
            const completion = admit("t/a", `event ${index}`);
            clock.advance(1);
            assert.equal(completion.outcome, "open");
            link.acknowledge();
            assert.equal(completion.outcome, "done");
        }
        clock.advance(10 * second);
        store.settle();
        assert.equal(store.commits, 0);
        assert.equal(outbox.counters.acknowledged, 5000);
    });

    it("stores events that are unacknowledged after four times the usual delay, all in one transaction", () => {
        const { outbox, link, store, clock, admit } = outboxFixture();
        outbox.linkUp();
        for (let index = 0; index < 20; index++) {
            admit("t/a", "quick");
            clock.advance(10);
            link.acknowledge();
        }
        store.settle();
        const slow = [1, 2, 3].map((index) => admit("t/a", `slow ${index}`));
        clock.advance(39);
        assert.equal(store.outstanding, 0);
        clock.advance(2);
        assert.equal(store.outstanding, 1);
        assert.equal(slow[0]?.outcome, "open");
        store.settle();
        assert.deepEqual(
            slow.map((completion) => completion.outcome),
            ["done", "done", "done"],
        );
        assert.equal(store.commits, 1);
    });

    it("measures the platform's delay even after an event whose acknowledgement never counted", () => {
        const { outbox, gate, link, store, clock, admit } = outboxFixture();
        outbox.linkUp();
        admit("t/refused", "goes back");
        gate.verbs.recall("t/refused");
        link.acknowledge();
        for (let index = 0; index < 20; index++) {
            admit("t/a", "quick");
            clock.advance(10);
            link.acknowledge();
        }
        store.settle();
        const slow = admit("t/a", "slow");
        clock.advance(41);
        store.settle();
        assert.equal(slow.outcome, "done");
    });

    it("writes nothing to disk if the process was held up while acknowledgements arrived", () => {
        const { outbox, link, store, clock, admit } = outboxFixture();
        outbox.linkUp();
        const read = admit("t/a", "acknowledged meanwhile");
        admit("t/a", "not acknowledged");
        clock.stall(1000);
        // Node.js runs what is due before it reads what has come.
        link.acknowledge();
        assert.equal(read.outcome, "done");
        clock.advance(5);
        store.settle();
        assert.equal(outbox.counters.writtenEvents, 1);
    });

    it("removes acknowledged events from disk in batches", () => {
        const { outbox, link, store, disk, writeOut, admit } = outboxFixture({ limits: { maxInFlight: 1000 } });
        outbox.linkUp();
        for (let index = 0; index < 300; index++) admit("t/a", `${index}`);
        writeOut();
        assert.equal(store.commits, 1);
        link.acknowledgeAll();
        writeOut();
        assert.equal(store.commits, 2);
        assert.equal(disk.events, 0);
    });

    it("sends no more events than the window allows, and no faster than the rate", () => {
        const { outbox, link, clock, admit } = outboxFixture({ limits: { maxInFlight: 3, maxRate: 10 } });
        outbox.linkUp();
        for (let index = 0; index < 30; index++) admit("t/a", `${index}`);
        assert.equal(link.sent.length, 1);
        clock.advance(200);
        assert.equal(link.sent.length, 3);
        clock.advance(10 * second);
        assert.equal(link.sent.length, 3);
        link.acknowledgeAll();
        clock.advance(2 * second);
        for (let count = 0; count < 50; count++) {
            link.acknowledgeAll();
            clock.advance(100);
        }
        assert.deepEqual(link.sent, [...Array(30).keys()].map(String));
        assert.equal(outbox.takeRate(), true);
        assert.equal(outbox.takeRate(), false);
    });

    it("sends nothing while the connection accepts no writes", () => {
        const { outbox, link, admit } = outboxFixture();
        outbox.linkUp();
        link.writable = false;
        admit("t/a", "1");
        assert.deepEqual(link.sent, []);
        link.writable = true;
        outbox.resume();
        assert.deepEqual(link.sent, ["1"]);
    });
});

describe("an outbox without a link", () => {
    it("without a link, completes events when their group is on disk, not before", () => {
        const { store, clock, admit } = outboxFixture();
        const completions = [1, 2, 3].map((index) => admit("t/a", `${index}`));
        clock.advance(25);
        assert.equal(store.outstanding, 1);
        assert.deepEqual(
            completions.map((completion) => completion.outcome),
            ["open", "open", "open"],
        );
        store.settle();
        assert.deepEqual(
            completions.map((completion) => completion.outcome),
            ["done", "done", "done"],
        );
    });

    it("after a reconnect, sends all unacknowledged events again, in order, through the window", () => {
        const { outbox, link, cut, admit } = outboxFixture({ limits: { maxInFlight: 4 } });
        outbox.linkUp();
        for (let index = 0; index < 6; index++) admit("t/a", `${index}`);
        link.acknowledge(1);
        assert.deepEqual(link.sent, ["0", "1", "2", "3", "4"]);
        cut();
        link.sent.length = 0;
        outbox.linkUp();
        assert.deepEqual(link.sent, ["0", "2", "3", "4"]);
        link.acknowledgeAll();
        assert.deepEqual(link.sent, ["0", "2", "3", "4", "5"]);
    });

    it("keeps a long queue on disk and drains it in order after a restart", () => {
        const disk = new Disk();
        const memory = { readyEvents: 10, batchEvents: 5 };
        const before = outboxFixture({ disk, memory });
        const completions = [...Array(100).keys()].map((index) => before.admit(`t/${index % 3}`, `${index}`));
        for (let round = 0; round < 30; round++) before.writeOut();
        assert.ok(completions.every((completion) => completion.outcome === "done"));

        const after = outboxFixture({ disk, memory });
        assert.equal(after.outbox.counters.queued, 100);
        after.admit("t/0", "100");
        after.outbox.linkUp();
        for (let round = 0; round < 200; round++) {
            after.store.settle();
            after.link.acknowledgeAll();
        }
        assert.deepEqual(after.link.sent, [...Array(101).keys()].map(String));
        for (let round = 0; round < 30; round++) after.writeOut();
        assert.equal(disk.events, 0);
        assert.equal(after.outbox.counters.queued, 0);
    });

    it("queues events that arrive while the file is being opened behind those in the file", () => {
        const disk = new Disk();
        const before = outboxFixture({ disk });
        before.admit("t/a", "old");
        before.writeOut();
        const after = outboxFixture({ disk, isOpen: false });
        after.outbox.linkUp();
        after.admit("t/a", "new");
        assert.deepEqual(after.link.sent, []);
        after.store.open();
        after.store.settle();
        after.link.acknowledgeAll();
        assert.deepEqual(after.link.sent, ["old", "new"]);
    });
});

describe("the completion of events", () => {
    it("completes in the mode `acknowledged` at the acknowledgement, even if the event was only on disk meanwhile", () => {
        const { outbox, link, store, writeOut, admit } = outboxFixture({ memory: { readyEvents: 2, batchEvents: 2 } });
        const completions = [...Array(8).keys()].map((index) => admit("t/a", `${index}`, { completionMode: "acknowledged" }));
        for (let round = 0; round < 10; round++) writeOut();
        assert.ok(completions.every((completion) => completion.outcome === "open"));
        outbox.linkUp();
        for (let round = 0; round < 20; round++) {
            store.settle();
            link.acknowledge();
        }
        assert.deepEqual(
            completions.map((completion) => completion.outcome),
            Array(8).fill("done"),
        );
    });

    it("limits the number of events that wait for their acknowledgement", () => {
        const { admit } = outboxFixture({ memory: { waitingCompletions: 3 } });
        for (let index = 0; index < 3; index++) assert.equal(admit("t/a", "waits", { completionMode: "acknowledged" }).outcome, "open");
        assert.equal(admit("t/a", "too many", { completionMode: "acknowledged" }).error?.code, "GW_OUTBOX_FULL");
        assert.equal(admit("t/a", "safe").outcome, "open");
    });

    it("completes at the acknowledgement without a durable store; beyond the limit, events are sent but not completed", () => {
        const { outbox, link, admit } = outboxFixture({ isInMemory: true, memory: { waitingCompletions: 2 } });
        const completions = [1, 2, 3].map((index) => admit("t/a", `${index}`));
        outbox.linkUp();
        link.acknowledgeAll();
        assert.deepEqual(link.sent, ["1", "2", "3"]);
        assert.deepEqual(
            completions.map((completion) => completion.outcome),
            ["done", "done", "open"],
        );
    });

    it("rejects events offline if the outbox is off, while events in flight are sent again", () => {
        const { outbox, link, cut, admit } = outboxFixture({ isInMemory: true, limits: { acceptsOffline: false } });
        assert.equal(admit("t/a", "early").error?.code, "GW_NOT_CONNECTED");
        outbox.linkUp();
        const inFlight = admit("t/a", "in flight");
        cut();
        assert.equal(admit("t/a", "late").error?.code, "GW_NOT_CONNECTED");
        outbox.linkUp();
        link.acknowledgeAll();
        assert.equal(inFlight.outcome, "done");
        assert.deepEqual(link.sent, ["in flight", "in flight"]);
    });
});

describe("a full outbox", () => {
    const payload = "x".repeat(100);

    it("rejects a new event when it is full, with an error that says how full it is", () => {
        const { admit } = outboxFixture({ limits: { maxBytes: 1000 } });
        const completions = [...Array(11)].map(() => admit("t/a", payload));
        assert.equal(completions[9]?.outcome, "open");
        assert.equal(completions[10]?.error?.code, "GW_OUTBOX_FULL");
        assert.match(completions[10]?.error?.message ?? "", /^The outbox rejected the event: it holds /);
    });

    it("limits the number of events with empty payloads", () => {
        const { outbox, admit } = outboxFixture({ isInMemory: true, limits: { maxBytes: 1000 } });
        for (let index = 0; index < 10_002; index++) admit("t/a", "");
        assert.equal(admit("t/a", "").error?.code, "GW_OUTBOX_FULL");
        assert.equal(outbox.counters.queued, 10_002);
    });

    it("rejects events with GW_OUTBOX_FULL before a flood of small ones exceeds the configured memory", () => {
        const { outbox, admit } = outboxFixture({ isInMemory: true, limits: { maxBytes: 5_000_000 } });
        for (let index = 0; index < 30_000; index++) admit("t/a", "");
        assert.equal(outbox.counters.queued, 20_000);
        assert.match(String(admit("t/a", "").error?.message), /500 bytes of memory/);
    });

    it("drops the oldest events if configured: each one fails, or is handed over with its data", () => {
        const { outbox, listener, clock, writeOut, admit } = outboxFixture({ limits: { maxBytes: 500, whenFull: "drop-oldest" } });
        const first = [...Array(5).keys()].map((number) => admit("t/a", String(number).padEnd(100)));
        writeOut();
        assert.ok(first.every((completion) => completion.outcome === "done"));
        const later = [...Array(5).keys()].map(() => admit("t/a", payload));
        clock.advance(second);
        assert.equal(outbox.counters.dropped, 5);
        assert.deepEqual(
            listener.late.map(({ error, event }) => [error.code, String(event.payload).trim()]),
            ["0", "1", "2", "3", "4"].map((text) => ["GW_OUTBOX_FULL", text]),
        );
        const third = admit("t/a", payload);
        assert.equal(later[0]?.error?.code, "GW_OUTBOX_FULL");
        assert.equal(third.outcome, "open");
        assert.equal(outbox.counters.queuedBytes, 500);
    });

    it("drops the oldest events even if they are only on disk", () => {
        const { outbox, store, link, writeOut, admit } = outboxFixture({
            limits: { maxBytes: 2000, whenFull: "drop-oldest" },
            memory: { readyEvents: 4, batchEvents: 2 },
        });
        for (let index = 0; index < 200; index++) {
            const completion = admit("t/a", String(index).padStart(100, "0"));
            if (index % 5 === 0) writeOut();
            assert.notEqual(completion.outcome, "failed");
        }
        for (let round = 0; round < 50; round++) writeOut();
        assert.ok(outbox.counters.queuedBytes <= 2000);
        outbox.linkUp();
        for (let round = 0; round < 200; round++) {
            store.settle();
            link.acknowledgeAll();
        }
        assert.equal(Number(link.sent.at(-1)), 199);
        assert.equal(link.sent.length + outbox.counters.dropped, 200);
    });

    it("drops nothing for an event that is larger than the whole outbox", () => {
        const { outbox, admit } = outboxFixture({ limits: { maxBytes: 500, whenFull: "drop-oldest" } });
        const kept = [1, 2, 3].map(() => admit("t/a", payload));
        assert.equal(admit("t/a", "x".repeat(501)).error?.code, "GW_OUTBOX_FULL");
        assert.deepEqual([outbox.counters.queued, outbox.counters.dropped], [3, 0]);
        assert.ok(kept.every(({ outcome }) => outcome === "open"));
    });

    it("drops the oldest event, not the next one to be sent, if a held device has older ones", () => {
        const { outbox, link, gate, admit, cut } = outboxFixture({ limits: { maxBytes: 1000, whenFull: "drop-oldest" } });
        for (const device of ["t/held1", "t/held2"]) gate.hold(device);
        outbox.linkUp();
        for (let index = 0; index < 4; index++) admit(`t/held${1 + (index % 2)}`, `held ${index}`.padEnd(100));
        cut();
        for (let index = 0; index < 9; index++) admit("t/a", `new ${index}`.padEnd(100));
        assert.equal(outbox.counters.dropped, 3);
        for (const device of ["t/held1", "t/held2"]) gate.release(device);
        outbox.linkUp();
        link.acknowledgeAll();
        const sent = link.sent.map((text) => text.trim()).sort();
        assert.deepEqual(sent, ["held 3", ...[...Array(9).keys()].map((index) => `new ${index}`)]);
    });

    it("limits held devices to half of the outbox, and rejects only their events beyond it", () => {
        const { outbox, link, gate, store, admit } = outboxFixture({ limits: { maxBytes: 1000 } });
        gate.hold("t/held");
        outbox.linkUp();
        const held = [...Array(7)].map(() => admit("t/held", payload));
        assert.deepEqual(
            held.map((completion) => completion.error?.code),
            [...Array(5).fill(undefined), ...Array(2).fill("GW_OUTBOX_FULL")],
        );
        const other = admit("t/other", payload);
        link.acknowledgeAll();
        assert.equal(other.outcome, "done");
        gate.release("t/held");
        gate.verbs.wake("t/held");
        store.settle();
        link.acknowledgeAll();
        assert.equal(outbox.counters.heldBytes, 0);
        assert.equal(outbox.counters.queued, 0);
    });

    it("rejects events of new devices beyond the limit of waiting ones, but of no known device", () => {
        const { outbox, link, gate, admit, writeOut } = outboxFixture({ memory: { waitingDevices: 3 } });
        for (const time of ["t/10:00", "t/10:01", "t/10:02"]) assert.equal(admit(time, "reading").outcome, "open");
        const rejected = admit("t/10:03", "reading");
        assert.equal(rejected.error?.code, "GW_OUTBOX_FULL");
        assert.match(String(rejected.error?.message), /3 devices/);
        assert.equal(admit("t/10:00", "the next reading").outcome, "open", "it has something waiting");
        gate.known.add("t/pump");
        assert.equal(admit("t/pump", "reading").outcome, "open", "the platform knows it");
        writeOut();
        outbox.linkUp();
        writeOut();
        link.acknowledgeAll();
        assert.equal(admit("t/10:03", "reading").outcome, "open", "the others do not wait any more");
    });

    it("keeps what is in the file of however many devices", () => {
        const disk = new Disk();
        const before = outboxFixture({ disk });
        for (let index = 0; index < 10; index++) before.admit(`t/${index}`, `${index}`);
        before.writeOut();
        const after = outboxFixture({ disk, memory: { waitingDevices: 3 } });
        after.store.settle();
        assert.equal(after.outbox.counters.queued, 10);
        assert.equal(after.admit("t/9", "another").outcome, "open");
        assert.equal(after.admit("t/10", "new").error?.code, "GW_OUTBOX_FULL");
        after.outbox.linkUp();
        after.writeOut();
        assert.equal(after.link.sent.length, 11);
    });

    it("counts the queue of a device that is known to be held as held from the start, online or not", () => {
        const { gate, admit } = outboxFixture({ limits: { maxBytes: 1000 } });
        gate.hold("t/held");
        const held = [...Array(6)].map(() => admit("t/held", payload));
        assert.equal(held[5]?.error?.code, "GW_OUTBOX_FULL");
        assert.equal(admit("t/other", payload).outcome, "open");
    });
});

describe("expiry", () => {
    it("reports an expired event offline and on time, through its completion or the listener", () => {
        const { clock, listener, outbox, writeOut, admit } = outboxFixture();
        const stored = admit("t/a", "stored", { ttlMs: 10 * second });
        const waiting = admit("t/a", "waiting", { ttlMs: 20 * second, completionMode: "acknowledged" });
        const kept = admit("t/a", "kept");
        writeOut();
        clock.advance(12 * second);
        assert.equal(stored.outcome, "done");
        assert.deepEqual(
            listener.late.map(({ error, event }) => [error.code, event.message.messageId]),
            [["GW_EXPIRED", "message-stored"]],
        );
        assert.equal(waiting.outcome, "open");
        writeOut();
        clock.advance(10 * second);
        writeOut();
        clock.advance(10 * second);
        assert.equal(waiting.error?.code, "GW_EXPIRED");
        assert.notEqual(kept.outcome, "failed");
        assert.equal(outbox.counters.queued, 1);
    });

    it("finds expired events that are only on disk", () => {
        const { clock, store, listener, disk, writeOut, admit } = outboxFixture({ memory: { readyEvents: 2, batchEvents: 2 } });
        for (let index = 0; index < 6; index++) admit("t/a", `${index}`, { ttlMs: index < 4 ? 10 * second : hour });
        for (let round = 0; round < 5; round++) writeOut();
        clock.advance(15 * second);
        store.settle();
        for (let round = 0; round < 5; round++) writeOut();
        assert.deepEqual(listener.late.map(({ event }) => String(event.payload)).sort(), ["0", "1", "2", "3"]);
        assert.equal(disk.events, 2);
    });

    it("expiry on disk gives a held device no more than its share", () => {
        const { outbox, gate, clock, store, writeOut, admit } = outboxFixture({
            memory: { readyEvents: 2, batchEvents: 2 },
            limits: { maxBytes: 1000 },
        });
        for (let index = 0; index < 6; index++) admit("t/held", "x".repeat(100), { ttlMs: 10 * second });
        for (let round = 0; round < 5; round++) writeOut();
        gate.hold("t/held");
        clock.advance(15 * second);
        store.settle();
        for (let round = 0; round < 5; round++) writeOut();
        assert.deepEqual([outbox.counters.expired, outbox.counters.heldBytes], [6, 0]);
        const held = [...Array(6)].map(() => admit("t/held", "x".repeat(100)));
        assert.equal(held[5]?.error?.code, "GW_OUTBOX_FULL");
    });

    it("does not send an expired event", () => {
        const { outbox, link, clock, admit } = outboxFixture();
        admit("t/a", "short", { ttlMs: 500 });
        admit("t/a", "long");
        clock.advance(600);
        outbox.linkUp();
        assert.deepEqual(link.sent, ["long"]);
    });

    it("expires no event because the clock was set in either direction", () => {
        const { outbox, clock, link, store, listener, writeOut, admit } = outboxFixture({ memory: { readyEvents: 2, batchEvents: 2 } });
        for (let index = 0; index < 6; index++) admit("t/a", `${index}`, { ttlMs: hour });
        writeOut();
        clock.jump(clock.now() + 1000 * hour);
        for (let round = 0; round < 100; round++) writeOut();
        clock.jump(clock.now() - 5000 * hour);
        for (let round = 0; round < 100; round++) writeOut();
        assert.deepEqual(listener.late, []);
        clock.advance(2 * hour);
        for (let round = 0; round < 500; round++) writeOut();
        assert.equal(listener.late.length, 6);
        outbox.linkUp();
        store.settle();
        assert.deepEqual(link.sent, []);
    });

    describe("because the clock was set", () => {
        const years = 50_000 * hour;

        /** Eight events, of which two are in memory and the others on disk only. */
        function stored() {
            const fixture = outboxFixture({ memory: { readyEvents: 2, batchEvents: 2 } });
            for (let index = 0; index < 8; index++) fixture.admit("t/a", `${index}`, { ttlMs: hour });
            for (let round = 0; round < 5; round++) fixture.writeOut();
            const { outbox, link, store, clock, listener } = fixture;
            const assertAllIsSent = () => {
                outbox.linkUp();
                for (let round = 0; round < 20; round++) {
                    store.open();
                    store.settle();
                    link.acknowledgeAll();
                    clock.advance(1 * second);
                }
                assert.deepEqual(listener.late, []);
                assert.deepEqual([...link.sent].sort(), ["0", "1", "2", "3", "4", "5", "6", "7", "notices it"]);
            };
            return { ...fixture, assertAllIsSent };
        }

        it("setting the clock does not expire the event that is about to be sent", () => {
            const { outbox, link, clock, listener, admit } = outboxFixture();
            for (const text of ["1", "2"]) admit("t/a", text, { ttlMs: hour });
            clock.jump(clock.now() + years);
            outbox.linkUp();
            assert.deepEqual([link.sent, listener.late], [["1", "2"], []]);
        });

        it("setting the clock does not expire events that are being read from disk", () => {
            const { outbox, store, clock, admit, assertAllIsSent } = stored();
            outbox.linkUp();
            assert.equal(store.outstanding, 1);
            clock.jump(clock.now() + years);
            admit("t/b", "notices it");
            assertAllIsSent();
        });

        it("setting the clock does not expire events in a file that is unreachable at that moment", () => {
            const { store, clock, admit, assertAllIsSent } = stored();
            store.close();
            clock.jump(clock.now() + years);
            admit("t/b", "notices it");
            store.open();
            for (let round = 0; round < 5; round++) {
                clock.advance(70 * second);
                store.settle();
            }
            assertAllIsSent();
        });

        it("setting the clock does not expire events whose times cannot be written to a full disk", () => {
            const { store, clock, admit, assertAllIsSent } = stored();
            clock.jump(clock.now() + years);
            admit("t/b", "notices it");
            store.fail();
            for (let round = 0; round < 5; round++) {
                clock.advance(70 * second);
                store.settle();
            }
            assertAllIsSent();
        });
    });
});

describe("an outbox whose store fails", () => {
    it("while the store fails, completes at the acknowledgement, stays bounded, and stores the rest when the store is back", () => {
        const { outbox, link, store, disk, writeOut, admit } = outboxFixture({ memory: { readyEvents: 3, unsavedEvents: 4 } });
        store.close();
        const completions = [...Array(9).keys()].map((index) => admit("t/a", `${index}`));
        assert.deepEqual(
            completions.slice(7).map((completion) => completion.error?.code),
            ["GW_OUTBOX_FULL", "GW_OUTBOX_FULL"],
        );
        assert.ok(outbox.counters.isStoreFailing);
        outbox.linkUp();
        for (let index = 0; index < 3; index++) link.acknowledge();
        assert.deepEqual(
            completions.slice(0, 4).map((completion) => completion.outcome),
            ["done", "done", "done", "open"],
        );
        store.open();
        for (let round = 0; round < 5; round++) writeOut();
        assert.ok(completions.slice(0, 7).every((completion) => completion.outcome === "done"));
        assert.equal(disk.events, 4);
        assert.ok(!outbox.counters.isStoreFailing);
        link.acknowledgeAll();
        store.settle();
        link.acknowledgeAll();
        assert.deepEqual(link.sent, ["0", "1", "2", "3", "4", "5", "6"]);
    });

    it("retries a group, and removes before it writes, because that may free space", () => {
        const { outbox, link, store, clock, writeOut, admit } = outboxFixture();
        outbox.linkUp();
        admit("t/a", "stored");
        writeOut();
        const late = admit("t/a", "late");
        clock.advance(300);
        store.fail();
        link.acknowledge();
        clock.advance(1 * second);
        store.settle();
        assert.equal(late.outcome, "open");
        clock.advance(1 * second);
        store.settle();
        assert.equal(late.outcome, "done");
    });

    it("keeps the order of events if the store returns within seconds, and continues without it otherwise", () => {
        const { outbox, link, store, clock, writeOut, admit } = outboxFixture({ memory: { readyEvents: 2, batchEvents: 2 } });
        const interrupt = () => {
            for (let index = 1; index <= 4; index++) admit("t/a", `stored ${index}`);
            for (let round = 0; round < 5; round++) writeOut();
            store.close();
            outbox.linkUp();
            admit("t/a", "new");
            link.acknowledgeAll();
        };
        const end = () => {
            for (let round = 0; round < 5; round++) {
                store.settle();
                link.acknowledgeAll();
            }
            return link.sent.splice(0);
        };
        interrupt();
        clock.advance(9 * second);
        assert.deepEqual(link.sent, ["stored 1", "stored 2"]);
        store.open();
        assert.deepEqual(end(), ["stored 1", "stored 2", "stored 3", "stored 4", "new"]);
        outbox.linkDown();
        interrupt();
        clock.advance(10 * second);
        link.acknowledgeAll();
        assert.deepEqual(link.sent, ["stored 1", "stored 2", "new"]);
        store.open();
        assert.deepEqual(end(), ["stored 1", "stored 2", "new", "stored 3", "stored 4"]);
    });

    it("does not wait for an empty store", () => {
        const { outbox, link, store, admit } = outboxFixture();
        outbox.linkUp();
        admit("t/a", "before");
        store.close();
        admit("t/a", "after");
        assert.deepEqual(link.sent, ["before", "after"]);
    });

    it("fails events that wait for an acknowledgement if their file was set aside", () => {
        const { outbox, store, link, disk, writeOut, admit } = outboxFixture({ memory: { readyEvents: 1, batchEvents: 1 } });
        const completions = [1, 2, 3].map((index) => admit("t/a", `${index}`, { completionMode: "acknowledged" }));
        for (let round = 0; round < 5; round++) writeOut();
        store.close();
        disk.clear();
        store.open({ isContinued: false });
        assert.deepEqual(
            completions.map((completion) => completion.error?.code),
            [undefined, "GW_STORE", "GW_STORE"],
        );
        writeOut();
        assert.equal(disk.events, 1);
        outbox.linkUp();
        link.acknowledgeAll();
        assert.equal(completions[0]?.outcome, "done");
        assert.equal(outbox.counters.queued, 0);
    });
});

describe("closing an outbox", () => {
    it("is the end, also for a store that opens only afterwards", async () => {
        const { outbox, store, clock } = outboxFixture({ isOpen: false });
        let isClosed = false;
        void outbox.close(second).then(() => {
            isClosed = true;
        });
        while (!isClosed) {
            clock.advance(second);
            await new Promise((resolve) => setImmediate(resolve));
        }
        store.open();
        clock.advance(180 * second);
        assert.deepEqual([store.outstanding, clock.timerCount], [0, 0]);
    });

    it("on closing, stores unsafe events, and removes those acknowledged meanwhile, so that they are not sent again", async () => {
        const { outbox, link, store, disk, clock, admit } = outboxFixture({ limits: { maxInFlight: 2 } });
        outbox.linkUp();
        const completions = [1, 2, 3].map((index) => admit("t/a", `${index}`));
        const closed = outbox.close(5 * second);
        assert.equal(admit("t/a", "late").error?.code, "GW_NOT_CONNECTED");
        store.settle();
        assert.deepEqual(
            completions.map((completion) => completion.outcome),
            ["done", "done", "done"],
        );
        link.acknowledgeAll();
        await soon();
        clock.advance(1);
        store.settle();
        await soon();
        store.settle();
        assert.equal(await closed, 0);
        assert.deepEqual(link.sent, ["1", "2"]);
        assert.equal(disk.events, 1);
        assert.equal(clock.timerCount, 0);
    });

    it("closing ends at the deadline with the number of unsafe events", async () => {
        const { outbox, store, clock, admit } = outboxFixture();
        store.close();
        admit("t/a", "1");
        const closed = outbox.close(2 * second);
        for (let round = 0; round < 10; round++) {
            clock.advance(1 * second);
            await soon();
        }
        assert.equal(await closed, 1);
        assert.equal(clock.timerCount, 0);
    });

    it("closing without a durable store waits for acknowledgements, and then fails the rest", async () => {
        const { outbox, link, clock, admit } = outboxFixture({ isInMemory: true, limits: { maxInFlight: 1 } });
        outbox.linkUp();
        const completions = [1, 2, 3].map((index) => admit("t/a", `${index}`));
        const closed = outbox.close(2 * second);
        link.acknowledge();
        assert.deepEqual(link.sent, ["1", "2"]);
        clock.advance(2 * second);
        assert.equal(await closed, 2);
        assert.deepEqual(
            completions.map((completion) => completion.error?.code),
            [undefined, "GW_NOT_CONNECTED", "GW_NOT_CONNECTED"],
        );
    });
});

describe("an outbox in memory", () => {
    it("in memory, fails and counts every event when it closes, even those behind the first thousands", async () => {
        const { outbox, admit } = outboxFixture({ isInMemory: true, memory: { waitingCompletions: 7000 } });
        const completions = [...Array(8000).keys()].map((index) => admit("t/a", `${index}`));
        assert.equal(await outbox.close(1 * second), 8000);
        assert.ok(completions.slice(0, 7000).every(({ error }) => error?.code === "GW_NOT_CONNECTED"));
        assert.match(completions[6999]?.error?.message ?? "", /event status of t\/a/);
    });

    it("sends the events of a device that wait behind expired ones", () => {
        const { outbox, link, gate, clock, cut, admit } = outboxFixture({
            isInMemory: true,
            limits: { maxInFlight: 4 },
            memory: { readyEvents: 4, deviceEvents: 2, batchEvents: 3 },
        });
        outbox.linkUp();
        for (let index = 0; index < 5; index++) admit("t/a", `brief ${index}`, { ttlMs: 3 * second });
        admit("t/b", "other");
        gate.hold("t/a");
        cut();
        outbox.linkUp();
        clock.advance(4 * second);
        link.acknowledgeAll();
        assert.equal(outbox.counters.expired, 5);
        admit("t/a", "kept");
        gate.release("t/a");
        gate.verbs.wake("t/a");
        link.acknowledgeAll();
        assert.deepEqual([link.sent.at(-1), outbox.counters.queued], ["kept", 0]);
    });

    it("counts only events outside the file of an earlier run as lost when it closes", async () => {
        const { outbox, file, link, left } = previousBacklogs();
        outbox.linkUp();
        for (let round = 0; round < 3; round++) {
            file.step();
            link.acknowledgeAll();
        }
        outbox.linkDown();
        outbox.admit(newEvent("t/b", "lost"));
        assert.equal(await outbox.close(1 * second), 1);
        file.settle();
        assert.equal(left.disk.events, 40 - link.sent.length);
    });

    it("continues without the backlog of an earlier run if its file is no longer readable", () => {
        const { outbox, file, clock, link, left } = previousBacklogs();
        outbox.linkUp();
        file.step();
        link.acknowledgeAll();
        const { length } = link.sent;
        assert.ok(length < 40);
        file.close();
        const completion = new RecordedCompletion();
        outbox.admit(newEvent("t/a", "new"), completion);
        for (let round = 0; round < 60; round++) {
            clock.advance(1 * second);
            link.acknowledgeAll();
        }
        assert.equal(completion.outcome, "done");
        assert.deepEqual(link.sent.slice(length), ["new"]);
        assert.ok(left.disk.events >= 40 - length);
    });

    it("waits for the file of an earlier run if it fails only for a moment", () => {
        const { outbox, file, clock, link } = previousBacklogs();
        outbox.linkUp();
        file.step();
        file.step();
        file.close();
        outbox.admit(newEvent("t/a", "new"));
        clock.advance(5 * second);
        file.open();
        for (let round = 0; round < 60; round++) {
            clock.advance(1 * second);
            file.settle();
            link.acknowledgeAll();
        }
        assert.deepEqual(link.sent, [...[...Array(40).keys()].map((index) => `old ${index}`), "new"]);
    });

    /** Forty events on disk, and an outbox in memory that finds them. */
    function previousBacklogs() {
        const memory = { readyEvents: 4, batchEvents: 2 };
        const left = outboxFixture({ memory });
        for (let index = 0; index < 40; index++) left.admit("t/a", `old ${index}`);
        for (let round = 0; round < 40; round++) left.writeOut();
        const fixture = outboxFixture({ disk: left.disk, storesNothing: true, memory });
        return { ...fixture, file: fixture.store, left };
    }
});

describe("registration attempts in the outbox", () => {
    it("a registration attempt keeps later events of its device waiting until its outcome, while other devices flow", () => {
        const { outbox, link, gate, admit } = outboxFixture();
        gate.answers.set("t/new", "check");
        outbox.linkUp();
        const first = admit("t/new", "n1");
        admit("t/new", "n2");
        admit("t/known", "k1");
        assert.deepEqual(link.sent, ["n1", "k1"]);
        link.acknowledge();
        assert.equal(first.outcome, "open");
        gate.answers.delete("t/new");
        gate.verbs.confirm("t/new");
        assert.equal(first.outcome, "done");
        assert.deepEqual(link.sent, ["n1", "k1", "n2"]);
    });

    it("events in flight of a known device that is refused return to its queue in order, and their acknowledgements are ignored", () => {
        const { outbox, link, gate, admit } = outboxFixture();
        outbox.linkUp();
        const events = ["n1", "n2", "n3"].map((payload) => admit("t/known", payload));
        const other = admit("t/other", "o1");
        link.acknowledge();
        gate.verbs.recall("t/known");
        link.acknowledge();
        link.acknowledge();
        assert.deepEqual(
            [...events, other].map(({ outcome }) => outcome),
            ["done", "open", "open", "open"],
        );
        link.acknowledge();
        assert.equal(other.outcome, "done");
        admit("t/known", "n4");
        assert.deepEqual(link.sent, ["n1", "n2", "n3", "o1"]);
        gate.answers.delete("t/known");
        gate.verbs.wake("t/known");
        assert.deepEqual(link.sent, ["n1", "n2", "n3", "o1", "n2", "n3", "n4"]);
        for (let count = 0; count < 3; count++) link.acknowledge();
        assert.deepEqual([outbox.counters.queued, outbox.counters.waitingDevices, outbox.counters.heldBytes], [0, 0, 0]);
    });

    it("a registration attempt returns to the head of its queue after a temporary failure, and is dropped after a final one", () => {
        const { outbox, link, gate, admit } = outboxFixture();
        gate.answers.set("t/new", "check");
        outbox.linkUp();
        const first = admit("t/new", "n1");
        const second = admit("t/new", "n2");
        link.acknowledge();
        gate.verbs.requeue("t/new");
        assert.deepEqual(link.sent, ["n1"]);
        gate.verbs.wake("t/new");
        assert.deepEqual(link.sent, ["n1", "n1"]);
        link.acknowledge();
        const refused = new GatewayError("GW_REFUSED", "refused, says the test");
        gate.verbs.drop("t/new", refused);
        assert.equal(first.error, refused);
        assert.deepEqual(link.sent, ["n1", "n1", "n2"]);
        link.acknowledge();
        gate.verbs.confirm("t/new");
        assert.equal(second.outcome, "done");
        assert.equal(outbox.counters.waitingDevices, 0);
    });
});

describe("the progress of a drain", () => {
    it("estimates the rate and the remaining time of a drain, new events included", () => {
        const { outbox, link, clock, admit } = outboxFixture({ isInMemory: true });
        outbox.progress();
        for (let index = 0; index < 2000; index++) admit("t/a", `${index}`);
        outbox.linkUp();
        clock.advance(1 * second);
        outbox.progress();
        for (let round = 0; round < 10; round++) {
            for (let count = 0; count < 100; count++) link.acknowledge();
            for (let count = 0; count < 50; count++) admit("t/a", "more");
            clock.advance(1 * second);
            outbox.progress();
        }
        const { left, ratePerSecond, secondsLeft } = outbox.progress();
        assert.equal(left, 1500);
        assert.ok(ratePerSecond > 90 && ratePerSecond <= 100, String(ratePerSecond));
        assert.ok(secondsLeft !== undefined && secondsLeft >= 30 && secondsLeft < 60, String(secondsLeft));
    });
});

function soon(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
}
