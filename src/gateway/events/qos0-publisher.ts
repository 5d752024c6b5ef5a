import type { GatewayConnection } from "../../connection/gateway-connection";
import type { PublishOrigin } from "../../devices/refusals/recent-publishes";
import type { Registration } from "../../devices/registration/registration";
import { GatewayError } from "../../errors";
import { translate } from "../../i18n";
import type { CompletionCallbacks } from "../../outbox/event";
import type { Outbox } from "../../outbox/outbox";
import { notRegisteredError, unconfirmedError } from "./held-errors";
import type { RefusalHandler } from "./refusal-handler";
import type { RegistrationClient } from "./registration-router";

/** An event of QoS 0, ready for the wire. */
export interface Qos0Event {
    readonly device: string;
    readonly topic: string;
    readonly payload: string | Buffer;
    readonly message: PublishOrigin;
}

/**
 * Events of QoS 0: sent at once or refused, never queued, so they may overtake queued ones. For a device that is not known the
 * event goes out as QoS 1, because only an acknowledgement tells what became of a registration attempt.
 */
export class Qos0Publisher implements RegistrationClient {
    readonly #connection: GatewayConnection;
    readonly #outbox: Outbox;
    readonly #registration: Registration;
    readonly #refusals: RefusalHandler;
    readonly #registering = new Map<string, CompletionCallbacks>();

    constructor(connection: GatewayConnection, outbox: Outbox, registration: Registration, refusals: RefusalHandler) {
        this.#connection = connection;
        this.#outbox = outbox;
        this.#registration = registration;
        this.#refusals = refusals;
    }

    /** Sends an event; `isReady` is whether the connection can take events yet. */
    send(event: Qos0Event, isReady: boolean, completion: CompletionCallbacks): void {
        const rejection = this.#rejection(isReady);
        if (rejection) {
            completion.failed(rejection);
            return;
        }
        switch (this.#registration.tryNow(event.device)) {
            case "flow":
                this.#send(event, completion);
                return;
            case "register":
                this.#register(event, completion);
                return;
            case "held":
                completion.failed(notRegisteredError(event.device));
        }
    }

    wake(): void {}

    confirm(device: string): void {
        this.#take(device)?.done();
    }

    requeue(device: string): void {
        this.#take(device)?.failed(unconfirmedError(device));
    }

    drop(device: string, error: GatewayError): void {
        this.#take(device)?.failed(error);
    }

    #send({ device, topic, payload, message }: Qos0Event, completion: CompletionCallbacks): void {
        const number = this.#refusals.sent(device, topic, message);
        this.#connection.publish(topic, payload, 0, (error) => {
            this.#refusals.acknowledged(number);
            settle(completion, error);
        });
    }

    #register({ device, topic, payload, message }: Qos0Event, completion: CompletionCallbacks): void {
        this.#registering.set(device, completion);
        this.#registration.attemptSent(device);
        const number = this.#refusals.sent(device, topic, message);
        const settled = (error?: Error) => {
            if (error) {
                const waiting = this.#take(device);
                if (waiting) settle(waiting, error);
                return;
            }
            this.#refusals.acknowledged(number);
            this.#registration.attemptAcknowledged(device);
        };
        this.#connection.publish(topic, payload, 1, settled, true);
    }

    #rejection(isReady: boolean): GatewayError | undefined {
        if (!isReady) return new GatewayError("GW_NOT_CONNECTED", translate("gateway.directOffline"));
        if (!this.#connection.isWritable) return new GatewayError("GW_OUTBOX_FULL", translate("gateway.directBusy"));
        if (!this.#outbox.takeRate()) return new GatewayError("GW_OUTBOX_FULL", translate("gateway.directRate"));
        return undefined;
    }

    #take(device: string): CompletionCallbacks | undefined {
        const completion = this.#registering.get(device);
        this.#registering.delete(device);
        return completion;
    }
}

function settle(completion: CompletionCallbacks, error: Error | undefined): void {
    if (!error) completion.done();
    else completion.failed(error instanceof GatewayError ? error : new GatewayError("GW_NOT_CONNECTED", error.message, { cause: error }));
}
