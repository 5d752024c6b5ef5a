import type { Clock, Timer } from "../../clock";

/** How long a message may wait for the flows before the connection is dropped, so that the platform keeps it instead. */
const maxPauseMs = 30_000;

/**
 * Passes received messages on to the flows, and withholds them while flows stop and start. Withholding holds back the
 * acknowledgement and with it the whole connection (back-pressure), so at most a few messages ever wait here.
 */
export class PausableDelivery {
    readonly #clock: Clock;
    readonly #pausedTooLong: () => void;
    readonly #waiting: (() => void)[] = [];
    #timer: Timer | undefined;
    #isPaused = false;

    /** `pausedTooLong` is called when a message has waited 30 s; it should end the connection. */
    constructor(clock: Clock, pausedTooLong: () => void) {
        this.#clock = clock;
        this.#pausedTooLong = pausedTooLong;
    }

    /** Runs `action` now, or when the flows run again. */
    pass(action: () => void): void {
        if (!this.#isPaused) {
            action();
            return;
        }
        this.#waiting.push(action);
        this.#timer ??= this.#clock.setTimer(maxPauseMs, () => this.#giveUp());
    }

    /** From now on messages wait. */
    pause(): void {
        this.#isPaused = true;
    }

    /** Hands over what waits, in order, and everything that follows at once. */
    resume(): void {
        this.#isPaused = false;
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
        this.#pausedTooLong();
    }

    #stopTimer(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
    }
}
