/** A timer that was started; cancelling one that has fired does nothing. */
export interface Timer {
    cancel(): void;
}

/** Where every part of the gateway gets its time from, so that tests can run hours in milliseconds. */
export interface Clock {
    /** Milliseconds since the Unix epoch. May jump when the system's clock is set. */
    now(): number;
    /** Milliseconds that only ever grow, for durations: never compare it with `now()`. */
    monotonicMs(): number;
    /** Calls `action` once after `delayMs`. The timer does not keep the process alive. */
    setTimer(delayMs: number, action: () => void): Timer;
}

/** The longest delay a Node.js timer can take; longer ones would fire at once. */
const maxDelayMs = 2 ** 31 - 1;

/** The clock of the machine. */
export const systemClock: Clock = {
    now: () => Date.now(),
    monotonicMs: () => performance.now(),
    setTimer(delayMs, action) {
        const timeout = setTimeout(action, Math.min(Math.max(delayMs, 0), maxDelayMs));
        timeout.unref();
        return { cancel: () => clearTimeout(timeout) };
    },
};
