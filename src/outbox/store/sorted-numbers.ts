/** A set of numbers in ascending order; cheap when they are added at the end and removed near the beginning, as in a queue. */
export class SortedNumbers {
    #numbers: number[] = [];
    /** Removed numbers stay in place, marked, until they are many. */
    readonly #removed = new Set<number>();
    #first = 0;

    constructor(...numbers: number[]) {
        for (const number of numbers) this.add(number);
    }

    get size(): number {
        return this.#numbers.length - this.#first - this.#removed.size;
    }

    get last(): number | undefined {
        for (let index = this.#numbers.length - 1; index >= this.#first; index--) {
            const number = this.#numbers[index];
            if (number !== undefined && !this.#removed.has(number)) return number;
        }
        return undefined;
    }

    add(number: number): void {
        if (this.#removed.delete(number)) return;
        const index = this.#indexAfter(number);
        if (index > this.#first && this.#numbers[index - 1] === number) return;
        if (index === this.#numbers.length) this.#numbers.push(number);
        else this.#numbers.splice(index, 0, number);
    }

    /** The number must be in the set. */
    remove(number: number): void {
        this.#removed.add(number);
        for (
            let first = this.#numbers[this.#first];
            first !== undefined && this.#removed.delete(first);
            first = this.#numbers[this.#first]
        ) {
            this.#first += 1;
        }
        const gone = this.#first + this.#removed.size;
        if (gone > 1024 && gone * 2 > this.#numbers.length) {
            this.#numbers = [...this.after(Number.NEGATIVE_INFINITY)];
            this.#removed.clear();
            this.#first = 0;
        }
    }

    /** The numbers larger than this one, in order. */
    *after(number: number): Generator<number> {
        for (let index = this.#indexAfter(number); index < this.#numbers.length; index++) {
            const next = this.#numbers[index];
            if (next !== undefined && !this.#removed.has(next)) yield next;
        }
    }

    /** The index of the first number larger than this one. */
    #indexAfter(number: number): number {
        let low = this.#first;
        let high = this.#numbers.length;
        while (low < high) {
            const middle = (low + high) >> 1;
            if ((this.#numbers[middle] ?? Number.POSITIVE_INFINITY) <= number) low = middle + 1;
            else high = middle;
        }
        return low;
    }
}
