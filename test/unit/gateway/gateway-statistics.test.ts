import assert from "node:assert/strict";
import fc from "fast-check";
import { GatewayHistory } from "../../../src/gateway/monitor/gateway-monitor";
import { GatewayStatistics, LatencyHistogram } from "../../../src/gateway/monitor/gateway-statistics";
import { FakeClock } from "../../support/doubles/fake-clock";

describe("gateway statistics", () => {
    const network = { code: "GW_NETWORK", text: "" } as const;
    const nothing = { acknowledged: 0, recalled: 0, refused: 0, rejected: 0, revoked: 0, takenOver: 0 };
    const noReconnects = { "not-authorised": 0, tls: 0, network: 0, "taken-over": 0, stalled: 0, planned: 0, other: 0 };

    it("counts each reconnect once, by its reason, but not the first connection", () => {
        const statistics = new GatewayStatistics(new FakeClock());
        statistics.connectionChanged({ phase: "connecting" });
        statistics.connectionChanged({ phase: "online", sessionPresent: false });
        statistics.connectionChanged({ phase: "waiting", reason: network, retryInMs: 1000 });
        statistics.connectionChanged({ phase: "connecting", reason: network });
        statistics.connectionChanged({ phase: "waiting", reason: { code: "GW_AUTH", text: "" }, retryInMs: 60_000 });
        statistics.connectionChanged({ phase: "connecting", reason: { code: "GW_AUTH", text: "" } });
        statistics.connectionChanged({ phase: "online", sessionPresent: false });
        // A connection renewed is told twice: when it parts and when the next one is dialled.
        statistics.connectionChanged({ phase: "connecting", reason: network });
        statistics.connectionChanged({ phase: "connecting", reason: network });
        assert.deepEqual(statistics.totals(nothing).reconnects, { ...noReconnects, network: 2, "not-authorised": 1 });
    });

    it("does not count an intended reconnect as network trouble", () => {
        const statistics = new GatewayStatistics(new FakeClock());
        statistics.connectionChanged({ phase: "online", sessionPresent: false });
        statistics.connectionChanged({ phase: "connecting", reason: { ...network, isPlanned: true } });
        assert.deepEqual(statistics.totals(nothing).reconnects, { ...noReconnects, planned: 1 });
    });

    it("says how long the gateway has been paused or closed", () => {
        const clock = new FakeClock();
        const statistics = new GatewayStatistics(clock);
        const start = clock.now();
        const sinceS = () => (statistics.since - start) / 1000;
        statistics.connectionChanged({ phase: "online", sessionPresent: false });
        clock.advance(5_000);
        statistics.conditionChanged({ isWanted: true, isPaused: true });
        assert.equal(sinceS(), 5);
        clock.advance(5_000);
        statistics.conditionChanged({ isWanted: false, isPaused: true });
        assert.equal(sinceS(), 5, "the connection is still there");
        statistics.connectionChanged({ phase: "closed" });
        assert.equal(sinceS(), 10);
        clock.advance(5_000);
        statistics.conditionChanged({ isWanted: false, isPaused: false });
        assert.equal(sinceS(), 10, "nothing to be paused");
        statistics.conditionChanged({ isWanted: true, isPaused: false });
        assert.equal(sinceS(), 15);
        assert.deepEqual(statistics.totals(nothing).reconnects, noReconnects);
    });

    it("says how long the gateway has been online or offline, not since the last attempt", () => {
        const clock = new FakeClock();
        const statistics = new GatewayStatistics(clock);
        const start = clock.now();
        statistics.connectionChanged({ phase: "connecting" });
        clock.advance(5_000);
        statistics.connectionChanged({ phase: "waiting", reason: network, retryInMs: 1 });
        assert.equal(statistics.since, start);
        statistics.connectionChanged({ phase: "online", sessionPresent: false });
        assert.equal(statistics.since, start + 5_000);
    });

    it("keeps the number of return codes bounded, whatever the platform sends", () => {
        const statistics = new GatewayStatistics(new FakeClock());
        for (let rc = 0; rc < 1_000; rc++) statistics.notificationReceived({ rc });
        statistics.notificationReceived({});
        const codes = ["100", "173", "177", "180", "276", "289", "other"];
        assert.deepEqual(Object.keys(new GatewayStatistics(new FakeClock()).totals(nothing).refused), codes, "from the start");
        const { refused, notificationsReceived } = statistics.totals(nothing);
        assert.deepEqual(Object.keys(refused), codes);
        assert.deepEqual([refused.other, notificationsReceived], [995, 1_001]);
    });

    it("counts events that left the outbox and those that bypass it as published", () => {
        const statistics = new GatewayStatistics(new FakeClock());
        statistics.eventHandedOver();
        statistics.eventAcknowledged(1);
        assert.equal(statistics.totals({ ...nothing, acknowledged: 7 }).eventsPublished, 8);
    });

    it("counts refused events in the outbox and those that had left it", () => {
        const statistics = new GatewayStatistics(new FakeClock());
        statistics.eventRefused();
        assert.equal(statistics.totals({ ...nothing, refused: 2 }).eventsRefused, 3);
    });

    it("does not count events as delivered that were refused or dropped afterwards", () => {
        const statistics = new GatewayStatistics(new FakeClock());
        for (let event = 0; event < 3; event++) statistics.eventHandedOver();
        statistics.eventRevoked();
        statistics.eventRejected();
        const totals = statistics.totals({ ...nothing, acknowledged: 7, recalled: 2, revoked: 1, refused: 1, rejected: 4, takenOver: 5 });
        const { eventsDelivered, eventsRefused, eventsRejected, eventsTakenOver } = totals;
        assert.deepEqual([eventsDelivered, eventsRefused, eventsRejected, eventsTakenOver], [6, 2, 5, 5]);
    });
});

describe("latency histogram", () => {
    it("each bucket of the latency histogram counts all durations up to its bound", () => {
        fc.assert(
            fc.property(fc.array(fc.double({ min: 0, max: 100_000, noNaN: true })), (durations) => {
                const histogram = new LatencyHistogram();
                for (const duration of durations) histogram.add(duration);
                const { buckets, count, sumS } = histogram.counts;
                assert.equal(count, durations.length);
                assert.ok(Math.abs(sumS - durations.reduce((sum, each) => sum + each, 0) / 1000) < 1e-6);
                for (const [boundS, inBucket] of buckets) {
                    assert.equal(inBucket, durations.filter((duration) => duration <= boundS * 1000).length);
                }
            }),
        );
    });
});

describe("gateway history", () => {
    it("the history keeps an hour and no more, and stops when closed", () => {
        const clock = new FakeClock();
        const history = new GatewayHistory(clock, () => ({
            at: clock.now(),
            isOnline: true,
            queued: 0,
            eventsReceived: 0,
            eventsPublished: 0,
        }));
        history.start();
        for (let step = 0; step < 1_000; step++) clock.advance(5_000);
        const times = history.items.map(({ at }) => at);
        assert.equal(times.length, 720);
        assert.equal((times.at(-1) ?? 0) - (times[0] ?? 0), 719 * 5_000);
        history.close();
        clock.advance(60_000);
        assert.equal(history.items.at(-1)?.at, times.at(-1));
    });
});
