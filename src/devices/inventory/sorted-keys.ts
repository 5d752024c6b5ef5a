const fewKeys = 1_000;

/**
 * Keys in alphabetical order, sorted only when somebody looks: few new ones among many are put in their places in one pass, so
 * that looking often at a large inventory costs little.
 */
export class SortedKeys {
    #sorted: string[] = [];
    #added: string[] = [];
    readonly #removed = new Set<string>();

    /** Adds a key that is not there. */
    add(key: string): void {
        if (!this.#removed.delete(key)) this.#added.push(key);
    }

    /** Removes a key that is there. */
    remove(key: string): void {
        this.#removed.add(key);
        // Nobody may search indefinitely.
        if (this.#removed.size >= fewKeys && this.#removed.size * 2 > this.#sorted.length + this.#added.length) this.#dropRemoved();
    }

    /** All keys, in order. Valid until the next change. */
    get values(): readonly string[] {
        if (this.#removed.size > 0) this.#dropRemoved();
        if (this.#added.length > 0) {
            this.#sorted = merge(this.#sorted, this.#added.sort(compare));
            this.#added = [];
        }
        return this.#sorted;
    }

    #dropRemoved(): void {
        const isKept = (key: string) => !this.#removed.has(key);
        this.#sorted = this.#sorted.filter(isKept);
        this.#added = this.#added.filter(isKept);
        this.#removed.clear();
    }
}

function merge(one: readonly string[], other: readonly string[]): string[] {
    const merged: string[] = [];
    let next = 0;
    for (const key of one) {
        for (let before = other[next]; before !== undefined && before < key; before = other[next]) {
            merged.push(before);
            next++;
        }
        merged.push(key);
    }
    for (; next < other.length; next++) merged.push(other[next] ?? "");
    return merged;
}

/** By UTF-16 code units: the same order in every language, and fast. */
export function compare(one: string, other: string): number {
    return one < other ? -1 : one > other ? 1 : 0;
}
