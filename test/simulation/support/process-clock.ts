import type { Clock, Timer } from "../../../src/clock";

/** The clock as one process sees it: its timers die with it. */
export class ProcessClock implements Clock {
    readonly #clock: Clock;
    readonly #timers = new Set<Timer>();
    #isDead = false;

    constructor(clock: Clock) {
        this.#clock = clock;
    }

    now(): number {
        return this.#clock.now();
    }

    monotonicMs(): number {
        return this.#clock.monotonicMs();
    }

    setTimer(delayMs: number, action: () => void): Timer {
        if (this.#isDead) return { cancel: () => undefined };
        const timer = this.#clock.setTimer(delayMs, () => {
            this.#timers.delete(timer);
            action();
        });
        this.#timers.add(timer);
        return {
            cancel: () => {
                timer.cancel();
                this.#timers.delete(timer);
            },
        };
    }

    /** How many timers are waiting. */
    get timerCount(): number {
        return this.#timers.size;
    }

    /** The process has died. */
    kill(): void {
        this.#isDead = true;
        for (const timer of this.#timers) timer.cancel();
        this.#timers.clear();
    }
}
