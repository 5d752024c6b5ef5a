import assert from "node:assert/strict";
import fc from "fast-check";
import { ByteRateLimiter, RateLimiter } from "../../src/rate-limiter";

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

describe("byte rate limiter", () => {
    const windowMs = 10_000;
    const rate = fc.oneof(fc.integer({ min: 10, max: 10_000 }), fc.integer({ min: 10_000, max: 100_000_000 }));

    it("in any ten seconds at most eleven times the rate goes out, not counting what an event is larger than a second's bytes", () => {
        const step = fc.record({
            pauseMs: fc.oneof(fc.constant(0), fc.double({ min: 0, max: 50, noNaN: true }), fc.double({ min: 0, max: 20_000, noNaN: true })),
            /** Sizes in parts of the bytes of a second. */
            seconds: fc.array(fc.oneof(fc.double({ min: 0.001, max: 1, noNaN: true }), fc.double({ min: 1, max: 5, noNaN: true })), {
                maxLength: 30,
            }),
        });
        fc.assert(
            fc.property(rate, fc.array(step, { minLength: 1, maxLength: 60 }), (bytesPerS, steps) => {
                const limiter = new ByteRateLimiter(bytesPerS, 0);
                const sent: { atMs: number; bytes: number }[] = [];
                let nowMs = 0;
                for (const { pauseMs, seconds } of steps) {
                    nowMs += pauseMs;
                    for (const each of seconds) {
                        if (limiter.delayMs(nowMs) > 0) break;
                        const bytes = Math.ceil(each * bytesPerS);
                        limiter.sent(bytes, nowMs);
                        sent.push({ atMs: nowMs, bytes });
                    }
                }
                for (const [index, first] of sent.entries()) {
                    let total = 0;
                    for (const { atMs, bytes } of sent.slice(index)) {
                        if (atMs - first.atMs > windowMs) break;
                        assert.ok(total + Math.min(bytes, bytesPerS) <= 11 * bytesPerS + 1e-3, `${total} and ${bytes} at ${bytesPerS}/s`);
                        total += bytes;
                    }
                }
            }),
        );
    });

    it("an event larger than a second's bytes goes alone, and its debt is waited out", () => {
        const limiter = new ByteRateLimiter(1000, 0);
        assert.equal(limiter.delayMs(0), 0);
        limiter.sent(131_000, 0);
        const delayMs = limiter.delayMs(0);
        assert.ok(delayMs > 130_000 && delayMs < 133_000, String(delayMs));
        assert.equal(limiter.delayMs(delayMs - 10), 10);
        assert.equal(limiter.delayMs(delayMs), 0);
    });

    it("the byte rate is reached but for a hundredth by waiting the returned times, with timers of 15 ms too", () => {
        /** In parts of the bytes of a second. */
        const size = fc.double({ min: 0.002, max: 3, noNaN: true });
        fc.assert(
            fc.property(rate, size, fc.constantFrom(1, 15), (bytesPerS, seconds, timerMs) => {
                const bytes = Math.ceil(seconds * bytesPerS);
                const limiter = new ByteRateLimiter(bytesPerS, 0);
                let total = 0;
                let nowMs = 0;
                while (nowMs < 60_000) {
                    while (limiter.delayMs(nowMs) === 0) {
                        limiter.sent(bytes, nowMs);
                        total += bytes;
                    }
                    nowMs += Math.ceil(Math.max(limiter.delayMs(nowMs), 1) / timerMs) * timerMs;
                }
                assert.ok(total >= (nowMs / 1000) * bytesPerS * 0.99 - bytes, `${total} in ${nowMs} ms at ${bytesPerS}/s`);
            }),
            { numRuns: 50 },
        );
    });
});
