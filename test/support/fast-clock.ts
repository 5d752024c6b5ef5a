import type { Clock, Timer } from "../../src/clock";

/** The machine's clock, but faster: what takes a gateway a minute takes a test a second. The network keeps its own pace. */
export class FastClock implements Clock {
    readonly #factor: number;
    #timers = 0;

    constructor(factor: number) {
        this.#factor = factor;
    }

    /** Timers that have been set and neither fired nor been cancelled. */
    get timerCount(): number {
        return this.#timers;
    }

    now(): number {
        return Date.now();
    }

    monotonicMs(): number {
        return performance.now() * this.#factor;
    }

    setTimer(delayMs: number, action: () => void): Timer {
        this.#timers++;
        let waiting = true;
        const settle = () => {
            if (waiting) this.#timers--;
            waiting = false;
        };
        const timeout = setTimeout(() => {
            settle();
            action();
        }, delayMs / this.#factor);
        return {
            cancel: () => {
                clearTimeout(timeout);
                settle();
            },
        };
    }
}
