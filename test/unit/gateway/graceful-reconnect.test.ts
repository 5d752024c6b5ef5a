import assert from "node:assert/strict";
import { GracefulReconnect } from "../../../src/gateway/events/graceful-reconnect";
import { FakeClock } from "../../support/doubles/fake-clock";

function create(pending: number, unanswered = 0) {
    const clock = new FakeClock();
    const counts = { pending, unanswered };
    const reconnects: string[] = [];
    const planned = new GracefulReconnect({
        clock,
        pendingCount: () => counts.pending,
        unansweredCount: () => counts.unanswered,
        reconnect: ({ code }) => reconnects.push(code),
    });
    return { clock, counts, reconnects, planned };
}

const reason = "connection-limit";

describe("graceful reconnect", () => {
    it("reconnects at once if nothing is in flight", () => {
        const { planned, reconnects, clock } = create(0);
        planned.begin(reason);
        assert.deepEqual(reconnects, ["GW_NETWORK"]);
        assert.equal(planned.isUnderWay, false);
        assert.equal(clock.timerCount, 0);
    });

    it("waits for publishes in flight, but not for unanswered registrations", () => {
        const { planned, reconnects, counts } = create(3, 1);
        planned.begin(reason);
        counts.pending = 2;
        planned.acknowledged();
        assert.deepEqual([reconnects, planned.isUnderWay], [[], true]);
        counts.pending = 1;
        planned.acknowledged();
        assert.deepEqual(reconnects, ["GW_NETWORK"]);
    });

    it("waits at most five seconds", () => {
        const { planned, reconnects, clock } = create(3);
        planned.begin(reason);
        planned.begin(reason);
        clock.advance(4_999);
        assert.deepEqual(reconnects, []);
        clock.advance(1);
        assert.deepEqual(reconnects, ["GW_NETWORK"]);
    });

    it("ends when the connection ends for another reason", () => {
        const { planned, reconnects, clock } = create(3);
        planned.begin(reason);
        planned.linkDown();
        clock.advance(10_000);
        planned.acknowledged();
        assert.deepEqual([reconnects, planned.isUnderWay, clock.timerCount], [[], false, 0]);
    });
});
