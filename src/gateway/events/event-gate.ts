import type { Registration } from "../../devices/registration/registration";
import type { GatewayError } from "../../errors";
import type { DeviceGate, DeviceVerbs, GateAnswer } from "../../outbox/ports";
import type { RefusalHandler } from "./refusal-handler";
import type { RegistrationClient } from "./registration-router";

/** Queued events as registration attempts: asks the registration on behalf of the outbox, and brings the outcomes back to it. */
export class EventGate implements DeviceGate, RegistrationClient {
    readonly #deps: EventGateDeps;
    /** The numbers, for refusals, of the registration attempts under way. */
    readonly #numbers = new Map<string, number>();
    #outbox: DeviceVerbs | undefined;

    constructor(deps: EventGateDeps) {
        this.#deps = deps;
    }

    attach(outbox: DeviceVerbs): void {
        this.#outbox = outbox;
    }

    ask(device: string): GateAnswer {
        const answer = this.#deps.registration().ask(device);
        return answer === "register" ? "check" : answer;
    }

    withdraw(device: string): void {
        this.#deps.registration().attemptAbandoned(device);
    }

    isHeld(device: string): boolean {
        return this.#deps.registration().stateOf(device).phase === "held";
    }

    /** The outbox sends the registration attempt of a device, which got this number for refusals. */
    attemptSent(device: string, number: number): void {
        this.#numbers.set(device, number);
        this.#deps.registration().attemptSent(device);
    }

    /** The platform acknowledged it. */
    attemptAcknowledged(device: string): void {
        this.#deps.registration().attemptAcknowledged(device);
    }

    wake(device: string): void {
        this.#outbox?.wake(device);
    }

    confirm(device: string): void {
        this.#deps.refusals().forget(this.#numbers.get(device) ?? -1);
        this.#numbers.delete(device);
        this.#outbox?.confirm(device);
    }

    requeue(device: string): void {
        this.#numbers.delete(device);
        this.#outbox?.requeue(device);
    }

    drop(device: string, error: GatewayError): void {
        this.#numbers.delete(device);
        this.#outbox?.drop(device, error);
    }

    /** What is in flight of the device is dropped by the platform. */
    recall(device: string): void {
        this.#outbox?.recall(device);
    }
}

/** Who takes part in registration attempts by queued events; they know each other in a circle, so each is asked for when it is needed. */
export interface EventGateDeps {
    readonly registration: () => Registration;
    readonly refusals: () => RefusalHandler;
}
