import assert from "node:assert/strict";
import fc from "fast-check";
import { Deadlines } from "../../../src/devices/registration/deadlines";
import { Fifo } from "../../../src/devices/registration/fifo";
import { FakeClock } from "../../support/doubles/fake-clock";

describe("deadlines", () => {
    it("come at their times, and in the order in which they were added where the times are the same", () => {
        fc.assert(
            fc.property(fc.array(fc.nat(50), { maxLength: 60 }), (times) => {
                const clock = new FakeClock();
                const seen: [number, number][] = [];
                const deadlines = new Deadlines<number>(clock, (index) => seen.push([clock.monotonicMs(), index]));
                times.forEach((time, index) => {
                    deadlines.add(time, index);
                });
                assert.ok(clock.timerCount <= 1);
                clock.advance(50);
                const expected = times.map((time, index): [number, number] => [time, index]).sort((a, b) => a[0] - b[0] || a[1] - b[1]);
                assert.deepEqual(seen, expected);
                assert.equal(clock.timerCount, 0);
            }),
        );
    });

    it("may be added while others are reached, and one that is due already comes in the same turn", () => {
        const clock = new FakeClock();
        const seen: string[] = [];
        const deadlines = new Deadlines<string>(clock, (item) => {
            seen.push(item);
            if (item !== "first") return;
            deadlines.add(10, "now");
            deadlines.add(20, "later");
        });
        deadlines.add(10, "first");
        clock.advance(10);
        assert.deepEqual(seen, ["first", "now"]);
        clock.advance(10);
        assert.deepEqual(seen, ["first", "now", "later"]);
    });

    it("go on when one of them throws", () => {
        const clock = new FakeClock();
        const seen: string[] = [];
        const deadlines = new Deadlines<string>(clock, (item) => {
            if (item === "bad") throw new Error("bad");
            seen.push(item);
        });
        deadlines.add(10, "bad");
        deadlines.add(11, "good");
        assert.throws(() => clock.advance(10), /bad/);
        clock.advance(5);
        assert.deepEqual(seen, ["good"]);
    });

    it("are not reached any more after closing", () => {
        const clock = new FakeClock();
        const deadlines = new Deadlines<string>(clock, () => assert.fail("reached"));
        deadlines.add(10, "a");
        deadlines.close();
        deadlines.add(10, "b");
        clock.advance(100);
        assert.equal(clock.timerCount, 0);
    });
});

describe("first-in first-out queue", () => {
    it("behaves like an array", () => {
        const commands = fc.array(fc.constantFrom("push", "unshift", "shift", "shift"), { maxLength: 400 });
        fc.assert(
            fc.property(commands, (steps) => {
                const fifo = new Fifo<number>();
                const model: number[] = [];
                steps.forEach((step, index) => {
                    if (step === "push") {
                        fifo.push(index);
                        model.push(index);
                    } else if (step === "unshift") {
                        fifo.unshift(index);
                        model.unshift(index);
                    } else {
                        assert.equal(fifo.peek(), model[0]);
                        assert.equal(fifo.shift(), model.shift());
                    }
                });
                assert.equal(fifo.peek(), model[0]);
            }),
        );
    });
});
