const hourMs = 3_600_000;

/** The platform's clock and ours are not the same, so a device is held a little longer than the platform's back-off. */
const margin = 1.1;

/** How long a device is held after the platform failed to register it: the configured time plus 10 %, doubling up to an hour. */
export class HoldPolicy {
    readonly #backoffMs: number;
    readonly #firstMs: number;
    readonly #longestMs: number;

    /** @param registrationBackoffMs the platform's back-off; 600 s by default there */
    constructor(registrationBackoffMs: number) {
        this.#backoffMs = registrationBackoffMs;
        this.#firstMs = registrationBackoffMs * margin;
        this.#longestMs = Math.max(hourMs, this.#firstMs);
    }

    /** The hold in milliseconds after this many failures in a row (1 = the first). */
    holdMs(failures: number): number {
        return Math.min(this.#firstMs * 2 ** Math.max(failures - 1, 0), this.#longestMs);
    }

    /** How long a device waits that the platform has left unanswered so often: the configured time, doubling up to an hour. */
    retryMs(attempts: number): number {
        return Math.min(this.#backoffMs * 2 ** Math.max(attempts - 1, 0), this.#longestMs);
    }

    /** The longest hold there is; a remembered one that is longer comes from a clock that was wrong. */
    get longestMs(): number {
        return this.#longestMs;
    }
}
