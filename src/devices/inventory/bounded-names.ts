/** Distinct names, at most a fixed number of them: further ones are not taken on, so adding stays one look-up. */
export class BoundedNames {
    readonly #names = new Set<string>();
    readonly #max: number;

    constructor(max: number) {
        this.#max = max;
    }

    add(name: string): void {
        if (this.#names.size < this.#max) this.#names.add(name);
    }

    get values(): Iterable<string> {
        return this.#names;
    }
}
