import type { Clock } from "../clock";

/** Nothing that this package wrote is older; a clock that shows less was never set, as on a board without a battery after a power cut. */
const earliestTrueTime = Date.UTC(2025, 0, 1);
/** Between two looks a true clock moves no more than this against the timers. */
const jumpMs = 1000;

/** The times of an event, as far as they may have to be corrected. */
export interface EventTimes {
    createdAt: number;
    expiresAt: number;
}

/** Notices that the wall clock was set, so that events keep the age they have. Time during which the machine slept does not count. */
export class WallClock {
    readonly #clock: Clock;
    readonly #jumped: (byMs: number) => void;
    #offsetMs: number;

    constructor(clock: Clock, jumped: (byMs: number) => void) {
        this.#clock = clock;
        this.#jumped = jumped;
        this.#offsetMs = clock.now() - clock.monotonicMs();
    }

    /** Wall-clock milliseconds. Reports a jump before it returns. */
    now(): number {
        const nowMs = this.#clock.now();
        const offsetMs = nowMs - this.#clock.monotonicMs();
        const byMs = offsetMs - this.#offsetMs;
        this.#offsetMs = offsetMs;
        if (byMs > jumpMs || byMs < -jumpMs) this.#jumped(byMs);
        return nowMs;
    }
}

/** Whether times were taken from a clock that had not been set, while the clock is set now. */
export function isFromUnsetClock(expiresAt: number, nowMs: number): boolean {
    return expiresAt < earliestTrueTime && nowMs >= earliestTrueTime;
}

/** Times from an unset clock start again: the event gets its whole time to live from now. */
export function restartTimes(event: EventTimes, nowMs: number): void {
    event.expiresAt += nowMs - event.createdAt;
    event.createdAt = nowMs;
}
