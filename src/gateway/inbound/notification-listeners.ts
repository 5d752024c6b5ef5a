import type { GatewayError } from "../../errors";
import type { ReceivedNotification } from "../events/refusal-handler";

/** Who takes notifications. Nothing of this may throw. */
export interface NotificationListener {
    received(notification: ReceivedNotification): void;
    /** The server refused the subscription; undefined = it grants it now. */
    refusalChanged(error: GatewayError | undefined): void;
}

/** The platform sends one notification for each refusal, so a deploy of some seconds sees no more than this. */
const maxWaiting = 1_000;

/**
 * Hands notifications to the flows. Unlike commands the platform does not keep them, so what comes while flows stop and start
 * waits here instead of on the connection; beyond a thousand the oldest are left out.
 */
export class Notices {
    /** Each with the refusal it was told last. */
    readonly #listeners = new Map<NotificationListener, GatewayError | undefined>();
    #refusal: GatewayError | undefined;
    readonly #waiting: ReceivedNotification[] = [];
    #isHolding = false;

    /** Adds a listener; returns what takes it out again. */
    add(listener: NotificationListener): () => void {
        this.#listeners.set(listener, undefined);
        if (!this.#isHolding) this.#tellRefusal();
        return () => this.#listeners.delete(listener);
    }

    /** Hands a notification over, now or when the flows run again. */
    pass(notification: ReceivedNotification): void {
        if (!this.#isHolding) {
            for (const listener of this.#listeners.keys()) listener.received(notification);
            return;
        }
        this.#waiting.push(notification);
        if (this.#waiting.length > maxWaiting) this.#waiting.shift();
    }

    /** What the server made of the subscription on a new connection; a refusal is told once until it is over. */
    refusalChanged(error: GatewayError | undefined): void {
        this.#refusal = error && (this.#refusal ?? error);
        if (!this.#isHolding) this.#tellRefusal();
    }

    /** From now on notifications wait. */
    hold(): void {
        this.#isHolding = true;
    }

    /** Hands over what waits, in order. */
    release(): void {
        this.#isHolding = false;
        this.#tellRefusal();
        for (const notification of this.#waiting.splice(0)) this.pass(notification);
    }

    #tellRefusal(): void {
        for (const [listener, told] of this.#listeners) {
            if (told === this.#refusal) continue;
            this.#listeners.set(listener, this.#refusal);
            listener.refusalChanged(this.#refusal);
        }
    }
}
