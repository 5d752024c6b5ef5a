import type { StateStore } from "../../outbox/store/store";

const stateKind = "filter";

/**
 * Notes of the filters that a durable session may hold at the server, kept over restarts so that none is left there when the
 * flows no longer want it. A clean session needs none.
 */
export class SubscriptionJournal {
    readonly #state: StateStore | undefined;
    readonly #entries = new Set<string>();
    readonly #written = new Map<string, Promise<void>>();

    /** @param state where the notes are kept; undefined for a clean session */
    constructor(state: StateStore | undefined) {
        this.#state = state;
    }

    /** All filters that are noted, from earlier runs too. */
    all(): string[] {
        for (const [filter] of this.#state?.entries(stateKind) ?? []) this.#entries.add(filter);
        return [...this.#entries];
    }

    /** Notes a filter before it is sent, so that even a crash leaves the note; undefined when there is nothing to wait for. */
    add(filter: string): Promise<void> | undefined {
        if (!this.#state || this.#entries.has(filter)) return this.#written.get(filter);
        this.#entries.add(filter);
        this.#state.put(stateKind, filter, "");
        // A file that cannot be written is reported by the storage, and is no reason to do without commands.
        const flushed = this.#state.flush().catch(() => undefined);
        const written = flushed.then(() => {
            if (this.#written.get(filter) === written) this.#written.delete(filter);
        });
        this.#written.set(filter, written);
        return written;
    }

    /** The server does not hold it any more. */
    remove(filter: string): void {
        this.#written.delete(filter);
        if (this.#entries.delete(filter)) this.#state?.remove(stateKind, filter);
    }
}
