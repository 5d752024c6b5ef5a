import type { GatewayConnection } from "../connection/gateway-connection";
import type { Registration } from "../devices/registration/registration";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import type { ManagementLink } from "../management/ports";
import { type DeviceAddress, deviceKey, parseDeviceKey } from "../protocol/identity";
import type { RegistrationClient } from "./events/registration-router";

interface Message {
    readonly topic: string;
    readonly payload: string;
    readonly qos: 0 | 1;
    readonly settled: (error?: Error) => void;
}

/**
 * Sends device management messages: beside the events, not behind them. The first message for a device the platform does not
 * know waits for a free registration slot and is its registration attempt; for a device that is held, messages fail at once.
 */
export class ManagementSender implements ManagementLink, RegistrationClient {
    readonly #connection: Pick<GatewayConnection, "publish">;
    readonly #registration: Pick<Registration, "tryRegister" | "attemptSent" | "attemptAcknowledged" | "stateOf">;
    readonly #waiting = new Map<string, Message[]>();
    readonly #registering = new Map<string, Message>();
    #isOnline = false;

    constructor(
        connection: Pick<GatewayConnection, "publish">,
        registration: Pick<Registration, "tryRegister" | "attemptSent" | "attemptAcknowledged" | "stateOf">,
    ) {
        this.#connection = connection;
        this.#registration = registration;
    }

    /** Messages may be sent. */
    linkUp(): void {
        this.#isOnline = true;
    }

    /** The connection ended: what waits has not been sent. Call it before the registration is told. */
    linkDown(): void {
        this.#isOnline = false;
        const waiting = [...this.#waiting.values()].flat();
        this.#waiting.clear();
        for (const { settled } of waiting) settled(connectionEnded());
    }

    publish(address: DeviceAddress, topic: string, payload: string, qos: 0 | 1, settled: (error?: Error) => void): void {
        const device = deviceKey(address);
        const message = { topic, payload, qos, settled };
        const waiting = this.#waiting.get(device);
        if (waiting) waiting.push(message);
        else this.#send(device, message);
    }

    wake(device: string): void {
        const waiting = this.#waiting.get(device);
        if (!waiting) return;
        this.#waiting.delete(device);
        for (const message of waiting) this.publish(parseDeviceKey(device), message.topic, message.payload, message.qos, message.settled);
    }

    confirm(device: string): void {
        this.#takeRegistering(device)?.settled();
        this.wake(device);
    }

    requeue(device: string): void {
        this.#takeRegistering(device)?.settled(this.#isOnline ? held(device) : connectionEnded());
        // What waits behind it asks again: for a held device it fails as well, rather than being sent long after it was meant.
        this.wake(device);
    }

    drop(device: string, error: GatewayError): void {
        this.#takeRegistering(device)?.settled(error);
    }

    #send(device: string, message: Message): void {
        switch (this.#registration.tryRegister(device, "management")) {
            case "flow":
                this.#connection.publish(message.topic, message.payload, message.qos, message.settled);
                return;
            case "register":
                this.#registering.set(device, message);
                this.#registration.attemptSent(device);
                this.#publishAttempt(device, message);
                return;
            case "wait":
                if (this.#registration.stateOf(device).phase === "held") message.settled(held(device));
                else this.#waiting.set(device, [...(this.#waiting.get(device) ?? []), message]);
        }
    }

    /** Only an acknowledgement tells what became of a registration attempt; without one, the registration gives it up. */
    #publishAttempt(device: string, { topic, payload }: Message): void {
        const acknowledged = (error?: Error) => {
            if (!error) this.#registration.attemptAcknowledged(device);
        };
        this.#connection.publish(topic, payload, 1, acknowledged, true);
    }

    #takeRegistering(device: string): Message | undefined {
        const message = this.#registering.get(device);
        this.#registering.delete(device);
        return message;
    }
}

function connectionEnded(): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", translate("management.connectionEnded"));
}

function held(device: string): GatewayError {
    return new GatewayError("GW_DEVICE_HELD", translate("management.held", { device }));
}
