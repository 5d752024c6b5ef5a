import assert from "node:assert/strict";
import fc from "fast-check";
import { BackOff, TakeOverDetector } from "../../../src/connection/reconnect-policy";

describe("back-off", () => {
    it("the back-off stays between one second and one minute, and above the minimum of its reason", () => {
        fc.assert(
            fc.property(
                fc.array(fc.tuple(fc.nat(100_000), fc.constantFrom(0, 30_000, 60_000))),
                fc.double({ min: 0, max: 0.999, noNaN: true }),
                (ends, random) => {
                    const backOff = new BackOff(() => random);
                    for (const [onlineMs, atLeastMs] of ends) {
                        const delayMs = backOff.nextDelayMs(onlineMs, atLeastMs);
                        assert.ok(delayMs >= Math.max(1_000, atLeastMs) && delayMs <= Math.max(60_000, atLeastMs * 1.1));
                    }
                },
            ),
        );
    });
});

describe("take-over detector", () => {
    it("suspects no take-over if connections end late or far apart", () => {
        const late = new TakeOverDetector();
        for (let i = 0; i < 10; i++) assert.equal(late.connectionEnded(i * 11_000, 10_500), false);
        const apart = new TakeOverDetector();
        for (let i = 0; i < 10; i++) assert.equal(apart.connectionEnded(i * 31_000, 500), false);
    });

    it("suspects another client at the third short-lived connection within a minute", () => {
        const detector = new TakeOverDetector();
        assert.deepEqual(
            [1_000, 20_000, 50_000].map((nowMs) => detector.connectionEnded(nowMs, 10_000)),
            [false, false, true],
        );
    });
});
