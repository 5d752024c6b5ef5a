import type { Clock } from "../../clock";

const sampleMs = 1000;
/** A look this long after the last one says nothing about the rate now. */
const forgetMs = 30_000;
/** A smoothed decline never quite ends: one that would take longer than this is none. */
const longestS = 86_400;

/** Measures from counters that are looked at now and then; costs nothing while nobody looks. */
export class DrainEstimate {
    readonly #clock: Clock;
    #sampledMs: number;
    #acknowledged = 0;
    #left = 0;
    #rate: number | undefined;
    #decline: number | undefined;

    constructor(clock: Clock) {
        this.#clock = clock;
        this.#sampledMs = clock.monotonicMs();
    }

    /** Takes a sample if the last one is old enough, and says how it goes. */
    evaluate(left: number, acknowledged: number): BacklogProgress {
        const nowMs = this.#clock.monotonicMs();
        const elapsedMs = nowMs - this.#sampledMs;
        if (elapsedMs >= sampleMs) {
            const isStale = elapsedMs > forgetMs;
            this.#rate = isStale ? undefined : smooth(this.#rate, ((acknowledged - this.#acknowledged) * 1000) / elapsedMs);
            const decline = ((this.#left - left) * 1000) / elapsedMs;
            // When a growing backlog begins to go down, how fast it grew says nothing any more.
            const turned = decline > 0 && (this.#decline ?? 0) <= 0;
            this.#decline = isStale ? undefined : smooth(turned ? undefined : this.#decline, decline);
            this.#sampledMs = nowMs;
            this.#acknowledged = acknowledged;
            this.#left = left;
        }
        const decline = this.#decline ?? 0;
        const secondsLeft = left > 0 && decline > 0 ? Math.ceil(left / decline) : undefined;
        return {
            left,
            ratePerSecond: this.#rate ?? 0,
            secondsLeft: secondsLeft !== undefined && secondsLeft <= longestS ? secondsLeft : undefined,
        };
    }
}

/** How a backlog goes down. */
export interface BacklogProgress {
    /** Events not acknowledged yet. */
    readonly left: number;
    /** Events acknowledged each second, smoothed; 0 until it has been measured. */
    readonly ratePerSecond: number;
    /** Seconds until nothing is left if it goes on like this, new events included; undefined when it does not go down. */
    readonly secondsLeft: number | undefined;
}

function smooth(average: number | undefined, sample: number): number {
    return average === undefined ? sample : average + (sample - average) / 4;
}
