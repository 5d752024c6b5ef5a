import type { Clock, Timer } from "../../clock";
import { setPatientTimer } from "./patient-timer";

/** Where failures never pause, a burst is cut: acknowledged messages must not wait for their confirmation indefinitely. */
const longestBurstMs = 1_000;

/**
 * Decides whether stray `DE 00` packets belong to notifications. The platform sends one with each failed registration, a
 * little before or after the notification, and one alone when it drops something silently. They carry no id. Taking the
 * nearest for its own would shift the blame from one to the next where failures follow each other, so only whole bursts are
 * compared by number. All times are monotonic milliseconds. Protocol, section Registration of devices.
 */
export class StrayPings {
    readonly #options: StrayPingOptions;
    #burst: Burst | undefined;
    #timer: Timer | undefined;

    constructor(options: StrayPingOptions) {
        this.#options = options;
    }

    /** A stray packet came in. */
    strayPing(): void {
        const nowMs = this.#options.clock.monotonicMs();
        const burst = this.#continue(nowMs);
        burst.strays = { firstMs: burst.strays?.firstMs ?? nowMs, lastMs: nowMs };
        burst.excess++;
    }

    /** A notification of a failed registration came in. */
    notification(): void {
        this.#continue(this.#options.clock.monotonicMs()).excess--;
    }

    /** When the current burst is over, if there is one. */
    get dueMs(): number | undefined {
        return this.#burst && Math.min(this.#burst.lastMs + this.#options.gapMs, this.#burst.beganMs + longestBurstMs);
    }

    /** When the first stray packet of the current burst came in, if there is one. */
    get firstMs(): number | undefined {
        return this.#burst?.strays?.firstMs;
    }

    /** Forgets everything: the connection on which it came has ended. */
    clear(): void {
        this.#burst = undefined;
        this.#timer?.cancel();
        this.#timer = undefined;
    }

    #continue(nowMs: number): Burst {
        this.#burst ??= { beganMs: nowMs, lastMs: nowMs, strays: undefined, excess: 0 };
        this.#burst.lastMs = nowMs;
        this.#arm();
        return this.#burst;
    }

    #arm(): void {
        const { clock } = this.#options;
        const { dueMs } = this;
        if (dueMs === undefined || this.#timer) return;
        this.#timer = setPatientTimer(clock, dueMs - clock.monotonicMs(), () => {
            this.#timer = undefined;
            const unexplained = this.#takeUnexplained();
            this.#arm();
            if (unexplained) this.#options.unexplained(unexplained);
        });
    }

    /** Ends the burst if it is over, and returns when its stray packets came if there were more of them than notifications. */
    #takeUnexplained(): StrayInterval | undefined {
        const nowMs = this.#options.clock.monotonicMs();
        const burst = this.#burst;
        if (!burst || this.dueMs === undefined || this.dueMs > nowMs) return undefined;
        const isCut = burst.lastMs + this.#options.gapMs > nowMs;
        // The cut may have parted a packet from its notification: what is owed goes over.
        this.#burst = isCut ? { beganMs: nowMs, lastMs: nowMs, strays: undefined, excess: burst.excess } : undefined;
        return burst.excess > 0 ? burst.strays : undefined;
    }
}

/** What a `StrayPings` needs. */
export interface StrayPingOptions {
    readonly clock: Clock;
    /** Packets and notifications that are further apart do not belong together. */
    readonly gapMs: number;
    /** A burst is over in which there were more stray packets than notifications. */
    readonly unexplained: (strays: StrayInterval) => void;
}

/** The time from the first to the last of some stray packets. */
export interface StrayInterval {
    readonly firstMs: number;
    readonly lastMs: number;
}

/** Stray packets and notifications that follow each other so closely that nothing shows which belong together. */
interface Burst {
    readonly beganMs: number;
    lastMs: number;
    strays: StrayInterval | undefined;
    /** How many more stray packets than notifications there were. */
    excess: number;
}
