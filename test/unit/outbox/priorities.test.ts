import assert from "node:assert/strict";
import fc from "fast-check";
import { type Priority, priorities } from "../../../src/outbox/event";
import type { Outbox } from "../../../src/outbox/outbox";
import { outboxFixture } from "../../support/doubles/outbox-fixture";
import { Disk } from "../../support/doubles/stepped-store";

describe("events of different priorities", () => {
    it("leave in the order of their priorities, although they were admitted in the opposite order", () => {
        const { outbox, link, admit } = outboxFixture();
        for (const priority of [...priorities].reverse()) admit("t/a", priority, { priority });
        outbox.linkUp();
        assert.deepEqual(link.sent, ["high", "normal", "low"]);
    });

    it("overtake a backlog of other devices and of their own device, in the next place", () => {
        const { outbox, link, admit } = outboxFixture({ limits: { maxInFlight: 2 } });
        for (let index = 0; index < 10; index++) admit(`t/${index % 2}`, `reading ${index}`);
        outbox.linkUp();
        admit("t/1", "alarm", { priority: "high" });
        link.acknowledge();
        assert.deepEqual(link.sent.slice(2), ["alarm"]);
    });

    it("keep their priorities on disk and over a restart", () => {
        const disk = new Disk();
        const memory = { readyEvents: 4, batchEvents: 3 };
        const before = outboxFixture({ disk, memory });
        for (let index = 0; index < 30; index++) before.admit("t/a", `${priorities[index % 3]} ${index}`, priorityAt(index));
        for (let round = 0; round < 30; round++) before.writeOut();
        const { outbox, link, store } = outboxFixture({ disk, memory, limits: { maxInFlight: 1 } });
        outbox.linkUp();
        for (let round = 0; round < 100; round++) {
            store.settle();
            link.acknowledge();
        }
        for (const priority of priorities) {
            const numbers = link.sent.filter((text) => text.startsWith(priority)).map((text) => Number(text.split(" ")[1]));
            assert.deepEqual(
                numbers,
                [...numbers].sort((a, b) => a - b),
            );
            assert.equal(numbers.length, 10);
        }
        assert.deepEqual(
            link.sent.slice(0, 10).map((text) => text.split(" ")[0]),
            Array(10).fill("high"),
        );
    });

    it("each get at least one of twenty events while they wait", () => {
        const counts = fc.record({
            high: fc.integer({ min: 0, max: 300 }),
            normal: fc.integer({ min: 0, max: 300 }),
            low: fc.integer({ min: 0, max: 300 }),
        });
        fc.assert(
            fc.property(counts, fc.integer({ min: 1, max: 5 }), (waiting, maxInFlight) => {
                const { outbox, link, admit } = outboxFixture({ isInMemory: true, limits: { maxInFlight } });
                for (const priority of priorities) {
                    for (let index = 0; index < waiting[priority]; index++) admit(`t/${index % 7}`, priority, { priority });
                }
                outbox.linkUp();
                while (link.pending.length > 0) link.acknowledge();
                for (const priority of priorities) assertShare(link.sent, priority, waiting[priority]);
                assert.equal(link.sent.length, waiting.high + waiting.normal + waiting.low);
            }),
            { numRuns: 60 },
        );
    });

    it("share the places exactly: four live events for one of a backlog while both wait", () => {
        const counts = fc.record({ backlog: fc.integer({ min: 1, max: 60 }), live: fc.integer({ min: 1, max: 60 }) });
        fc.assert(
            fc.property(counts, fc.constantFrom(...priorities), (waiting, priority) => {
                const { outbox, link, admit } = outboxFixture({ isInMemory: true, limits: { maxInFlight: 1 } });
                admit("t/first", "first", { priority });
                for (let index = 0; index < waiting.backlog; index++) admit("t/backlog", "backlog", { priority });
                outbox.linkUp();
                for (let index = 0; index < waiting.live; index++) admit(`t/live-${index}`, "live", { priority });
                while (link.pending.length > 0) link.acknowledge();
                const sent = link.sent.slice(1);
                assert.equal(sent.length, waiting.backlog + waiting.live);
                const bothWait = Math.min(sent.lastIndexOf("backlog"), sent.lastIndexOf("live"));
                for (let from = 0; from + 5 <= bothWait; from++) {
                    const live = sent.slice(from, from + 5).filter((text) => text === "live").length;
                    assert.equal(live, 4, sent.join(" "));
                }
            }),
            { numRuns: 60 },
        );
    });

    it("keep the order of each device and priority, the rate and the holds, whatever comes when, and all arrive", () => {
        const event = fc.record({
            device: fc.constantFrom("t/a", "t/b", "t/c"),
            priority: fc.constantFrom(...priorities),
            waitMs: fc.constantFrom(0, 0, 0, 5, 100, 1500),
            held: fc.constantFrom(undefined, undefined, undefined, "t/a", "t/b"),
        });
        const maxRate = 20;
        fc.assert(
            fc.property(fc.array(event, { maxLength: 120 }), fc.boolean(), (events, isInMemory) => {
                const memory = { readyEvents: 4, batchEvents: 3, deviceEvents: 2 };
                const { outbox, link, gate, verbs, clock, store, admit } = outboxFixture({ isInMemory, memory, limits: { maxRate } });
                let held: string | undefined;
                const sentMs: number[] = [];
                const last = new Map<string, number>();
                link.onSend = ({ device, priority, payload }) => {
                    assert.notEqual(device, held);
                    sentMs.push(clock.monotonicMs());
                    const line = `${device} ${priority}`;
                    assert.ok(Number(payload) > (last.get(line) ?? -1), `${payload} of ${line} was sent after ${last.get(line)}`);
                    last.set(line, Number(payload));
                };
                const hold = (device: string | undefined) => {
                    const released = held;
                    held = device;
                    if (released) gate.release(released);
                    if (device) gate.hold(device);
                    if (released && released !== device) verbs.wake(released);
                };
                outbox.linkUp();
                for (const [index, { device, priority, waitMs, held: next }] of events.entries()) {
                    hold(next);
                    admit(device, String(index), { priority });
                    for (let ms = 0; ms < waitMs; ms += 5) {
                        clock.advance(5);
                        store.step();
                        link.acknowledge();
                    }
                }
                hold(undefined);
                for (let round = 0; round < 400; round++) {
                    clock.advance(50);
                    store.settle();
                    link.acknowledgeAll();
                }
                assert.equal(sentMs.length, events.length);
                // After a pause a tenth of a second's events may go out at once.
                for (const [index, fromMs] of sentMs.entries()) {
                    const inOneSecond = sentMs.slice(index).filter((atMs) => atMs < fromMs + 1000).length;
                    assert.ok(inOneSecond <= maxRate * 1.1 + 1, `${inOneSecond} were sent within a second`);
                }
            }),
            { numRuns: 100 },
        );
    });

    it("events are dropped from the lowest priority on, and never for a lower one, when the oldest give way", () => {
        const { outbox, admit } = outboxFixture({ limits: { maxBytes: 500, whenFull: "drop-oldest" } });
        const payload = "x".repeat(100);
        const low = [0, 1].map(() => admit("t/a", payload, { priority: "low" }));
        const normal = [0, 1].map(() => admit("t/a", payload));
        const high = admit("t/a", payload, { priority: "high" });
        const outcomes = () => [...low, ...normal, high].map(({ outcome }) => outcome);
        admit("t/b", payload, { priority: "high" });
        assert.deepEqual(outcomes(), ["failed", "open", "open", "open", "open"]);
        admit("t/b", payload);
        admit("t/b", payload, { priority: "high" });
        assert.deepEqual(outcomes(), ["failed", "failed", "failed", "open", "open"]);
        assert.equal(admit("t/b", payload, { priority: "low" }).error?.code, "GW_OUTBOX_FULL");
        assert.equal(outbox.counters.dropped, 3);
    });
});

