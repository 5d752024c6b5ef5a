import type { Clock, Timer } from "./clock";

const minuteMs = 60_000;

/** Lets a limited number of lines a minute into the log and counts the rest, so that no peer and no flow can fill the disk. */
export class LogLimiter {
    readonly #clock: Clock;
    readonly #linesPerMinute: number;
    readonly #reportOmitted: (count: number) => void;
    #lines = 0;
    #omitted = 0;
    /** Runs from the first line on. */
    #minute: Timer | undefined;

    /** @param reportOmitted called at the end of a minute in which lines were omitted, with their number */
    constructor(clock: Clock, linesPerMinute: number, reportOmitted: (count: number) => void) {
        this.#clock = clock;
        this.#linesPerMinute = linesPerMinute;
        this.#reportOmitted = reportOmitted;
    }

    /** Whether one more line may be written now. */
    mayWrite(): boolean {
        this.#minute ??= this.#clock.setTimer(minuteMs, () => this.#endMinute());
        this.#lines += 1;
        return this.#lines <= this.#linesPerMinute;
    }

    /** Counts a line that was not written because of the limit. */
    omit(): void {
        this.#omitted += 1;
    }

    /** Reports the omitted lines, if any, and ends the timer. */
    close(): void {
        this.#minute?.cancel();
        this.#endMinute();
    }

    #endMinute(): void {
        const omitted = this.#omitted;
        this.#minute = undefined;
        this.#lines = 0;
        this.#omitted = 0;
        if (omitted > 0) this.#reportOmitted(omitted);
    }
}
