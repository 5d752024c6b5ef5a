import type { GatewayConnection } from "../connection/gateway-connection";
import type { SentPacket } from "../connection/sent-packet";
import type { Registration } from "../devices/registration/registration";
import type { RegistrationClient } from "../devices/registration/registration-types";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import type { ManagementLink } from "../management/ports";
import { type DeviceAddress, deviceKey } from "../protocol/identity";
import type { SuspectSearch } from "./suspects/suspect-search";
import type { SuspectClient } from "./suspects/trial";

/**
 * Sends device management messages: alongside the events, not behind them. The first message for a device that is not checked
 * on this connection waits for a place and is its check; for a device that is held, messages fail at once.
 *
 * A message that may be the reason why the server closes the connection waits for its test. When the server closes the connection at it,
 * messages of its kind for its device fail until a deploy or the end of the hold.
 */
export class ManagementSender implements ManagementLink, SuspectClient {
    readonly #connection: Pick<GatewayConnection, "publish">;
    readonly #registration: SenderRegistration;
    readonly #search: SenderSearch;
    /** The messages that wait for their devices. */
    readonly #waiting = new Set<ManagementMessage>();
    /** The messages that wait for a test: their own, or another's. */
    readonly #suspects = new Set<ManagementMessage>();
    /** The message that is alone on the connection. */
    #tested: ManagementMessage | undefined;
    #isOnline = false;

    constructor(connection: Pick<GatewayConnection, "publish">, registration: SenderRegistration, search: SenderSearch) {
        this.#connection = connection;
        this.#registration = registration;
        this.#search = search;
    }

    /** Messages may be sent. */
    linkUp(): void {
        this.#isOnline = true;
    }

    /** The connection ended: what waits has not been sent. Call it before the registration is notified. */
    linkDown(): void {
        this.#isOnline = false;
        this.#tested?.settle(connectionEnded());
        this.#tested = undefined;
        for (const message of [...this.#waiting, ...this.#suspects]) this.#fail(message, connectionEnded());
    }

    publish(address: DeviceAddress, topic: string, payload: string, qos: 0 | 1, settled: (error?: Error) => void): void {
        this.send(new ManagementMessage(this, { device: deviceKey(address), topic, payload, qos, settled }));
    }

    /** Sends a message, at once or as the check of its device; otherwise it waits to be woken. */
    send(message: ManagementMessage): void {
        const { device } = message;
        const answer = this.#registration.register(device, "management", message);
        if (answer !== "wait") {
            this.#waiting.delete(message);
            this.#admit(message, answer === "check");
        } else if (this.#registration.isHeld(device)) this.#fail(message, held(device));
        else this.#waiting.add(message);
    }

    /** The check did not go through: it fails, rather than being sent long after it was meant. */
    giveUp(message: ManagementMessage): void {
        this.#fail(message, this.#isOnline ? held(message.device) : connectionEnded());
    }

    wake({ name }: SentPacket): void {
        for (const message of this.#take(name)) this.send(message);
    }

    acquitted(packet: SentPacket): void {
        this.#tested?.settle();
        this.#tested = undefined;
        this.wake(packet);
    }

    struck({ name }: SentPacket): void {
        const text = translate("management.closing", { topic: name });
        this.#tested?.settle(new GatewayError("GW_DM_REJECTED", text, { willRetry: false }));
        this.#tested = undefined;
        for (const message of this.#take(name)) this.#fail(message, suspended(name));
    }

    condemned(): void {}

    /** Sends the message unless it is suspected. Of several suspected ones with one topic the first is tested. */
    #admit(message: ManagementMessage, isCheck: boolean): void {
        const { device, packet } = message;
        const answer = this.#search.admit(packet, this);
        if (answer === "wait" || answer === "blocked") {
            if (isCheck) this.#registration.withdraw(device, message);
            if (answer === "wait") this.#suspects.add(message);
            else this.#fail(message, suspended(packet.name));
            return;
        }
        const isTest = answer === "test";
        if (isTest) this.#tested = message;
        if (isCheck) this.#registration.sent(device);
        // Only an acknowledgement shows the outcome of a check; without one, the registration gives it up. The search judges a test.
        const answered = (error?: Error) => {
            if (!error && isCheck) this.#registration.acknowledged(device);
            if (!error && isTest) this.#search.acknowledged(packet);
            if (!isCheck && !isTest) message.settle(error);
        };
        this.#connection.publish(isCheck ? { ...packet, qos: 1 } : packet, message.payload, answered, isCheck || isTest);
    }

    #take(topic: string): ManagementMessage[] {
        const taken = [...this.#suspects].filter(({ packet }) => packet.name === topic);
        for (const message of taken) this.#suspects.delete(message);
        return taken;
    }

    #fail(message: ManagementMessage, error: GatewayError): void {
        this.#waiting.delete(message);
        this.#suspects.delete(message);
        this.#registration.withdraw(message.device, message);
        message.settle(error);
    }
}

type SenderRegistration = Pick<Registration, "register" | "sent" | "acknowledged" | "withdraw" | "isHeld">;
type SenderSearch = Pick<SuspectSearch, "admit" | "acknowledged">;

/** A message on its way through the registration of its device. */
class ManagementMessage implements RegistrationClient {
    readonly device: string;
    readonly payload: string;
    readonly qos: 0 | 1;
    readonly packet: SentPacket;
    readonly #sender: ManagementSender;
    #settled: ((error?: Error) => void) | undefined;

    constructor(sender: ManagementSender, { device, topic, payload, qos, settled }: MessageParts) {
        this.#sender = sender;
        this.device = device;
        this.payload = payload;
        this.qos = qos;
        this.packet = { kind: "management", name: topic, device, qos, bytes: Buffer.byteLength(payload) };
        this.#settled = settled;
    }

    /** Reports the outcome, once. */
    settle(error?: Error): void {
        const settled = this.#settled;
        this.#settled = undefined;
        settled?.(error);
    }

    wake(): void {
        this.#sender.send(this);
    }

    confirm(): void {
        this.settle();
    }

    requeue(): void {
        this.#sender.giveUp(this);
    }

    drop(_device: string, error: GatewayError): void {
        this.settle(error);
    }
}

interface MessageParts {
    readonly device: string;
    readonly topic: string;
    readonly payload: string;
    readonly qos: 0 | 1;
    readonly settled: (error?: Error) => void;
}

function connectionEnded(): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", translate("management.connectionEnded"));
}

function held(device: string): GatewayError {
    return new GatewayError("GW_DEVICE_HELD", translate("management.held", { device }));
}

function suspended(topic: string): GatewayError {
    return new GatewayError("GW_DEVICE_HELD", translate("management.suspended", { topic }));
}
