import { copied } from "../../words";

/** Whoever completes a name while typing does not look for longer ones. */
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
