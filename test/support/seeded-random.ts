/** Numbers that look random and are the same for the same seed (mulberry32). */
export class SeededRandom {
    #state: number;

    constructor(seed: number) {
        this.#state = seed >>> 0;
    }

    /** A number from 0 to below 1. */
    next(): number {
        this.#state = (this.#state + 0x6d2b79f5) >>> 0;
        let mixed = this.#state;
        mixed = Math.imul(mixed ^ (mixed >>> 15), mixed | 1);
        mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
        return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
    }

    /** A whole number from `least` to `most`, both included. */
    integer(least: number, most: number): number {
        return least + Math.floor(this.next() * (most - least + 1));
    }

    /** The items in another order. */
    shuffled<T>(items: readonly T[]): T[] {
        return items
            .map((item) => ({ item, place: this.next() }))
            .sort((a, b) => a.place - b.place)
            .map(({ item }) => item);
    }
}
