/** A first-in first-out queue with O(1) operations, where something may also return to the front. */
export class Fifo<Item> {
    #items: Item[] = [];
    #head = 0;
    /** What was put back, the next one last. */
    readonly #front: Item[] = [];

    push(item: Item): void {
        this.#items.push(item);
    }

    /** Puts an item before all others. */
    unshift(item: Item): void {
        this.#front.push(item);
    }

    /** The item that `shift` would take. */
    peek(): Item | undefined {
        return this.#front.at(-1) ?? this.#items[this.#head];
    }

    shift(): Item | undefined {
        if (this.#front.length > 0) return this.#front.pop();
        const item = this.#items[this.#head];
        if (this.#head < this.#items.length) this.#head++;
        // Dropping the used part only when it is half of the array keeps this O(1) on average.
        if (this.#head > 64 && this.#head * 2 > this.#items.length) {
            this.#items = this.#items.slice(this.#head);
            this.#head = 0;
        }
        return item;
    }
}
