import type { Clock } from "../clock";

const linesPerMinute = 60;
const minuteMs = 60_000;

/** Lets only so many lines a minute into the log and counts the rest, so that no peer can fill the disk with our words. */
export class LogLimit {
    readonly #clock: Clock;
    readonly #leftOut: (count: number) => void;
    #minuteStartMs = Number.NEGATIVE_INFINITY;
    #lines = 0;
    #suppressed = 0;

    /** @param leftOut told, with the first line of a later minute, how many were left out before it */
    constructor(clock: Clock, leftOut: (count: number) => void) {
        this.#clock = clock;
        this.#leftOut = leftOut;
    }

    /** Whether one more line may be written now. */
    mayWrite(): boolean {
        const nowMs = this.#clock.monotonicMs();
        if (nowMs - this.#minuteStartMs >= minuteMs) {
            if (this.#suppressed > 0) this.#leftOut(this.#suppressed);
            this.#minuteStartMs = nowMs;
            this.#lines = 0;
            this.#suppressed = 0;
        }
        this.#lines += 1;
        if (this.#lines <= linesPerMinute) return true;
        this.#suppressed += 1;
        return false;
    }
}
