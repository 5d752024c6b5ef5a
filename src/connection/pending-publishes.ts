/** The publishes of one connection that wait for their acknowledgement, in the order in which they were sent. */
export class PendingPublishes {
    readonly #due = new Set<Pending>();
    /** Registration attempts: the platform may withhold their acknowledgement for as long as it likes. */
    readonly #withheld = new Set<Pending>();
    #nowMs = 0;

    get count(): number {
        return this.#due.size + this.#withheld.size;
    }

    /** When the oldest publish was sent whose acknowledgement is due. */
    get oldestDueMs(): number | undefined {
        for (const pending of this.#due) return pending.sentMs;
        return undefined;
    }

    /** Sets the monotonic time for what follows. Once a second will do: asking the clock for each publish would cost more than it is worth. */
    advance(nowMs: number): void {
        this.#nowMs = nowMs;
    }

    /** Takes note of a publish; the function returned is to be called when its acknowledgement comes. */
    add(settled: Settled, mayBeWithheld: boolean): () => void {
        const set = mayBeWithheld ? this.#withheld : this.#due;
        const pending = { settled, sentMs: this.#nowMs };
        set.add(pending);
        return () => {
            if (set.delete(pending)) settled();
        };
    }

    /** The connection ended: all of them fail. */
    failAll(error: Error): void {
        const all = [...this.#due, ...this.#withheld];
        this.#due.clear();
        this.#withheld.clear();
        for (const pending of all) pending.settled(error);
    }
}

/** Called once: without an error when acknowledged, with one when the connection ended first. */
export type Settled = (error?: Error) => void;

interface Pending {
    readonly settled: Settled;
    readonly sentMs: number;
}
