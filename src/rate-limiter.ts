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

/** After a pause this part of a second's bytes may go beyond the rate, so that coarse timers cost no throughput. */
const slackS = 0.05;
/** What the slack adds in ten seconds is taken from the rate. */
const slackWindowS = 10;

/**
 * Limits bytes over time: what is sent makes debt, which time pays off, and in debt nothing more may be sent. So in any ten seconds at most
 * eleven times a second's bytes go out. Something larger than a second's bytes goes alone: the rest waits until it is paid off.
 */
export class ByteRateLimiter {
    readonly #perMs: number;
    readonly #slack: number;
    #debt = 0;
    #paidMs: number;

    /** @param nowMs monotonic time */
    constructor(bytesPerS: number, nowMs: number) {
        this.#perMs = (bytesPerS * (1 - slackS / slackWindowS)) / 1000;
        this.#slack = bytesPerS * slackS;
        this.#paidMs = nowMs;
    }

    /** Bytes are sent, whether they may be or not. */
    sent(bytes: number, nowMs: number): void {
        this.#pay(nowMs);
        this.#debt += bytes;
    }

    /** Milliseconds until something may be sent; 0 when it may now. */
    delayMs(nowMs: number): number {
        this.#pay(nowMs);
        return this.#debt <= this.#slack ? 0 : Math.ceil((this.#debt - this.#slack) / this.#perMs);
    }

    #pay(nowMs: number): void {
        this.#debt = Math.max(this.#debt - (nowMs - this.#paidMs) * this.#perMs, 0);
        this.#paidMs = nowMs;
    }
}
