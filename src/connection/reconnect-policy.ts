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

    /** The reason of the failures is gone: starts over. */
    reset(): void {
        this.#stepMs = shortestMs;
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

const shortLifeMs = 10_000;
const periodMs = 60_000;
const suspicious = 3;

/**
 * NotificationListeners that another client uses the same client id. The server then closes the older connection without a word, so all
 * that shows is a connection that keeps ending soon after it was accepted: three times within a minute, each within 10 s.
 */
export class TakeOverDetector {
    #shortLives: number[] = [];

    /** The ends until now have another reason. */
    explained(): void {
        this.#shortLives = [];
    }

    /**
     * Takes note of the end of a connection.
     * @param nowMs monotonic time
     * @param onlineMs how long the connection was up
     * @returns whether another client is to be suspected
     */
    connectionEnded(nowMs: number, onlineMs: number): boolean {
        if (onlineMs > shortLifeMs) {
            this.#shortLives = [];
            return false;
        }
        this.#shortLives = this.#shortLives.filter((endedMs) => nowMs - endedMs < periodMs);
        this.#shortLives.push(nowMs);
        return this.#shortLives.length >= suspicious;
    }
}
