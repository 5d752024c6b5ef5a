import assert from "node:assert/strict";
import { outboxFixture } from "../../support/doubles/outbox-fixture";

const second = 1000;

describe("the outbox under load", () => {
    for (const isInMemory of [false, true]) {
        const where = isInMemory ? "in memory" : "on disk";

        it(`with 1000 events a second that live for 10 s, at most 12 000 are queued ${where}`, () => {
            const { clock, store, outbox, admit } = outboxFixture({ isInMemory });
            outbox.flowsStarted();
            let most = 0;
            for (let ms = 0; ms < 25 * second; ms += 100) {
                for (let index = 0; index < 100; index++) admit(`t/${index}`, `${ms}`, { ttlMs: 10 * second });
                clock.advance(100);
                store.settle();
                most = Math.max(most, outbox.counters.queued);
            }
            assert.ok(most >= 10_000 && most <= 12_000, `${most} events`);
            assert.ok(outbox.counters.expired >= 13_000, `${outbox.counters.expired} expired`);
        });
    }

    it("refuses no event for expired ones, even if the process was held up when their time was over", () => {
        const { clock, outbox, admit } = outboxFixture({ isInMemory: true, limits: { maxBytes: 1000 } });
        for (let index = 0; index < 10; index++) admit("t/a", "x".repeat(100), { ttlMs: 10 * second });
        assert.equal(admit("t/a", "x".repeat(100)).error?.code, "GW_OUTBOX_FULL");
        clock.stall(11 * second);
        assert.equal(admit("t/a", "x".repeat(100)).outcome, "open");
        assert.equal(outbox.counters.expired, 10);
    });

    /** What is read and asked for each event that makes an old one give way, with a queue for each device. */
    function costOfDrops(devices: number) {
        const drops = 500;
        const { gate, store, outbox, admit, writeOut } = outboxFixture({
            limits: { maxBytes: devices * 100, whenFull: "drop-oldest", maxKeptBytes: 0 },
            memory: { readyEvents: 100, unsavedEvents: 10_000 },
        });
        outbox.flowsStarted();
        let asked = 0;
        gate.onIsHeld = () => {
            asked += 1;
            return false;
        };
        for (let index = 0; index < devices; index++) {
            admit(`t/${index}`, "x".repeat(100));
            if (index % 500 === 499) writeOut();
        }
        for (let index = 0; index < 2 * drops; index++) {
            // The first half brings the search for the oldest ones under way.
            if (index === drops) {
                asked = 0;
                store.reads.length = 0;
            }
            admit(`t/${(index * 7) % devices}`, "y".repeat(100));
            if (index % 10 === 9) writeOut();
        }
        const { dropped } = outbox.counters;
        assert.ok(dropped >= drops, `${dropped} dropped`);
        return { reads: store.reads.length, asked };
    }

    it("drops the oldest event at the same cost, however many devices have a queue", () => {
        const few = costOfDrops(1000);
        const many = costOfDrops(4000);
        assert.ok(many.reads <= few.reads + 2, `${few.reads} and ${many.reads} reads`);
        assert.ok(many.asked <= few.asked * 1.1 + 2, `${few.asked} and ${many.asked} questions`);
    });
});
