import type { GatewayError } from "../../errors";
import type { ReceivedNotification } from "../events/refusal-handler";

/** The platform sends one notification for each refusal, so a deploy of some seconds sees no more than this. */
const maxWaiting = 1_000;

/**
 * Hands notifications to the flows. Unlike commands the platform does not keep them, so what comes while flows stop and start
 * waits here instead of on the connection; beyond a thousand the oldest are left out.
 */
export class NotificationListeners {
    /** Each with the rejection that it was notified of last. */
    readonly #listeners = new Map<NotificationListener, GatewayError | undefined>();
    #rejection: GatewayError | undefined;
    readonly #waiting: ReceivedNotification[] = [];
    #isPaused = false;

    /** Adds a listener. Returns a function that removes it. */
    add(listener: NotificationListener): () => void {
        this.#listeners.set(listener, undefined);
        if (!this.#isPaused) this.#notifyRejection();
        return () => this.#listeners.delete(listener);
    }

    /** Hands a notification over, now or when the flows run again. */
    pass(notification: ReceivedNotification): void {
        if (!this.#isPaused) {
            for (const listener of this.#listeners.keys()) listener.received(notification);
            return;
        }
        this.#waiting.push(notification);
        if (this.#waiting.length > maxWaiting) this.#waiting.shift();
    }

    /** The outcome of the subscription on a new connection; a rejection is reported once until it is over. */
    rejectionChanged(error: GatewayError | undefined): void {
        this.#rejection = error && (this.#rejection ?? error);
        if (!this.#isPaused) this.#notifyRejection();
    }

    /** From now on notifications wait. */
    pause(): void {
        this.#isPaused = true;
    }

    /** Hands over what waits, in order. */
    resume(): void {
        this.#isPaused = false;
        this.#notifyRejection();
        for (const notification of this.#waiting.splice(0)) this.pass(notification);
    }

    #notifyRejection(): void {
        for (const [listener, notified] of this.#listeners) {
            if (notified === this.#rejection) continue;
            this.#listeners.set(listener, this.#rejection);
            listener.rejectionChanged(this.#rejection);
        }
    }
}

/** Who takes notifications. Nothing of this may throw. */
export interface NotificationListener {
    received(notification: ReceivedNotification): void;
    /** The server refused the subscription; undefined = it grants it now. */
    rejectionChanged(error: GatewayError | undefined): void;
}
