/** The last things of a kind, the oldest first; older ones are forgotten. */
export class Recent<T> {
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
