/** How often something took how long, in buckets that never change, so that a million observations take no more room than one. */
export interface LatencyCounts {
    /** Upper bounds in seconds with the number of observations up to each, in ascending order; those beyond are only in `count`. */
    readonly buckets: readonly (readonly [boundS: number, count: number])[];
    readonly count: number;
    readonly sumS: number;
}

const boundsMs = [2, 5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000];

/** Counts durations; adding one is a few comparisons, as it happens for every event. */
export class LatencyHistogram {
    readonly #counts = new Array<number>(boundsMs.length + 1).fill(0);
    #sumMs = 0;

    add(durationMs: number): void {
        let bucket = 0;
        while (bucket < boundsMs.length && durationMs > (boundsMs[bucket] ?? 0)) bucket += 1;
        this.#counts[bucket] = (this.#counts[bucket] ?? 0) + 1;
        this.#sumMs += durationMs;
    }

    /** What was counted until now. */
    get counts(): LatencyCounts {
        let upToHere = 0;
        const buckets = boundsMs.map((boundMs, index) => {
            upToHere += this.#counts[index] ?? 0;
            return [boundMs / 1000, upToHere] as const;
        });
        return { buckets, count: upToHere + (this.#counts[boundsMs.length] ?? 0), sumS: this.#sumMs / 1000 };
    }
}
