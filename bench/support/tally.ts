import type { Application } from "./application";
import { indexOf } from "./devices";

/** Notes which of the messages of a run an application has received. */
export class Tally {
    readonly #times: Uint8Array;
    #distinct = 0;
    #repeated = 0;

    /** Counts what `application` receives from now on, of `messages` made by `payloadOf`. */
    constructor(application: Application, messages: number) {
        this.#times = new Uint8Array(messages);
        application.onMessage = (_topic, payload) => this.#received(indexOf(payload));
    }

    /** Messages that came at least once. */
    get distinct(): number {
        return this.#distinct;
    }

    /** Copies beyond the first. */
    get repeated(): number {
        return this.#repeated;
    }

    /** Messages that have not come. */
    get missing(): number {
        return this.#times.length - this.#distinct;
    }

    #received(index: number): void {
        if (this.#times[index] === 0) this.#distinct += 1;
        else this.#repeated += 1;
        this.#times[index] = 1;
    }
}
