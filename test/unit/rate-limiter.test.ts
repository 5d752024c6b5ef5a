import assert from "node:assert/strict";
import fc from "fast-check";
import { RateLimiter } from "../../src/rate-limiter";

describe("rate limiter", () => {
    const rate = fc.oneof(fc.double({ min: 0.1, max: 20, noNaN: true }), fc.double({ min: 20, max: 1_000_000, noNaN: true }));

    it("the rate is never exceeded by more than a tenth of a second's worth, or one event, over any time", () => {
        const pauses = fc.array(
            fc.oneof(fc.constant(0), fc.double({ min: 0, max: 50, noNaN: true }), fc.double({ min: 0, max: 5000, noNaN: true })),
            {
                minLength: 1,
                maxLength: 200,
            },
        );
        fc.assert(
            fc.property(rate, pauses, (perSecond, steps) => {
                const limiter = new RateLimiter({ perSecond, burst: perSecond / 10 }, 0);
                const burst = Math.max(1, perSecond / 10);
                const takenAt: number[] = [];
                let nowMs = 0;
                for (const pauseMs of steps) {
                    nowMs += pauseMs;
                    for (let tries = 0; tries < 3; tries++) if (limiter.take(nowMs)) takenAt.push(nowMs);
                }
                for (const [first, fromMs] of takenAt.entries()) {
                    for (const [later, toMs] of takenAt.slice(first).entries()) {
                        const allowed = burst + ((toMs - fromMs) * perSecond) / 1000;
                        assert.ok(later + 1 <= allowed + 1e-6, `${later + 1} in ${toMs - fromMs} ms at ${perSecond}/s`);
                    }
                }
            }),
        );
    });

    it("the rate is reached by waiting the returned times, up to the precision of a timer in milliseconds", () => {
        fc.assert(
            fc.property(rate, (perSecond) => {
                const limiter = new RateLimiter({ perSecond, burst: perSecond / 10 }, 0);
                const endMs = Math.max(20_000 / perSecond, 2000);
                let taken = 0;
                for (let nowMs = 0; nowMs < endMs; nowMs += Math.max(limiter.delayMs(nowMs), 1)) {
                    while (taken < 50_000 && limiter.take(nowMs)) taken += 1;
                }
                assert.ok(
                    taken >= Math.min(Math.floor((endMs * perSecond) / 1000) - 1, 50_000),
                    `${taken} in ${endMs} ms at ${perSecond}/s`,
                );
            }),
            { numRuns: 50 },
        );
    });

    it("an event that was not sent after all gives its token back, up to the size of the bucket", () => {
        const limiter = new RateLimiter({ perSecond: 10, burst: 1 }, 0);
        assert.equal(limiter.take(0), true);
        limiter.refund();
        limiter.refund();
        assert.deepEqual([limiter.take(0), limiter.take(0)], [true, false]);
        assert.equal(limiter.delayMs(0), 100);
        assert.equal(limiter.delayMs(40), 60);
    });
});
