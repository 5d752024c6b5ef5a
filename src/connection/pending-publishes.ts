/** Told once: without an error when acknowledged, with one when the connection ended first. */
export type Settled = (error?: Error) => void;

interface Pending {
    readonly settled: Settled;
    readonly sentMs: number;
}

/** The publishes of one connection that wait for their acknowledgement, in the order in which they were sent. */
export class PendingPublishes {
    readonly #due = new Set<Pending>();
    /** Registration attempts: the platform may withhold their acknowledgement for as long as it likes. */
    readonly #withheld = new Set<Pending>();

    get count(): number {
        return this.#due.size + this.#withheld.size;
    }

    /** When the oldest publish was sent whose acknowledgement is due. */
    get oldestDueMs(): number | undefined {
        for (const pending of this.#due) return pending.sentMs;
        return undefined;
    }

    /** Takes note of a publish; the function returned is to be called when its acknowledgement comes. */
    add(settled: Settled, sentMs: number, mayBeWithheld: boolean): () => void {
        const set = mayBeWithheld ? this.#withheld : this.#due;
        const pending = { settled, sentMs };
        set.add(pending);
        return () => {
            if (set.delete(pending)) settled();
        };
    }

    /** Tells all of them that the connection ended. */
    failAll(error: Error): void {
        const all = [...this.#due, ...this.#withheld];
        this.#due.clear();
        this.#withheld.clear();
        for (const pending of all) pending.settled(error);
    }
}
