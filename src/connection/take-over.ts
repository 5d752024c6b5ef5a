const shortLifeMs = 10_000;
const periodMs = 60_000;
const suspicious = 3;

/**
 * Notices that another client uses the same client id. The server then closes the older connection without a word, so all
 * that shows is a connection that keeps ending soon after it was accepted: three times within a minute, each within 10 s.
 */
export class TakeOverDetector {
    #shortLives: number[] = [];

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
