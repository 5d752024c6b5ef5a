import type { Registration } from "../../devices/registration/registration";
import type { GatewayError } from "../../errors";
import type { OutboxEvent } from "../../outbox/event";
import type { Outbox } from "../../outbox/outbox";
import type { DeviceGate, GateAnswer } from "../../outbox/ports";
import type { Refusals } from "./refusal-handler";
import type { ContactUser } from "./registration-router";

/** Who takes part in first contacts by queued events; they know each other in a circle, so each is asked for when it is needed. */
export interface EventContactParts {
    readonly registration: () => Registration;
    readonly outbox: () => Outbox;
    readonly refusals: () => Refusals;
}

/** Queued events as first contacts: asks the registration on behalf of the outbox, and brings the outcomes back to it. */
export class EventContacts implements DeviceGate, ContactUser {
    readonly #parts: EventContactParts;
    /** The numbers, for refusals, of the first contacts under way. */
    readonly #numbers = new Map<string, number>();
    /** The event that the outbox is about to send as a first contact. */
    #next: OutboxEvent | undefined;

    constructor(parts: EventContactParts) {
        this.#parts = parts;
    }

    ask(device: string): GateAnswer {
        const registration = this.#parts.registration();
        const answer = registration.ask(device);
        return answer === "wait" && registration.stateOf(device).phase === "held" ? "hold" : answer;
    }

    contactSent(device: string, event: OutboxEvent): void {
        this.#next = event;
        this.#parts.registration().contactSent(device);
    }

    contactAcknowledged(device: string): void {
        this.#parts.registration().contactAcknowledged(device);
    }

    /** The outbox sends an event, which got this number for refusals; returns whether it is a first contact. */
    sent(event: OutboxEvent, number: number): boolean {
        const isContact = this.#next === event;
        this.#next = undefined;
        if (isContact) this.#numbers.set(event.device, number);
        return isContact;
    }

    woken(device: string): void {
        this.#parts.outbox().wake(device);
    }

    confirmed(device: string): void {
        this.#parts.refusals().forget(this.#numbers.get(device) ?? -1);
        this.#numbers.delete(device);
        this.#parts.outbox().confirm(device);
    }

    requeued(device: string): void {
        this.#numbers.delete(device);
        this.#parts.outbox().requeue(device);
    }

    dropped(device: string, error: GatewayError): void {
        this.#numbers.delete(device);
        this.#parts.outbox().drop(device, error);
    }
}
