const shortestMs = 1_000;
const longestMs = 60_000;
const goodLinkMs = 30_000;

/**
 * How long to wait before the next attempt: at random between a step and twice that, the step doubling from 1 s to 30 s, so
 * that a site's gateways do not all come back in the same moment. A link that was good for 30 s starts over.
 */
export class BackOff {
    readonly #random: () => number;
    #stepMs = shortestMs;

    /** @param random a number from 0 to below 1 */
    constructor(random: () => number) {
        this.#random = random;
    }

    /**
     * The next delay in milliseconds.
     * @param onlineMs how long the connection that ended was up; 0 when it never was
     * @param atLeastMs for reasons that call for patience; a tenth more is added at random
     */
    nextDelayMs(onlineMs: number, atLeastMs = 0): number {
        if (onlineMs >= goodLinkMs) this.#stepMs = shortestMs;
        const delayMs = this.#stepMs * (1 + this.#random());
        this.#stepMs = Math.min(this.#stepMs * 2, longestMs / 2);
        return Math.max(delayMs, atLeastMs * (1 + this.#random() / 10));
    }
}
