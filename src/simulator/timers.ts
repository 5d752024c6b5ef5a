/** The time of one owner, and the timers that end with it. They do not keep the process alive. */
export class Timers {
    readonly #clock: SimulatorClock;
    readonly #running = new Set<Timer>();
    #ended = false;

    constructor(clock: SimulatorClock) {
        this.#clock = clock;
    }

    /** Milliseconds since the Unix epoch. */
    now(): number {
        return this.#clock.now();
    }

    /** Milliseconds that only grow, for durations. */
    monotonicMs(): number {
        return this.#clock.monotonicMs();
    }

    /** Calls `action` once after `delayMs`, unless the owner ends first. Returns a function that cancels it. */
    after(delayMs: number, action: () => void): () => void {
        if (this.#ended) return () => undefined;
        const timer = this.#clock.setTimer(delayMs, () => {
            this.#running.delete(timer);
            action();
        });
        this.#running.add(timer);
        return () => {
            timer.cancel();
            this.#running.delete(timer);
        };
    }

    /** Calls `action` periodically until the owner ends. */
    every(periodMs: number, action: () => void): void {
        this.after(periodMs, () => {
            action();
            this.every(periodMs, action);
        });
    }

    /** Cancels every timer; later ones do not start. */
    dispose(): void {
        this.#ended = true;
        for (const timer of this.#running) timer.cancel();
        this.#running.clear();
    }
}

/** A source of time. Tests can give one that runs faster than the machine's. */
export interface SimulatorClock {
    /** Milliseconds since the Unix epoch. */
    now(): number;
    /** Milliseconds that only grow. */
    monotonicMs(): number;
    /** Calls `action` once after `delayMs`, later than this call returns. */
    setTimer(delayMs: number, action: () => void): Timer;
}

interface Timer {
    cancel(): void;
}
