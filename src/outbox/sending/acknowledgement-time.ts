/** Bounds of the group-commit delay. */
const shortestDelayMs = 25;
const longestDelayMs = 250;

/** Smooths how long the platform takes to acknowledge, from one event in flight at a time, and derives how long storing can wait. */
export class AcknowledgementTime {
    #smoothedMs: number | undefined;
    #transmission = 0;
    #sentMs = 0;

    /** How long an event may stay unacknowledged before it is stored: four times the usual, within 25 to 250 ms. */
    get commitDelayMs(): number {
        if (this.#smoothedMs === undefined) return longestDelayMs;
        return Math.min(Math.max(this.#smoothedMs * 4, shortestDelayMs), longestDelayMs);
    }

    /** Whether a transmission is being timed: then `sent` need not be called. */
    get isTiming(): boolean {
        return this.#transmission !== 0;
    }

    sent(transmission: number, nowMs: number): void {
        this.#transmission = transmission;
        this.#sentMs = nowMs;
    }

    /** Whether this is the transmission being timed: only then `acknowledged` must be called. */
    isTimed(transmission: number): boolean {
        return transmission === this.#transmission;
    }

    acknowledged(nowMs: number): void {
        const sampleMs = nowMs - this.#sentMs;
        this.#smoothedMs = this.#smoothedMs === undefined ? sampleMs : this.#smoothedMs + (sampleMs - this.#smoothedMs) / 8;
        this.#transmission = 0;
    }

    /** This one is answered before the one being timed, which may never be, like a registration attempt that the platform drops. */
    overtaken(by: number): void {
        if (by > this.#transmission) this.#transmission = 0;
    }

    /** The connection ended: what is being timed will not be answered. */
    forget(): void {
        this.#transmission = 0;
    }
}