describe("what waits in an outbox", () => {
    it("is counted by priority wherever it is: in memory, in flight, on disk, and at once after a restart", () => {
        const disk = new Disk();
        const memory = { readyEvents: 4, batchEvents: 3 };
        const numbers = ({ counters: { queued, high, normal, low, unsentHigh } }: Outbox) => [queued, high, normal, low, unsentHigh];
        const before = outboxFixture({ disk, memory });
        for (let index = 0; index < 30; index++) before.admit(`t/${index % 4}`, `${index}`, priorityAt(index));
        assert.deepEqual(numbers(before.outbox), [30, 10, 10, 10, 10]);
        for (let round = 0; round < 30; round++) before.writeOut();
        assert.deepEqual(numbers(before.outbox), [30, 10, 10, 10, 10]);

        const { outbox, link, store, admit } = outboxFixture({ disk, memory, limits: { maxInFlight: 1 } });
        admit("t/0", "new", { priority: "high" });
        store.settle();
        assert.deepEqual(numbers(outbox), [31, 11, 10, 10, 11]);
        outbox.linkUp();
        store.settle();
        assert.deepEqual(numbers(outbox), [31, 11, 10, 10, 10]);
        for (let round = 0; round < 100; round++) {
            store.settle();
            link.acknowledge();
        }
        assert.deepEqual(numbers(outbox), [0, 0, 0, 0, 0]);
    });

    for (const isInMemory of [true, false]) {
        it(`is as old as its oldest event, ${isInMemory ? "in memory" : "on disk"}, until that is delivered`, () => {
            const { outbox, clock, link, admit, writeOut, cut } = outboxFixture({ isInMemory });
            const settle = () => (isInMemory ? clock.advance(300) : writeOut());
            assert.equal(outbox.counters.oldestAt, undefined);
            const times: number[] = [];
            for (const priority of ["low", "normal", "high"] as const) {
                times.push(clock.now());
                admit("t/a", priority, { priority });
                settle();
                clock.advance(60_000);
            }
            assert.equal(outbox.counters.oldestAt, times[0]);
            outbox.linkUp();
            settle();
            for (const text of ["high", "normal"]) assert.equal(link.acknowledge()?.payload, text);
            settle();
            assert.equal(outbox.counters.oldestAt, times[0]);
            link.retains = true;
            link.acknowledge();
            assert.equal(outbox.counters.oldestAt, undefined);
            const later = clock.now();
            admit("t/b", "newer");
            settle();
            // What was acknowledged may still have to be sent again, and comes back when the link ends.
            cut();
            assert.equal(outbox.counters.oldestAt, times[0]);
            outbox.linkUp();
            settle();
            while (link.acknowledge()?.payload !== "low");
            link.settle();
            settle();
            const isDelivered = link.sent.filter((text) => text === "newer").length > link.pending.length;
            assert.equal(outbox.counters.oldestAt, isDelivered ? undefined : later);
        });
    }

    it("is as old as its oldest event at once after a restart", () => {
        const disk = new Disk();
        const before = outboxFixture({ disk });
        const started = before.clock.now();
        for (let index = 0; index < 30; index++) {
            before.admit(`t/${index % 4}`, `${index}`, priorityAt(index));
            before.writeOut();
        }
        const elapsedMs = before.clock.now() - started;
        const { outbox, clock } = outboxFixture({ disk });
        const ageMs = clock.now() - (outbox.counters.oldestAt ?? clock.now());
        assert.ok(ageMs > elapsedMs - 1000 && ageMs <= elapsedMs, `${ageMs} of ${elapsedMs} ms`);
    });
});

