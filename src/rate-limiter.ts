/** Lets a limited number of things through each second: evenly, after a pause a burst. A token bucket, with the time passed in. */
export class RateLimiter {
    readonly #perMs: number;
    readonly #burst: number;
    #tokens: number;
    #filledMs: number;

    /** @param nowMs monotonic time */
    constructor({ perSecond, burst }: RateLimits, nowMs: number) {
        this.#perMs = perSecond / 1000;
        this.#burst = Math.max(1, burst);
        this.#tokens = this.#burst;
        this.#filledMs = nowMs;
    }

    /** Whether one more may pass now; it then counts. */
    take(nowMs: number): boolean {
        this.#fill(nowMs);
        if (this.#tokens < 1) return false;
        this.#tokens -= 1;
        return true;
    }

    /** The last one that was let through did not pass after all. */
    refund(): void {
        this.#tokens = Math.min(this.#tokens + 1, this.#burst);
    }

    /** Milliseconds until the next one may pass. */
    delayMs(nowMs: number): number {
        this.#fill(nowMs);
        return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs);
    }

    #fill(nowMs: number): void {
        this.#tokens = Math.min(this.#tokens + (nowMs - this.#filledMs) * this.#perMs, this.#burst);
        this.#filledMs = nowMs;
    }
}

/** How fast things may pass. */
export interface RateLimits {
    readonly perSecond: number;
    /** How many may pass at the same moment after a pause; at least 1. */
    readonly burst: number;
}
