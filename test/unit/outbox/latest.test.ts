import assert from "node:assert/strict";
import type { NewEvent } from "../../../src/outbox/event";
import type { RecordedCompletion } from "../../support/doubles/outbox-events";
import { outboxFixture } from "../../support/doubles/outbox-fixture";
import { Disk } from "../../support/doubles/stepped-store";

const latest: Partial<NewEvent> = { isLatest: true };
/** Longer than the commit delay can be. */
const whileMs = 300;

describe("events of which only the latest waits", () => {
    it("the sender of a superseded event is done at once when the newer one is on disk already", () => {
        const { outbox, admit, writeOut, gate } = outboxFixture();
        gate.onAsk = () => "check";
        outbox.linkUp();
        const older = admit("t/a", "older", { ...latest, priority: "low" });
        const newer = admit("t/a", "newer", { ...latest, priority: "high" });
        writeOut();
        assert.deepEqual([older.outcome, newer.outcome], ["open", "done"]);
        outbox.linkDown();
        assert.equal(older.outcome, "done");
    });

    for (const isInMemory of [true, false]) {
        const where = isInMemory ? "in memory" : "on disk";

        it(`${where}: one waits for each node, device and event id, and the newest is sent`, () => {
            const { outbox, store, link, admit, writeOut } = outboxFixture({ isInMemory });
            const message = { messageId: "m", nodeId: "node", eventId: "status" };
            for (let round = 0; round < 5; round++) {
                admit("t/a", `a ${round}`, latest);
                admit("t/b", `b ${round}`, latest);
                admit("t/a", `other event ${round}`, { ...latest, message: { ...message, eventId: "other" } });
                admit("t/a", `other node ${round}`, { ...latest, message: { ...message, nodeId: "other" } });
                admit("t/a", `kept ${round}`);
                writeOut();
            }
            assert.equal(outbox.counters.queued, 9);
            assert.equal(outbox.counters.superseded, 16);
            outbox.linkUp();
            store.settle();
            const kept = [0, 1, 2, 3, 4].map((round) => `kept ${round}`);
            assert.deepEqual([...link.sent].sort(), ["a 4", "b 4", ...kept, "other event 4", "other node 4"].sort());
        });

        it(`${where}: the newer one takes the place of the older one, with its own time to live`, () => {
            const { outbox, store, link, admit, clock, listener, writeOut } = outboxFixture({ isInMemory, limits: { maxInFlight: 1 } });
            admit("t/a", "before");
            admit("t/b", "value 0", { ...latest, ttlMs: 1000 });
            admit("t/c", "after");
            writeOut();
            admit("t/b", "value 1", { ...latest, ttlMs: 60_000 });
            writeOut();
            clock.advance(30_000);
            store.settle();
            outbox.linkUp();
            for (let round = 0; round < 3; round++) {
                store.settle();
                link.acknowledge();
            }
            assert.deepEqual(link.sent, ["before", "value 1", "after"]);
            assert.deepEqual(listener.late, []);
        });

        it(`${where}: what is superseded is done, without an error`, () => {
            const { outbox, link, admit, listener, writeOut } = outboxFixture({ isInMemory });
            const completions: RecordedCompletion[] = [];
            for (const completionMode of ["safe", "acknowledged"] as const) {
                for (let round = 0; round < 3; round++)
                    completions.push(admit(`t/${completionMode}`, `${round}`, { ...latest, completionMode }));
            }
            writeOut();
            const [safe0, safe1, safe2, acknowledged0, acknowledged1, acknowledged2] = completions.map(({ outcome }) => outcome);
            assert.deepEqual([safe0, safe1, acknowledged0, acknowledged1], ["done", "done", "done", "done"]);
            assert.deepEqual([safe2, acknowledged2], [isInMemory ? "open" : "done", "open"]);
            outbox.linkUp();
            link.acknowledgeAll();
            for (const { outcome } of completions) assert.equal(outcome, "done");
            assert.deepEqual([listener.late, outbox.counters.queued, outbox.counters.queuedBytes], [[], 0, 0]);
        });

        it(`${where}: with a link, only what has waited longer than the commit delay is superseded, and then at once`, () => {
            const { outbox, clock, store, link, admit, writeOut } = outboxFixture({ isInMemory, limits: { maxInFlight: 1 } });
            outbox.linkUp();
            admit("t/x", "in flight");
            admit("t/a", "value 0", latest);
            admit("t/a", "value 1", latest);
            assert.equal(outbox.counters.superseded, 0);
            clock.advance(whileMs);
            store.settle();
            assert.equal(outbox.counters.superseded, 1);
            admit("t/a", "value 2", latest);
            assert.equal(outbox.counters.superseded, 2);
            admit("t/a", "value 3", latest);
            clock.advance(1);
            assert.equal(outbox.counters.superseded, 2);
            clock.advance(whileMs);
            store.settle();
            assert.equal(outbox.counters.superseded, 3);
            writeOut();
            link.acknowledge();
            assert.deepEqual(link.sent, ["in flight", "value 3"]);
        });

        it(`${where}: nothing in flight is superseded, but what comes back from a broken link is, and its place counts`, () => {
            const { outbox, store, link, admit, writeOut, cut } = outboxFixture({ isInMemory, limits: { maxInFlight: 2 } });
            outbox.linkUp();
            admit("t/a", "value 0", latest);
            admit("t/b", "other 0");
            admit("t/b", "other 1");
            writeOut();
            admit("t/a", "value 1", latest);
            writeOut();
            assert.equal(outbox.counters.superseded, 0);
            cut();
            writeOut();
            assert.equal(outbox.counters.superseded, 1);
            outbox.linkUp();
            for (let round = 0; round < 5; round++) {
                store.settle();
                link.acknowledge();
            }
            assert.deepEqual(link.sent, ["value 0", "other 0", "value 1", "other 0", "other 1"]);
            assert.deepEqual([outbox.counters.queued, outbox.counters.queuedBytes], [0, 0]);
        });

        it(`${where}: an older one that comes back does not follow the newer one that was delivered`, () => {
            const { outbox, link, admit, writeOut, cut } = outboxFixture({ isInMemory });
            outbox.linkUp();
            const older = admit("t/a", "value 0", latest);
            admit("t/a", "value 1", latest);
            link.acknowledge(1);
            cut();
            writeOut();
            outbox.linkUp();
            assert.deepEqual(link.sent, ["value 0", "value 1"]);
            assert.equal(older.outcome, "done");
            assert.deepEqual([outbox.counters.queued, outbox.counters.superseded], [0, 1]);
        });

        it(`${where}: a value that changes all the time is sent from behind a backlog`, () => {
            const { outbox, clock, store, link, admit, writeOut } = outboxFixture({
                isInMemory,
                limits: { maxInFlight: 1 },
                memory: { readyEvents: 4, batchEvents: 3, deviceEvents: 2 },
            });
            for (let index = 0; index < 20; index++) admit(`t/${index}`, "backlog");
            admit("t/a", "value 0", latest);
            for (let index = 0; index < 20; index++) admit(`t/${index}`, "backlog");
            for (let round = 0; round < 40; round++) writeOut();
            outbox.linkUp();
            let before = 0;
            for (let round = 0; round < 60 && !link.sent.at(-1)?.startsWith("value"); round++) {
                for (let change = 0; change < 7; change++) {
                    admit("t/a", `value ${++before}`, latest);
                    clock.advance(10);
                    if (change % 2 === 0) store.settle();
                }
                if (!link.sent.at(-1)?.startsWith("value")) link.acknowledge();
            }
            assert.ok(link.sent.length <= 23, `${link.sent.length} were sent before it`);
        });
    }

    it("the disk holds the older one or the newer one, whenever the process ends", () => {
        for (let steps = 0; steps < 6; steps++) {
            const disk = new Disk();
            const { clock, store, admit, writeOut } = outboxFixture({ disk });
            const older = admit("t/a", "older", latest);
            writeOut();
            assert.equal(older.outcome, "done");
            const newer = admit("t/a", "newer", latest);
            for (let step = 0; step < steps; step++) {
                clock.advance(30);
                store.step();
            }
            const [text, ...rest] = disk.texts;
            assert.deepEqual(rest, []);
            assert.equal(text, newer.outcome === "done" ? "newer" : "older");
        }
    });

    it("the newer one is not sent before the disk has let go of the older one, which would else follow after a crash", () => {
        const disk = new Disk();
        const { outbox, clock, store, link, admit, writeOut } = outboxFixture({ disk });
        admit("t/a", "older", latest);
        writeOut();
        admit("t/a", "newer", latest);
        outbox.linkUp();
        store.settle();
        assert.deepEqual(link.sent, []);
        clock.advance(30);
        assert.deepEqual(link.sent, []);
        store.settle();
        assert.deepEqual(link.sent, ["newer"]);
        assert.deepEqual([...disk.texts], ["newer"]);
    });

    it("a newer one is not sent while the disk may still hold an older one, delivered or in flight", () => {
        for (const isDelivered of [true, false]) {
            const disk = new Disk();
            const { outbox, clock, store, link, admit, writeOut } = outboxFixture({ disk });
            admit("t/a", "older", latest);
            writeOut();
            outbox.linkUp();
            store.settle();
            if (isDelivered) link.acknowledge();
            admit("t/a", "newer", latest);
            assert.deepEqual(link.sent, ["older"]);
            assert.deepEqual([...disk.texts], ["older"]);
            clock.advance(30);
            store.settle();
            assert.deepEqual(link.sent, ["older", "newer"]);
            assert.deepEqual([...disk.texts], ["newer"]);
        }
    });

    it("the newer one of two in flight is written alone, which makes both safe", () => {
        const disk = new Disk();
        const { outbox, clock, store, admit } = outboxFixture({ disk });
        outbox.linkUp();
        const older = admit("t/a", "older", latest);
        const newer = admit("t/a", "newer", latest);
        clock.advance(whileMs);
        store.settle();
        assert.deepEqual([...disk.texts], ["newer"]);
        assert.deepEqual([older.outcome, newer.outcome], ["done", "done"]);
    });

    it("a disk that cannot be written does not keep the newer one from being sent", () => {
        const { outbox, clock, store, link, admit, writeOut } = outboxFixture();
        admit("t/a", "older", latest);
        writeOut();
        admit("t/a", "newer", latest);
        outbox.linkUp();
        clock.advance(30);
        store.settle();
        admit("t/a", "newest", latest);
        clock.advance(whileMs);
        while (store.outstanding > 0) store.fail();
        assert.equal(link.sent.at(-1), "newest");
    });

    it("after a restart newer ones supersede what an earlier run left, in its place", () => {
        const disk = new Disk();
        const memory = { readyEvents: 4, batchEvents: 3 };
        const before = outboxFixture({ disk, memory });
        for (let index = 0; index < 10; index++) before.admit("t/b", `backlog ${index}`);
        before.admit("t/a", "older", latest);
        for (let index = 10; index < 20; index++) before.admit("t/b", `backlog ${index}`);
        for (let round = 0; round < 20; round++) before.writeOut();
        const { outbox, store, link, admit, writeOut } = outboxFixture({ disk, memory, limits: { maxInFlight: 1 } });
        admit("t/a", "newer", latest);
        store.settle();
        writeOut();
        assert.deepEqual([outbox.counters.queued, outbox.counters.superseded], [21, 1]);
        outbox.linkUp();
        for (let round = 0; round < 100; round++) {
            writeOut();
            link.acknowledge();
        }
        assert.equal(link.sent.indexOf("newer"), 10);
        assert.equal(link.sent.length, 21);
        assert.equal(disk.events, 0);
    });

    it("a full outbox takes the newer value of what it holds already", () => {
        const { outbox, admit, writeOut } = outboxFixture({ limits: { maxBytes: 100 } });
        admit("t/a", "x".repeat(50), latest);
        admit("t/b", "y".repeat(50));
        writeOut();
        assert.equal(admit("t/a", "z".repeat(50), latest).outcome, "open");
        assert.equal(admit("t/a", "z".repeat(51), latest).error?.code, "GW_OUTBOX_FULL");
        assert.equal(admit("t/b", "x").error?.code, "GW_OUTBOX_FULL");
        assert.equal(outbox.counters.queuedBytes, 100);
    });

    it("the more urgent place counts if the priorities differ", () => {
        const { outbox, store, link, admit, writeOut } = outboxFixture({ limits: { maxInFlight: 1 } });
        admit("t/a", "urgent", { ...latest, priority: "high" });
        admit("t/b", "slow", { ...latest, priority: "low" });
        admit("t/c", "backlog");
        writeOut();
        admit("t/a", "less urgent", { ...latest, priority: "low" });
        admit("t/b", "more urgent", { ...latest, priority: "high" });
        writeOut();
        outbox.linkUp();
        for (let round = 0; round < 3; round++) {
            store.settle();
            link.acknowledge();
        }
        assert.deepEqual(link.sent, ["less urgent", "more urgent", "backlog"]);
        assert.equal(outbox.counters.superseded, 2);
    });

    it("a held device keeps one for each event id, and it is the probe", () => {
        const { outbox, gate, verbs, store, link, admit, clock } = outboxFixture();
        gate.hold("t/a");
        outbox.linkUp();
        for (let round = 0; round < 10; round++) {
            admit("t/a", `value ${round}`, latest);
            clock.advance(whileMs);
            store.settle();
        }
        assert.deepEqual([outbox.counters.queued, outbox.counters.superseded], [1, 9]);
        gate.release("t/a");
        verbs.wake("t/a");
        store.settle();
        assert.deepEqual(link.sent, ["value 9"]);
    });

    it("while the disk is gone for long, values go on in memory, and none of the older ones follows", () => {
        const disk = new Disk();
        const { outbox, clock, store, link, admit, writeOut } = outboxFixture({ disk });
        admit("t/a", "older", latest);
        admit("t/b", "older still", latest);
        writeOut();
        admit("t/b", "newer", latest);
        store.close();
        admit("t/a", "newest", latest);
        clock.advance(20_000);
        outbox.linkUp();
        assert.deepEqual([...link.sent].sort(), ["newer", "newest"]);
        link.acknowledgeAll();
        store.open();
        for (let round = 0; round < 5; round++) writeOut();
        assert.deepEqual([...link.sent].sort(), ["newer", "newest"]);
        assert.deepEqual([disk.events, outbox.counters.queued], [0, 0]);
    });

    it("a full outbox drops the oldest event, although that is a newer one in the place of an older", () => {
        const limits = { maxBytes: 3100, whenFull: "drop-oldest" } as const;
        const { outbox, gate, admit, clock } = outboxFixture({ isInMemory: true, limits });
        gate.onAsk = () => "wait";
        outbox.linkUp();
        const text = (name: string) => name.padEnd(1000);
        const first = admit("t/a", text("first"));
        const old = admit("t/b", text("old value"), latest);
        const others = [admit("t/c", text("third")), admit("t/d", text("fourth"))];
        clock.advance(whileMs);
        const newer = admit("t/b", text("new value"), latest);
        others.push(admit("t/e", text("fifth")));
        assert.deepEqual(
            [first, old, newer, ...others].map(({ outcome }) => outcome),
            ["failed", "done", "failed", "open", "open", "open"],
        );
    });
});
