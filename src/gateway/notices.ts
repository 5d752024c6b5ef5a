import type { ReceivedNotification } from "./events/refusals";

type Listener = (notification: ReceivedNotification) => void;

/** The platform sends one notification for each refusal, so a deploy of some seconds sees no more than this. */
const maxWaiting = 1_000;

/**
 * Hands notifications to the flows. Unlike commands the platform does not keep them, so what comes while flows stop and start
 * waits here instead of on the connection; beyond a thousand the oldest are left out.
 */
export class Notices {
    readonly #listeners = new Set<Listener>();
    readonly #waiting: ReceivedNotification[] = [];
    #isHolding = false;

    /** Adds a listener; returns what takes it out again. */
    add(listener: Listener): () => void {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }

    /** Hands a notification over, now or when the flows run again. */
    pass(notification: ReceivedNotification): void {
        if (!this.#isHolding) {
            for (const listener of this.#listeners) listener(notification);
            return;
        }
        this.#waiting.push(notification);
        if (this.#waiting.length > maxWaiting) this.#waiting.shift();
    }

    /** From now on notifications wait. */
    hold(): void {
        this.#isHolding = true;
    }

    /** Hands over what waits, in order. */
    release(): void {
        this.#isHolding = false;
        for (const notification of this.#waiting.splice(0)) this.pass(notification);
    }
}
