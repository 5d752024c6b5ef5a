import type { Clock, Timer } from "../clock";
import { RateLimiter } from "../rate-limiter";

/** Failures of one node's messages each second: more than a person can read, and few enough for a loop to cost nothing. */
const perSecond = 100;
/** The number that waits. Beyond it, memory is worth more than the pace. */
const maxWaiting = 1000;

/**
 * Hands on the failures of one node's messages. A flow that makes new messages of errors and sends them to the same node hides from Node-RED
 * that they go in a circle: what is beyond a hundred a second waits for its turn, in order.
 */
export class FailurePacer {
    readonly #clock: Clock;
    readonly #rate: RateLimiter;
    readonly #waiting = new Set<() => void>();
    #timer: Timer | undefined;

    constructor(clock: Clock) {
        this.#clock = clock;
        this.#rate = new RateLimiter({ perSecond, burst: perSecond }, clock.monotonicMs());
    }

    /** Hands on a failure, now or when it is its turn. */
    add(handOn: () => void): void {
        if (this.#waiting.size === 0 && this.#rate.take(this.#clock.monotonicMs())) {
            handOn();
            return;
        }
        // Two failures may have the same function.
        this.#waiting.add(() => handOn());
        if (this.#waiting.size > maxWaiting) this.#next();
        this.#schedule();
    }

    /** Hands on what waits, and ends the timer. */
    close(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        while (this.#waiting.size > 0) this.#next();
    }

    #next(): void {
        const [handOn] = this.#waiting;
        if (!handOn) return;
        this.#waiting.delete(handOn);
        handOn();
    }

    #schedule(): void {
        if (this.#waiting.size === 0) return;
        this.#timer ??= this.#clock.setTimer(this.#rate.delayMs(this.#clock.monotonicMs()), () => {
            this.#timer = undefined;
            while (this.#waiting.size > 0 && this.#rate.take(this.#clock.monotonicMs())) this.#next();
            this.#schedule();
        });
    }
}
