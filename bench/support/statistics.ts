/** The median of several measurements and their range. */
export interface Spread {
    readonly median: number;
    readonly min: number;
    readonly max: number;
}

/** Median, smallest and largest of at least one value. */
export function spread(values: readonly number[]): Spread {
    const sorted = [...values].sort((one, other) => one - other);
    return { median: percentile(sorted, 50), min: sorted[0] ?? Number.NaN, max: sorted.at(-1) ?? Number.NaN };
}

/** The value below which `percent` of the sorted values lie. */
export function percentile(sorted: ArrayLike<number>, percent: number): number {
    const index = Math.min(Math.floor((sorted.length * percent) / 100), sorted.length - 1);
    return sorted[index] ?? Number.NaN;
}
