import assert from "node:assert/strict";
import type { GatewayState } from "../../../src/gateway/gateway-state";
import type { CertificateView } from "../../../src/gateway/monitor/certificate-watch";
import { GatewayHealth, type HealthReport } from "../../../src/gateway/monitor/gateway-health";
import { GatewayStatistics } from "../../../src/gateway/monitor/gateway-statistics";
import type { OutboxCounters } from "../../../src/outbox/outbox-counters";
import { FakeClock } from "../../support/doubles/fake-clock";

type Connection = GatewayState["connection"];

const online: Connection = { phase: "online", sessionPresent: false };
const refused: Connection = { phase: "waiting", retryInMs: 1000, reason: { code: "GW_NETWORK", text: "No one listens." } };

class Bench {
    readonly clock = new FakeClock();
    connection: Connection = { phase: "connecting" };
    counters = {
        queued: 0,
        queuedBytes: 0,
        inFlight: 0,
        acknowledged: 0,
        refused: 0,
        expired: 0,
        dropped: 0,
        superseded: 0,
        undeliverable: 0,
        undelivered: 0,
        recalled: 0,
        revoked: 0,
        rejected: 0,
        takenOver: 0,
        high: 0,
        normal: 0,
        low: 0,
        unsentHigh: 0,
        oldestAt: undefined as number | undefined,
    };
    heldDevices = 0;
    certificate: CertificateView | undefined;
    condition = { isWanted: true, isPaused: false };
    readonly health: GatewayHealth;

    constructor() {
        const state = { drain: undefined, storeProblem: undefined };
        this.health = new GatewayHealth({
            clock: this.clock,
            statistics: new GatewayStatistics(this.clock),
            state: () =>
                Object.assign(Object.create(null), state, this.condition, { connection: this.connection, heldDevices: this.heldDevices }),
            counters: (): OutboxCounters => Object.assign(Object.create(null), this.counters),
            certificate: () => this.certificate,
        });
    }

    watch(intervalMs?: number): HealthReport[] {
        const reports: HealthReport[] = [];
        this.health.watch(intervalMs, (report) => reports.push(report));
        return reports;
    }
}

