import type { Clock } from "../clock";
import type { OutboxEntry } from "./queue/outbox-entry";

/** Nothing that this package wrote is older; a clock that shows less was never set, as on a board without a battery after a power cut. */
export const earliestTrueTime = Date.UTC(2025, 0, 1);
/** Between two looks a true clock moves no more than this against the timers. */
const jumpMs = 1000;

/** NotificationListeners that the wall clock was set, so that events keep the age they have. Time during which the machine slept does not count. */
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

/**
 * Corrects the times of events after the clock was set. Those admitted by this process (with numbers after `runStartSeq`) keep their age;
 * those of earlier ones are true already, unless their clock had not been set at all: then they get their whole time to live from now.
 */
export function correctTimes(
    entries: Iterable<OutboxEntry>,
    { byMs, runStartSeq, nowMs }: { byMs: number; runStartSeq: number; nowMs: number },
): void {
    for (const entry of entries) {
        if (entry.seq > runStartSeq) entry.moveTimes(byMs);
        else if (entry.expiresAt < earliestTrueTime && nowMs >= earliestTrueTime) entry.moveTimes(nowMs - entry.createdAt);
    }
}
