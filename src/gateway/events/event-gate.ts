import type { Registration } from "../../devices/registration/registration";
import type { GatewayError } from "../../errors";
import type { OutboxEvent } from "../../outbox/event";
import type { Outbox } from "../../outbox/outbox";
import type { DeviceGate, GateAnswer } from "../../outbox/ports";
import type { RefusalHandler } from "./refusal-handler";
import type { RegistrationClient } from "./registration-router";

/** Who takes part in registration attempts by queued events; they know each other in a circle, so each is asked for when it is needed. */
export interface EventGateDeps {
    readonly registration: () => Registration;
    readonly outbox: () => Outbox;
    readonly refusals: () => RefusalHandler;
}

/** Queued events as registration attempts: asks the registration on behalf of the outbox, and brings the outcomes back to it. */
export class EventGate implements DeviceGate, RegistrationClient {
    readonly #deps: EventGateDeps;
    /** The numbers, for refusals, of the registration attempts under way. */
    readonly #numbers = new Map<string, number>();
    /** The event that the outbox is about to send as a registration attempt. */
    #next: OutboxEvent | undefined;

    constructor(deps: EventGateDeps) {
        this.#deps = deps;
    }

    ask(device: string): GateAnswer {
        const registration = this.#deps.registration();
        const answer = registration.ask(device);
        return answer === "wait" && registration.stateOf(device).phase === "held" ? "hold" : answer;
    }

    attemptSent(device: string, event: OutboxEvent): void {
        this.#next = event;
        this.#deps.registration().attemptSent(device);
    }

    attemptAcknowledged(device: string): void {
        this.#deps.registration().attemptAcknowledged(device);
    }

    /** The outbox sends an event, which got this number for refusals; returns whether it is a registration attempt. */
    sent(event: OutboxEvent, number: number): boolean {
        const isRegistering = this.#next === event;
        this.#next = undefined;
        if (isRegistering) this.#numbers.set(event.device, number);
        return isRegistering;
    }

    wake(device: string): void {
        this.#deps.outbox().wake(device);
    }

    confirm(device: string): void {
        this.#deps.refusals().forget(this.#numbers.get(device) ?? -1);
        this.#numbers.delete(device);
        this.#deps.outbox().confirm(device);
    }

    requeue(device: string): void {
        this.#numbers.delete(device);
        this.#deps.outbox().requeue(device);
    }

    drop(device: string, error: GatewayError): void {
        this.#numbers.delete(device);
        this.#deps.outbox().drop(device, error);
    }
}
