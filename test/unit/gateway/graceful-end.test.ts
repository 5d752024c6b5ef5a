import assert from "node:assert/strict";
import { GracefulEnd } from "../../../src/gateway/events/graceful-end";
import { FakeClock } from "../../support/doubles/fake-clock";

function create(pending: number, unanswered = 0) {
    const clock = new FakeClock();
    const counts = { pending, unanswered };
    const ends: string[] = [];
    const planned = new GracefulEnd({
        clock,
        pendingCount: () => counts.pending,
        unansweredCount: () => counts.unanswered,
        reconnect: ({ code }) => ends.push(code),
        stop: () => ends.push("stop"),
    });
    return { clock, counts, ends, planned };
}

const reason = "connection-limit";

describe("graceful end of a connection", () => {
    it("a reconnect comes at once if nothing is in flight", () => {
        const { planned, ends, clock } = create(0);
        planned.reconnect(reason);
        assert.deepEqual(ends, ["GW_NETWORK"]);
        assert.equal(planned.isUnderWay, false);
        assert.equal(clock.timerCount, 0);
    });

    it("publishes in flight are waited for, but not unanswered registrations", () => {
        const { planned, ends, counts } = create(3, 1);
        planned.reconnect(reason);
        counts.pending = 2;
        planned.acknowledged();
        assert.deepEqual([ends, planned.isUnderWay], [[], true]);
        counts.pending = 1;
        planned.acknowledged();
        assert.deepEqual(ends, ["GW_NETWORK"]);
    });

    it("the wait takes five seconds at most", () => {
        const { planned, ends, clock } = create(3);
        planned.reconnect(reason);
        planned.reconnect(reason);
        clock.advance(4_999);
        assert.deepEqual(ends, []);
        clock.advance(1);
        assert.deepEqual(ends, ["GW_NETWORK"]);
    });

    it("nothing follows if the connection ends for another reason", () => {
        const { planned, ends, clock } = create(3);
        planned.reconnect(reason);
        planned.linkDown();
        clock.advance(10_000);
        planned.acknowledged();
        assert.deepEqual([ends, planned.isUnderWay, clock.timerCount], [[], false, 0]);
    });

    it("a stop takes the place of a reconnect, and a reconnect never that of a stop", () => {
        const { planned, ends, counts, clock } = create(3);
        planned.reconnect(reason);
        clock.advance(4_000);
        planned.stop();
        planned.reconnect(reason);
        assert.equal(clock.timerCount, 1);
        counts.pending = 0;
        planned.acknowledged();
        assert.deepEqual([ends, clock.timerCount], [["stop"], 0]);
    });
});
