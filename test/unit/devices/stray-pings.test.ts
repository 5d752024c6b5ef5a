import assert from "node:assert/strict";
import fc from "fast-check";
import { StrayPings } from "../../../src/devices/registration/stray-pings";
import { FakeClock } from "../../support/doubles/fake-clock";

/** Runs events ("s" = stray packet, "n" = notification) at their times and returns what was found unexplained. */
function run(events: readonly (readonly [atMs: number, what: "s" | "n"])[], endMs = 100_000): string[] {
    const clock = new FakeClock();
    const found: string[] = [];
    const strayPings = new StrayPings({ clock, gapMs: 50, unexplained: ({ firstMs, lastMs }) => found.push(`${firstMs}-${lastMs}`) });
    for (const [atMs, what] of events) {
        clock.advance(atMs - clock.monotonicMs());
        if (what === "s") strayPings.strayPing();
        else strayPings.notification();
    }
    clock.advance(endMs - clock.monotonicMs());
    assert.equal(clock.timerCount, 0);
    return found;
}

describe("stray packets and notifications", () => {
    it("a stray packet and a notification belong together in either order", () => {
        assert.deepEqual(
            run([
                [0, "s"],
                [5, "n"],
                [200, "n"],
                [205, "s"],
            ]),
            [],
        );
    });

    it("a stray packet and a notification further apart do not belong together", () => {
        assert.deepEqual(
            run([
                [0, "s"],
                [51, "n"],
            ]),
            ["0-0"],
        );
    });

    it("stray packets and notifications are compared by number if they are ambiguous", () => {
        assert.deepEqual(
            run([
                [0, "s"],
                [1, "s"],
                [4, "n"],
                [30, "s"],
                [31, "n"],
            ]),
            ["0-30"],
        );
    });

    it("notifications leave no trace if the platform sends no stray packets", () => {
        assert.deepEqual(
            run([
                [0, "n"],
                [1, "n"],
                [200, "s"],
            ]),
            ["200-200"],
        );
    });

    it("unexplained stray packets are reported every second if failures never pause", () => {
        const steady = Array.from({ length: 200 }, (_, index) => [[index * 10, "s"] as const, [index * 10 + 4, "n"] as const]).flat();
        assert.deepEqual(run(steady), []);
        assert.equal(run([[0, "s"], [1, "s"], [2, "n"], ...steady.map(([atMs, what]) => [atMs + 10, what] as const)])[0], "0-990");
    });

    it("a lone stray packet is reported, whatever failures follow it", () => {
        const failure = fc.record({ afterMs: fc.integer({ min: 0, max: 120 }), gapMs: fc.integer({ min: -8, max: 8 }) });
        fc.assert(
            fc.property(fc.array(failure, { maxLength: 80 }), fc.nat(3000), (failures, exclusiveMs) => {
                let nowMs = 10;
                const events: [number, "s" | "n"][] = [[exclusiveMs, "s"]];
                for (const { afterMs, gapMs } of failures) {
                    nowMs += afterMs;
                    events.push([nowMs, "s"], [nowMs + gapMs, "n"]);
                }
                events.sort((a, b) => a[0] - b[0]);
                const found = run(events).map((interval) => interval.split("-").map(Number));
                const isFound = found.some(([firstMs = 0, lastMs = 0]) => firstMs <= exclusiveMs && exclusiveMs <= lastMs);
                assert.ok(isFound, `${exclusiveMs} is not within ${JSON.stringify(found)}`);
            }),
        );
    });
});
