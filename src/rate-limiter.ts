/** Lets at most so many events through each second; evenly, with a burst of a tenth of a second. */
export class TokenBucket {
    readonly #perMs: number;
    readonly #capacity: number;
    #tokens: number;
    #filledMs: number;

    constructor(ratePerSecond: number, nowMs: number) {
        this.#perMs = ratePerSecond / 1000;
        this.#capacity = Math.max(1, ratePerSecond / 10);
        this.#tokens = this.#capacity;
        this.#filledMs = nowMs;
    }

    /** Takes a token if there is one. */
    take(nowMs: number): boolean {
        this.#fill(nowMs);
        if (this.#tokens < 1) return false;
        this.#tokens -= 1;
        return true;
    }

    /** Gives back a token that was not used. */
    refund(): void {
        this.#tokens = Math.min(this.#tokens + 1, this.#capacity);
    }

    /** How long until the next token. */
    delayMs(nowMs: number): number {
        this.#fill(nowMs);
        return this.#tokens >= 1 ? 0 : Math.ceil((1 - this.#tokens) / this.#perMs);
    }

    #fill(nowMs: number): void {
        this.#tokens = Math.min(this.#tokens + (nowMs - this.#filledMs) * this.#perMs, this.#capacity);
        this.#filledMs = nowMs;
    }
}
