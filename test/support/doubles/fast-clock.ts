import type { Clock, Timer } from "../../../src/clock";

const stepMs = 2;
const maxStepMs = 10;

/** Time in which this process ran. While the machine keeps it waiting next to none passes, so that a busy machine is not taken for a dead link. */
let runningMs = 0;
let seenMs = performance.now();
setInterval(() => {
    const nowMs = performance.now();
    runningMs += Math.min(nowMs - seenMs, maxStepMs);
    seenMs = nowMs;
}, stepMs).unref();

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
        return runningMs * this.#factor;
    }

    setTimer(delayMs: number, action: () => void): Timer {
        this.#timers++;
        const dueMs = this.monotonicMs() + delayMs;
        let waiting = true;
        const settle = () => {
            if (waiting) this.#timers--;
            waiting = false;
        };
        const look = () => {
            if (this.monotonicMs() < dueMs) {
                timeout = this.#after(dueMs, look);
                return;
            }
            settle();
            action();
        };
        let timeout = this.#after(dueMs, look);
        return {
            cancel: () => {
                clearTimeout(timeout);
                settle();
            },
        };
    }

    #after(dueMs: number, action: () => void): NodeJS.Timeout {
        return setTimeout(action, (dueMs - this.monotonicMs()) / this.#factor);
    }
}
