import type { StrayInterval } from "./stray-pings";

/** The search for the device whose messages the platform dropped silently when stray pings came in. */
export class Investigation {
    readonly strays: StrayInterval;
    #open = 0;
    #isSolved = false;

    constructor(strays: StrayInterval) {
        this.strays = strays;
    }

    /** One more device is suspected. */
    suspect(): void {
        this.#open++;
    }

    /** A suspect was innocent, or nothing will show; returns whether that was the last one and none was guilty. */
    clear(): boolean {
        this.#open--;
        return this.#open === 0 && !this.#isSolved;
    }

    /** A suspect was guilty. */
    convict(): void {
        this.#open--;
        this.#isSolved = true;
    }
}

/** Why a device must be tried exclusively: a stray ping will mean it, or its group. */
export interface Suspicion {
    /** With nothing else at the same time; otherwise in a group of suspects. */
    readonly isAlone: boolean;
    /** What it is suspected of. */
    readonly investigation?: Investigation | undefined;
    /** It was flowing when something of it may have been dropped. */
    readonly wasFlowing?: boolean;
    /** Its hold is not over: it is tried because there is a new connection. */
    readonly isTrialOfHold?: boolean;
}
