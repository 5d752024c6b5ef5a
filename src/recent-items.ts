import { copied } from "./i18n";

/** The last things of a kind, the oldest first; older ones are forgotten. */
export class RecentItems<T> {
    readonly #items: T[] = [];
    readonly #capacity: number;
    #count = 0;

    constructor(capacity: number) {
        this.#capacity = capacity;
    }

    add(item: T): void {
        this.#count += 1;
        this.#items.push(item);
        if (this.#items.length > this.#capacity) this.#items.shift();
    }

    /** How many there have been; changes with each one. */
    get count(): number {
        return this.#count;
    }

    get items(): readonly T[] {
        return this.#items;
    }
}

/** Nobody who completes a name while typing looks for longer ones. */
const maxCharacters = 200;

/** Distinct names, at most a fixed number of them: further ones, and very long ones, are not taken on, so adding stays one look-up. */
export class BoundedNames {
    readonly #names = new Set<string>();
    readonly #max: number;

    constructor(max: number) {
        this.#max = max;
    }

    add(name: string): void {
        if (this.#names.size < this.#max && name.length <= maxCharacters && !this.#names.has(name)) this.#names.add(copied(name));
    }

    get values(): Iterable<string> {
        return this.#names;
    }
}