for (const isInMemory of [true, false]) {
    describe(`the reserve of an outbox ${isInMemory ? "in memory" : "on disk"}`, () => {
        const payload = "x".repeat(100);
        const limits = { maxBytes: 1000, reservedShare: 0.2 };
        const fixture = (whenFull: "reject" | "drop-oldest" = "reject", maxBytes = limits.maxBytes) => {
            const made = outboxFixture({ isInMemory, limits: { ...limits, maxBytes, whenFull } });
            const add = (priority: Priority, text = payload) => made.admit("t/a", text, { priority });
            const fill = (count: number, priority: Priority, text = payload) => [...Array(count)].map(() => add(priority, text));
            const settle = () => {
                if (!isInMemory) made.writeOut();
            };
            return { ...made, add, fill, settle };
        };

        it("takes no normal or low events, but high ones to the last byte, if new events are refused", () => {
            const { outbox, add, fill, settle } = fixture();
            fill(4, "low");
            fill(4, "normal");
            settle();
            for (const priority of ["low", "normal"] as const) {
                const { error } = add(priority);
                assert.equal(error?.code, "GW_OUTBOX_FULL");
                assert.match(String(error?.message), /last 20 % are kept for events of high priority/);
            }
            for (const { outcome } of fill(2, "high")) assert.notEqual(outcome, "failed");
            const { error } = add("high");
            assert.equal(error?.code, "GW_OUTBOX_FULL");
            assert.doesNotMatch(String(error?.message), /are kept for/);
            assert.equal(outbox.counters.queued, 10);
        });

        it("is counted in number as in bytes", () => {
            const { outbox, fill } = fixture();
            fill(4000, "low", "");
            fill(5000, "normal", "");
            assert.equal(outbox.counters.queued, isInMemory ? 8001 : 8000);
            fill(3000, "high", "");
            assert.equal(outbox.counters.queued, isInMemory ? 10_002 : 10_000);
        });

        it("stays free of normal and low events if the oldest give way, and high ones use it before they drop any", () => {
            const { outbox, add, fill, settle } = fixture("drop-oldest");
            fill(4, "low");
            fill(4, "normal");
            settle();
            fill(2, "high");
            assert.equal(outbox.counters.dropped, 0);
            add("high");
            assert.deepEqual([outbox.counters.queued, outbox.counters.dropped], [10, 1]);
            // Three high events: five others fit below the reserve, the new one among them.
            add("normal");
            assert.deepEqual([outbox.counters.queued, outbox.counters.dropped], [8, 4]);
        });

        it("drops nothing for an event that would not fit all the same, and refuses that", () => {
            const { outbox, add, fill, settle } = fixture("drop-oldest");
            fill(1, "low");
            fill(8, "high");
            settle();
            for (const priority of ["low", "normal"] as const) assert.equal(add(priority).error?.code, "GW_OUTBOX_FULL");
            assert.equal(add("high", "x".repeat(1001)).error?.code, "GW_OUTBOX_FULL");
            assert.deepEqual([outbox.counters.queued, outbox.counters.dropped], [9, 0]);
        });

        it("never drops an event for one of a lower priority, nor a high one for anything but a high one", () => {
            const kinds = fc.array(fc.tuple(fc.constantFrom(...priorities), fc.integer({ min: 0, max: 300 })), { maxLength: 80 });
            fc.assert(
                fc.property(kinds, (events) => {
                    const { outbox, listener, admit, settle } = fixture("drop-oldest");
                    const admitted: { priority: Priority; completion: { outcome: string } }[] = [];
                    const failed = (priority: Priority) =>
                        admitted.filter((event) => event.priority === priority && event.completion.outcome === "failed").length +
                        listener.late.filter(({ event }) => event.priority === priority).length;
                    for (const [index, [priority, bytes]] of events.entries()) {
                        const before = priorities.map(failed);
                        const completion = admit("t/a", "x".repeat(bytes), { priority });
                        admitted.push({ priority, completion });
                        for (const [rank, above] of priorities.entries()) {
                            if (rank < priorities.indexOf(priority)) assert.equal(failed(above), before[rank], `${above} for ${priority}`);
                        }
                        if (index % 5 === 4) settle();
                        assert.ok(outbox.counters.queuedBytes <= 1000);
                    }
                }),
                { numRuns: 60 },
            );
        });
    });
}

function priorityAt(index: number): { priority: Priority } {
    return { priority: priorities[index % 3] ?? "normal" };
}

/** Of any twenty events in a row, at least one is of the priority, until none of it waits. */
function assertShare(sent: readonly string[], priority: Priority, count: number): void {
    let before = -1;
    let seen = 0;
    for (const [index, text] of sent.entries()) {
        if (text === priority) {
            seen += 1;
            before = index;
        }
        assert.ok(seen === count || index - before < 20, `${priority} was passed over ${index - before} times`);
    }
    assert.equal(seen, count);
}
