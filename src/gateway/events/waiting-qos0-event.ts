import type { Timer } from "../../clock";
import type { SentPacket } from "../../connection/sent-packet";
import type { PublishOrigin } from "../../devices/refusals/recent-publishes";
import type { RegistrationClient } from "../../devices/registration/registration-types";
import type { GatewayError } from "../../errors";
import type { CompletionCallbacks } from "../../outbox/event";
import { unconfirmedError } from "./device-errors";

/** An event of QoS 0 on its way through the registration of its device and the search for suspects. */
export class WaitingQos0Event implements RegistrationClient {
    readonly event: Qos0Event;
    readonly completion: CompletionCallbacks;
    readonly #owner: WaitingEventOwner;
    #timer: Timer | undefined;
    #isOver = false;

    constructor(event: Qos0Event, completion: CompletionCallbacks, owner: WaitingEventOwner) {
        this.event = event;
        this.completion = completion;
        this.#owner = owner;
    }

    wake(): void {
        this.#owner.retry(this);
    }

    confirm(): void {
        if (this.#end()) this.#owner.delivered(this);
    }

    requeue(device: string): void {
        this.#owner.giveUp(this, unconfirmedError(device));
    }

    drop(_device: string, error: GatewayError): void {
        this.#owner.refused(this, error);
    }

    startWaiting(timer: Timer): void {
        this.#timer = timer;
    }

    stopWaiting(): void {
        this.#timer?.cancel();
    }

    failed(error: GatewayError): void {
        if (this.#end()) this.#owner.failed(this.completion, error);
    }

    /** The platform refused it; false if its outcome was known before. */
    refused(error: GatewayError): boolean {
        if (!this.#end()) return false;
        this.completion.failed(error);
        return true;
    }

    /** The outcome is known; false if it was before. */
    #end(): boolean {
        this.stopWaiting();
        const wasOver = this.#isOver;
        this.#isOver = true;
        return !wasOver;
    }
}

/** An event of QoS 0, ready for the wire. */
export interface Qos0Event {
    readonly packet: SentPacket & { readonly device: string };
    readonly payload: string | Buffer;
    readonly message: PublishOrigin;
}

/** Who sends the event, and counts what became of it. */
export interface WaitingEventOwner {
    /** The device may be asked for again. */
    retry(waiting: WaitingQos0Event): void;
    /** The event arrived. */
    delivered(waiting: WaitingQos0Event): void;
    /** Whether the event arrived is not known, and its device need not be asked for it any more. */
    giveUp(waiting: WaitingQos0Event, error: GatewayError): void;
    /** The platform refused the event for good. */
    refused(waiting: WaitingQos0Event, error: GatewayError): void;
    /** The event was not sent, or nobody knows whether it arrived. */
    failed(completion: CompletionCallbacks, error: GatewayError): void;
}
