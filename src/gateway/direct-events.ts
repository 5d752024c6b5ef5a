import type { GatewayConnection } from "../connection/gateway-connection";
import type { Registration } from "../devices/registration/registration";
import { GatewayError } from "../errors";
import type { Outbox } from "../outbox/outbox";
import { say } from "../words";
import type { Settlement } from "./event-request";
import type { ContactUser } from "./first-contacts";
import { notContactedError, unconfirmedError } from "./held-errors";
import type { PublishOrigin, Refusals } from "./refusals";

/** An event of QoS 0, ready for the wire. */
export interface DirectEvent {
    readonly device: string;
    readonly topic: string;
    readonly payload: string | Buffer;
    readonly message: PublishOrigin;
}

/**
 * Events of QoS 0: sent at once or refused, never queued, so they may overtake queued ones. For a device that is not known the
 * event goes out as QoS 1, because only an acknowledgement tells what became of a first contact.
 */
export class DirectEvents implements ContactUser {
    readonly #contacts = new Map<string, Settlement>();

    constructor(
        private readonly connection: GatewayConnection,
        private readonly outbox: Outbox,
        private readonly registration: Registration,
        private readonly refusals: Refusals,
    ) {}

    /** Sends an event; `isReady` is whether the connection can take events yet. */
    send(event: DirectEvent, isReady: boolean, settlement: Settlement): void {
        const refusal = this.#refusal(isReady);
        if (refusal) {
            settlement.failed(refusal);
            return;
        }
        switch (this.registration.tryNow(event.device)) {
            case "flow":
                this.#send(event, settlement);
                return;
            case "contact":
                this.#contact(event, settlement);
                return;
            case "held":
                settlement.failed(notContactedError(event.device));
        }
    }

    woken(): void {}

    confirmed(device: string): void {
        this.#take(device)?.done();
    }

    requeued(device: string): void {
        this.#take(device)?.failed(unconfirmedError(device));
    }

    dropped(device: string, error: GatewayError): void {
        this.#take(device)?.failed(error);
    }

    #send({ device, topic, payload, message }: DirectEvent, settlement: Settlement): void {
        const number = this.refusals.sent(device, topic, message);
        this.connection.publish(topic, payload, 0, (error) => {
            this.refusals.acknowledged(number);
            settle(settlement, error);
        });
    }

    #contact({ device, topic, payload, message }: DirectEvent, settlement: Settlement): void {
        this.#contacts.set(device, settlement);
        this.registration.contactSent(device);
        const number = this.refusals.sent(device, topic, message);
        const settled = (error?: Error) => {
            if (error) {
                const waiting = this.#take(device);
                if (waiting) settle(waiting, error);
                return;
            }
            this.refusals.acknowledged(number);
            this.registration.contactAcknowledged(device);
        };
        this.connection.publish(topic, payload, 1, settled, true);
    }

    #refusal(isReady: boolean): GatewayError | undefined {
        if (!isReady) return new GatewayError("GW_NOT_CONNECTED", say("gateway.directOffline"));
        if (!this.connection.isWritable) return new GatewayError("GW_OUTBOX_FULL", say("gateway.directBusy"));
        if (!this.outbox.takeRate()) return new GatewayError("GW_OUTBOX_FULL", say("gateway.directRate"));
        return undefined;
    }

    #take(device: string): Settlement | undefined {
        const settlement = this.#contacts.get(device);
        this.#contacts.delete(device);
        return settlement;
    }
}

function settle(settlement: Settlement, error: Error | undefined): void {
    if (!error) settlement.done();
    else settlement.failed(error instanceof GatewayError ? error : new GatewayError("GW_NOT_CONNECTED", error.message, { cause: error }));
}
