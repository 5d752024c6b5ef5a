/** The time from the first to the last of some stray packets. */
export interface StrayInterval {
    readonly firstMs: number;
    readonly lastMs: number;
}

/** Stray packets and notifications that follow each other so closely that it cannot be told which belong together. */
interface Burst {
    readonly beganMs: number;
    lastMs: number;
    strays: StrayInterval | undefined;
    /** How many more stray packets than notifications there were. */
    excess: number;
}

/** Where failures never pause, a burst is cut: what was acknowledged must not wait for its confirmation for ever. */
const longestBurstMs = 1_000;

/**
 * Tells whether stray `DE 00` packets belong to notifications. The platform sends one with each failed registration, a
 * little before or after the notification, and one alone when it drops something without a word. They carry no id. Taking
 * the nearest for its own would shift the blame from one to the next where failures follow each other, so only whole bursts
 * are compared by number. All times are monotonic milliseconds. Protocol, section Registration of devices.
 */
export class StrayPings {
    /** Packets and notifications that are further apart do not belong together. */
    readonly gapMs: number;
    #burst: Burst | undefined;

    constructor(gapMs: number) {
        this.gapMs = gapMs;
    }

    /** A stray packet came in. */
    strayPing(nowMs: number): void {
        const burst = this.#continue(nowMs);
        burst.strays = { firstMs: burst.strays?.firstMs ?? nowMs, lastMs: nowMs };
        burst.excess++;
    }

    /** A notification of a failed registration came in. */
    notification(nowMs: number): void {
        this.#continue(nowMs).excess--;
    }

    /** When the burst that is going on has to be looked at, if there is one. */
    get dueMs(): number | undefined {
        return this.#burst && Math.min(this.#burst.lastMs + this.gapMs, this.#burst.beganMs + longestBurstMs);
    }

    /** When the first stray packet of the burst that is going on came in, if there is one. */
    get firstMs(): number | undefined {
        return this.#burst?.strays?.firstMs;
    }

    /** Ends the burst if it is over, and returns when its stray packets came if there were more of them than notifications. */
    takeUnexplained(nowMs: number): StrayInterval | undefined {
        const burst = this.#burst;
        if (!burst || this.dueMs === undefined || this.dueMs > nowMs) return undefined;
        const isCut = burst.lastMs + this.gapMs > nowMs;
        // The cut may have parted a packet from its notification: what is owed goes over.
        this.#burst = isCut ? { beganMs: nowMs, lastMs: nowMs, strays: undefined, excess: burst.excess } : undefined;
        return burst.excess > 0 ? burst.strays : undefined;
    }

    /** Forgets everything: the connection on which it came has ended. */
    clear(): void {
        this.#burst = undefined;
    }

    #continue(nowMs: number): Burst {
        this.#burst ??= { beganMs: nowMs, lastMs: nowMs, strays: undefined, excess: 0 };
        this.#burst.lastMs = nowMs;
        return this.#burst;
    }
}
