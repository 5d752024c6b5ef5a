import type { RegistrationClient } from "../../devices/registration/registration-types";
import type { GatewayError } from "../../errors";
import type { ServerSubscription } from "./server-subscriptions";

/** A filter that waits for the only device it names, or is its check. */
export class FilterCheck implements RegistrationClient {
    readonly device: string;
    readonly entry: ServerSubscription;
    readonly #listener: FilterCheckListener;

    constructor(device: string, entry: ServerSubscription, listener: FilterCheckListener) {
        this.device = device;
        this.entry = entry;
        this.#listener = listener;
    }

    wake(): void {
        this.#listener.retry(this);
    }

    confirm(): void {
        this.#listener.checked(this);
    }

    requeue(): void {
        this.#listener.requeue(this);
    }

    drop(_device: string, error: GatewayError): void {
        this.#listener.checked(this, error);
    }
}

/** The owner of the filter. */
export interface FilterCheckListener {
    /** The device may be asked for again. */
    retry(check: FilterCheck): void;
    /** The check did not go through. */
    requeue(check: FilterCheck): void;
    /** The check has its outcome, an error if the platform refused the filter. */
    checked(check: FilterCheck, error?: GatewayError): void;
}
