/** Fewer registration attempts than this are no connection's limit: another reason for RC 173 must not be learned as one. */
const smallestLimit = 100;

/**
 * Counts the registration attempts of one connection against the number of new devices the platform takes on one (500 by default).
 * The limit is not told anywhere: it is learned from the first refusal, and kept to on the connections that follow.
 */
export class ConnectionQuota {
    #sent = 0;
    #reached = false;
    #learned = Number.POSITIVE_INFINITY;

    /** Whether no registration attempt may be started on this connection any more. */
    get isReached(): boolean {
        return this.#reached || this.#sent >= this.#learned;
    }

    /** Counts a registration attempt that is sent now, and returns its number on this connection, from 1. */
    count(): number {
        return ++this.#sent;
    }

    /** The platform refused the registration attempt with this number because of the limit. */
    refused(sequence: number): void {
        this.#reached = true;
        if (sequence > smallestLimit) this.#learned = Math.min(this.#learned, sequence - 1);
    }

    /** A new connection counts from the start. */
    restart(): void {
        this.#sent = 0;
        this.#reached = false;
    }
}
