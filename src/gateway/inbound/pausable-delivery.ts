import type { Clock, Timer } from "../../clock";

/** How long a message may wait for the flows before the connection is dropped, so that the platform keeps it instead. */
const maxHoldMs = 30_000;

/**
 * Passes received messages on to the flows, and withholds them while flows stop and start. Withholding holds back the
 * acknowledgement and with it the whole connection (back-pressure), so at most a few messages ever wait here.
 */
export class HandOver {
    readonly #clock: Clock;
    readonly #heldTooLong: () => void;
    readonly #waiting: (() => void)[] = [];
    #timer: Timer | undefined;
    #holding = false;

    /** `heldTooLong` is called when a message has waited 30 s; it should end the connection. */
    constructor(clock: Clock, heldTooLong: () => void) {
        this.#clock = clock;
        this.#heldTooLong = heldTooLong;
    }

    /** Runs `action` now, or when the flows run again. */
    pass(action: () => void): void {
        if (!this.#holding) {
            action();
            return;
        }
        this.#waiting.push(action);
        this.#timer ??= this.#clock.setTimer(maxHoldMs, () => this.#giveUp());
    }

    /** From now on messages wait. */
    hold(): void {
        this.#holding = true;
    }

    /** Hands over what waits, in order, and everything that follows at once. */
    release(): void {
        this.#holding = false;
        this.#stopTimer();
        for (const action of this.#waiting.splice(0)) action();
    }

    /** Forgets what waits: its connection has ended, and an unacknowledged message comes again with the next one. */
    discard(): void {
        this.#stopTimer();
        this.#waiting.length = 0;
    }

    #giveUp(): void {
        this.discard();
        this.#heldTooLong();
    }

    #stopTimer(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
    }
}
