import assert from "node:assert/strict";
import { DrainEstimate } from "../../../src/outbox/sending/drain-estimate";
import { FakeClock } from "../../support/doubles/fake-clock";

describe("drain estimate", () => {
    it("estimates the time of a shrinking backlog, but not of one that no longer shrinks", () => {
        const clock = new FakeClock();
        const estimate = new DrainEstimate(clock);
        const look = (left: number, acknowledged: number) => {
            clock.advance(1_000);
            return estimate.evaluate(left, acknowledged);
        };
        look(10_000, 0);
        assert.deepEqual(look(9_000, 1_000), { left: 9_000, ratePerSecond: 250, secondsLeft: 9 });
        for (let second = 0; second < 60; second++) look(9_000, 1_000);
        assert.equal(look(9_000, 1_000).secondsLeft, undefined);
    });
});