describe("the health of a gateway", () => {
    it("the health is reported first when the flows run, and not before", () => {
        const bench = new Bench();
        const reports = bench.watch();
        bench.clock.advance(10_000);
        assert.equal(reports.length, 0);
        bench.health.resume();
        bench.clock.advance(1);
        assert.deepEqual(reports, [
            {
                state: "connecting",
                since: "2026-01-01T00:00:00.000Z",
                waiting: { events: 0, bytes: 0, high: 0, normal: 0, low: 0 },
                held: 0,
                undelivered: 0,
                totals: { received: 0, delivered: 0, refused: 0, expired: 0, dropped: 0, superseded: 0, undeliverable: 0 },
            },
        ]);
        bench.health.pause();
        assert.equal(bench.clock.timerCount, 0);
    });

    it("the health names a paused gateway and one that nobody wants connected, without a problem", () => {
        const bench = new Bench();
        const read = () => {
            const { state, code, reason } = bench.health.read();
            return [state, code, reason];
        };
        bench.condition = { isWanted: true, isPaused: true };
        bench.connection = online;
        assert.deepEqual(read(), ["paused", undefined, undefined]);
        bench.connection = refused;
        assert.deepEqual(read(), ["disconnected", "GW_NETWORK", "No one listens."]);
        bench.condition = { isWanted: false, isPaused: true };
        bench.connection = { phase: "closed" };
        assert.deepEqual(read(), ["closed", undefined, undefined]);
        bench.condition = { isWanted: true, isPaused: true };
        assert.deepEqual(read(), ["connecting", undefined, undefined]);
    });

    it("the health is reported after each change of state, code, waiting events and held devices, at most once a second", () => {
        const bench = new Bench();
        const reports = bench.watch();
        bench.health.resume();
        const changes: (() => void)[] = [
            () => {
                bench.connection = online;
            },
            () => {
                bench.connection = refused;
            },
            () => {
                bench.counters.queued = 5;
            },
            () => {
                bench.counters.undelivered = 1;
            },
            () => {
                bench.counters.undelivered = 0;
            },
            () => {
                bench.heldDevices = 2;
            },
            () => {
                bench.connection = { phase: "waiting", retryInMs: 1000, reason: { code: "GW_AUTH", text: "Wrong token." } };
            },
        ];
        bench.clock.advance(1);
        for (const change of changes) {
            change();
            bench.clock.advance(1000);
        }
        assert.deepEqual(
            reports.map(({ state, code, waiting, held }) => [state, code, waiting.events, held]),
            [
                ["connecting", undefined, 0, 0],
                ["connected", undefined, 0, 0],
                ["disconnected", "GW_NETWORK", 0, 0],
                ["disconnected", "GW_NETWORK", 5, 0],
                ["disconnected", "GW_NETWORK", 5, 0],
                ["disconnected", "GW_NETWORK", 5, 0],
                ["disconnected", "GW_NETWORK", 5, 2],
                ["disconnected", "GW_AUTH", 5, 2],
            ],
        );
        assert.deepEqual(
            reports.map(({ undelivered }) => undelivered),
            [0, 0, 0, 0, 1, 0, 0, 0],
        );
        assert.equal(reports.at(-1)?.reason, "Wrong token.");
        for (let flip = 0; flip < 100; flip++) {
            bench.connection = flip % 2 === 0 ? online : refused;
            bench.clock.advance(10);
        }
        assert.ok(reports.length <= 9);
    });

    it("the health names the certificate that ends first, and is reported when 30 days are left and when none is", () => {
        const bench = new Bench();
        const reports = bench.watch();
        bench.health.resume();
        for (const daysLeft of [31, 30, 29, 1, 0, -1]) {
            bench.certificate = { whose: "server", expiresAt: "2026-02-01T00:00:00.000Z", daysLeft };
            bench.clock.advance(1000);
        }
        assert.deepEqual(
            reports.map(({ certificate }) => certificate),
            [31, 30, 0].map((daysLeft) => ({ whose: "server", expiresAt: "2026-02-01T00:00:00.000Z", daysLeft })),
        );
    });

    it("the health is reported when high events begin to wait and when none does any more, and names the time of the oldest event", () => {
        const bench = new Bench();
        bench.connection = refused;
        bench.counters = { ...bench.counters, queued: 5, low: 5, oldestAt: Date.UTC(2026, 0, 1, 3) };
        const reports = bench.watch();
        bench.health.resume();
        const change = (counters: Partial<Bench["counters"]>) => {
            bench.counters = { ...bench.counters, ...counters };
            bench.clock.advance(1000);
        };
        change({ queued: 6, high: 1, unsentHigh: 1 });
        change({ queued: 7, high: 2, unsentHigh: 2 });
        change({ queued: 5, high: 0, unsentHigh: 0 });
        assert.deepEqual(
            reports.map(({ waiting }) => [waiting.events, waiting.high, waiting.normal, waiting.low, waiting.oldestAt]),
            [
                [6, 1, 0, 5, "2026-01-01T03:00:00.000Z"],
                [5, 0, 0, 5, "2026-01-01T03:00:00.000Z"],
            ],
        );
    });

    it("high events in flight on a connection are no change of the health", () => {
        const bench = new Bench();
        bench.connection = online;
        const reports = bench.watch();
        bench.health.resume();
        bench.clock.advance(1000);
        bench.counters = { ...bench.counters, queued: 1, inFlight: 1, high: 1 };
        bench.clock.advance(1000);
        assert.equal(reports.length, 1);
    });

    it("the health stays disconnected during the attempts to connect again", () => {
        const bench = new Bench();
        bench.connection = refused;
        const reports = bench.watch();
        bench.health.resume();
        bench.clock.advance(1000);
        bench.connection = { phase: "connecting", reason: refused.reason };
        bench.clock.advance(1000);
        assert.equal(reports.length, 1);
    });

    it("the health is not changed by numbers alone", () => {
        const bench = new Bench();
        bench.connection = refused;
        const reports = bench.watch();
        bench.health.resume();
        for (let second = 0; second < 100; second++) {
            bench.counters.queued += 7;
            bench.clock.advance(1000);
        }
        assert.deepEqual(
            reports.map(({ waiting }) => waiting.events),
            [7],
        );
    });

    it("the health is reported at intervals too where they are wanted", () => {
        const bench = new Bench();
        const [always, changes] = [bench.watch(60_000), bench.watch()];
        bench.health.resume();
        bench.clock.advance(3_600_000);
        assert.equal(always.length, 61);
        assert.equal(changes.length, 1);
    });

    it("the health does not feed itself for an hour when a flow sends it as an event, on any link", () => {
        for (const roundTripMs of [5, 300, 1500, 7000]) {
            const bench = new Bench();
            let messages = 0;
            bench.health.watch(undefined, () => {
                messages += 1;
                // The event of the flow: in flight while the link is up, otherwise it waits.
                bench.counters.queued += 1;
                if (bench.connection.phase !== "online") return;
                bench.counters.inFlight += 1;
                bench.clock.setTimer(roundTripMs, () => {
                    bench.counters.queued -= 1;
                    bench.counters.inFlight -= 1;
                });
            });
            bench.health.resume();
            let changes = 1;
            for (let minute = 0; minute < 60; minute++) {
                if (minute % 20 === 5) {
                    bench.connection = refused;
                    // Another state, and an event that waits.
                    changes += 2;
                } else if (minute % 20 === 0) {
                    bench.connection = online;
                    bench.counters.queued = bench.counters.inFlight;
                    changes += 1;
                }
                bench.clock.advance(60_000);
            }
            assert.ok(messages <= changes, `${messages} messages of ${changes} changes with a round trip of ${roundTripMs} ms`);
        }
    });

    it("the health takes no timer when nothing watches any more", () => {
        const bench = new Bench();
        bench.health.resume();
        const subscription = bench.health.watch(undefined, () => undefined);
        assert.equal(bench.clock.timerCount, 1);
        subscription.close();
        assert.equal(bench.clock.timerCount, 0);
    });
});
