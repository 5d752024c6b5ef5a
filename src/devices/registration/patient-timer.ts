import type { Clock, Timer } from "../../clock";

/** The last part of the delay: long enough for the event loop to read what has arrived before the timer decides anything. */
const readingMs = 2;
/** A timer this late was held up by the event loop, and more has arrived than one turn reads. */
const lateMs = 20;

/**
 * Calls `action` after a delay in which the event loop kept reading. A sign that has arrived
 * and is not read yet must not count as missing.
 */
export function setPatientTimer(clock: Clock, delayMs: number, action: () => void): Timer {
    let timer: Timer;
    const start = (afterMs: number): void => {
        const firstMs = Math.max(afterMs - readingMs, 0);
        const dueMs = clock.monotonicMs() + firstMs;
        timer = clock.setTimer(firstMs, () => {
            if (clock.monotonicMs() > dueMs + lateMs) start(delayMs);
            else timer = clock.setTimer(Math.min(readingMs, afterMs), action);
        });
    };
    start(delayMs);
    return { cancel: () => timer.cancel() };
}
