import assert from "node:assert/strict";
import { type SilenceChange, type SilenceOptions, SilentDevices } from "../../../src/gateway/monitor/silent-devices";
import { FakeClock } from "../../support/doubles/fake-clock";

const minuteMs = 60_000;
const any = { typeId: "", deviceId: "", silentAfterMs: minuteMs };

class Bench {
    readonly clock = new FakeClock();
    /** The devices that the inventory knows, with their last events. */
    readonly known = new Map<string, number>();
    readonly silentDevices: SilentDevices;

    constructor() {
        const { known } = this;
        this.silentDevices = new SilentDevices({
            clock: this.clock,
            inventory: {
                get devices() {
                    return known.keys();
                },
                lastEventAt: (device) => known.get(device),
            },
            gatewayDevice: "gw/g1",
        });
        this.silentDevices.resume();
    }

    event(device: string): void {
        this.known.set(device, this.clock.now());
        this.silentDevices.eventSeen(device);
    }

    watch(options: SilenceOptions = any): SilenceChange[] {
        const changes: SilenceChange[] = [];
        this.silentDevices.watch(options, (change) => changes.push(change));
        return changes;
    }
}

const shown = (changes: readonly SilenceChange[]) => changes.map(({ typeId, deviceId, silent }) => `${typeId}/${deviceId} ${silent}`);

describe("silent devices", () => {
    it("a silent device is reported once, and again when it sends", () => {
        const bench = new Bench();
        const changes = bench.watch();
        bench.event("pump/p1");
        bench.clock.advance(minuteMs - 1);
        assert.equal(changes.length, 0);
        bench.clock.advance(10 * minuteMs);
        bench.event("pump/p1");
        const lastEvent = "2026-01-01T00:00:00.000Z";
        const again = new Date(bench.clock.now()).toISOString();
        assert.deepEqual(changes, [
            { typeId: "pump", deviceId: "p1", silent: true, since: "2026-01-01T00:01:00.000Z", lastEvent },
            { typeId: "pump", deviceId: "p1", silent: false, since: again, lastEvent: again },
        ]);
        assert.equal(bench.silentDevices.count, 0);
    });

    it("devices of earlier runs have the whole time from the start of the flows on", () => {
        const bench = new Bench();
        bench.known.set("pump/old", bench.clock.now() - 1_000_000);
        bench.known.set("pump/commanded", 0);
        const changes = bench.watch();
        bench.clock.advance(minuteMs - 1);
        assert.equal(changes.length, 0);
        bench.clock.advance(1);
        assert.deepEqual(shown(changes), ["pump/old true", "pump/commanded true"]);
        assert.equal(changes[1]?.lastEvent, undefined);
    });

    it("devices of earlier runs have the whole time when the file can be read only later", () => {
        const bench = new Bench();
        const changes = bench.watch();
        bench.clock.advance(minuteMs / 2);
        bench.known.set("pump/old", 1);
        bench.silentDevices.stateLoaded();
        bench.clock.advance(minuteMs - 1);
        assert.equal(changes.length, 0);
        bench.clock.advance(1);
        assert.deepEqual(shown(changes), ["pump/old true"]);
    });

    it("every device has the whole time again after a deploy, and a silent one is reported again", () => {
        const bench = new Bench();
        const changes = bench.watch();
        bench.event("pump/silent");
        bench.clock.advance(minuteMs);
        bench.event("pump/p1");
        bench.clock.advance(minuteMs - 1);
        bench.silentDevices.pause();
        bench.clock.advance(10 * minuteMs);
        assert.deepEqual(shown(changes), ["pump/silent true"]);
        bench.silentDevices.resume();
        bench.clock.advance(minuteMs - 1);
        assert.deepEqual(shown(changes), ["pump/silent true"]);
        bench.clock.advance(1);
        assert.deepEqual(shown(changes).slice(1).sort(), ["pump/p1 true", "pump/silent true"]);
    });

    it("jumps of the wall clock make no device silent and hide none", () => {
        const bench = new Bench();
        const changes = bench.watch();
        bench.event("pump/p1");
        bench.clock.jump(bench.clock.now() + 365 * 86_400_000);
        bench.clock.advance(minuteMs - 1);
        bench.clock.jump(0);
        assert.equal(changes.length, 0);
        bench.clock.advance(1);
        assert.deepEqual(shown(changes), ["pump/p1 true"]);
    });

    it("only devices of the filter are reported, not forgotten ones and not the gateway itself", () => {
        const bench = new Bench();
        const [pumps, ones, single, all] = [
            bench.watch({ ...any, typeId: "pump" }),
            bench.watch({ ...any, deviceId: "1" }),
            bench.watch({ ...any, typeId: "fan", deviceId: "1" }),
            bench.watch(),
        ];
        for (const device of ["pump/1", "pump/2", "fan/1", "fan/11", "pumpe/3", "gw/g1"]) bench.event(device);
        bench.known.delete("pump/2");
        bench.silentDevices.forget("pump/2");
        // The inventory makes room without a notification.
        bench.known.delete("pumpe/3");
        bench.clock.advance(minuteMs);
        assert.deepEqual(shown(pumps), ["pump/1 true"]);
        assert.deepEqual(shown(ones), ["pump/1 true", "fan/1 true"]);
        assert.deepEqual(shown(single), ["fan/1 true"]);
        assert.deepEqual(shown(all), ["pump/1 true", "fan/1 true", "fan/11 true"]);
        assert.equal(bench.silentDevices.count, 3);
        bench.silentDevices.forget("pump/1");
        bench.event("pump/1");
        assert.equal(all.length, 3, "a forgotten device is a new one");
    });

    it("a hundred thousand devices share one timer, and a hundred are reported in each turn", () => {
        const bench = new Bench();
        let reports = 0;
        let most = 0;
        const turns = setTurnCounter(bench.clock, () => {
            most = Math.max(most, reports - turns.before);
            turns.before = reports;
        });
        bench.silentDevices.watch(any, () => {
            reports += 1;
        });
        for (let index = 0; index < 100_000; index++) bench.event(`pump/p${index}`);
        for (let index = 0; index < 100_000; index++) bench.event(`pump/p${index}`);
        assert.equal(bench.clock.timerCount, 1);
        bench.clock.advance(minuteMs / 2);
        for (let index = 50_000; index < 100_000; index++) bench.event(`pump/p${index}`);
        bench.clock.advance(minuteMs / 2 - 1);
        assert.equal(reports, 0);
        bench.clock.advance(1);
        assert.equal(reports, 50_000);
        assert.ok(most <= 100, `${most} in one turn`);
        assert.equal(bench.silentDevices.count, 50_000);
    });

    it("devices cost nothing when nothing watches them any more", () => {
        const bench = new Bench();
        const subscription = bench.silentDevices.watch(any, () => undefined);
        bench.event("pump/p1");
        subscription.close();
        assert.equal(bench.clock.timerCount, 0);
        assert.equal(bench.silentDevices.isWatching, false);
    });
});

/** Calls `turn` after each timer that fires from now on. */
function setTurnCounter(clock: FakeClock, turn: () => void): { before: number } {
    const { setTimer } = clock;
    clock.setTimer = (delayMs, action) =>
        setTimer.call(clock, delayMs, () => {
            action();
            turn();
        });
    return { before: 0 };
}
