import { randomUUID } from "node:crypto";
import type { Clock } from "../clock";
import type { GatewayConnection } from "../connection/gateway-connection";
import type { Registration } from "../devices/registration/registration";
import type { RegistrationClient, RegistrationState } from "../devices/registration/registration-types";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { type AttachedResponder, ManagementEngine } from "../management/management-engine";
import type { ManagementLink } from "../management/ports";
import type { ResponderListener, ResponderOptions } from "../management/responder";
import type { StateStore } from "../outbox/store/store";
import { type DeviceAddress, deviceKey } from "../protocol/identity";
import { managementFilter } from "../protocol/topic";
import { type SubscriptionManager, subscriptionRejectedError } from "./subscriptions/subscription-manager";

/** Device management on a gateway's connection: subscribed while there is a responder, and notified of devices as they show up. */
export class DeviceManagement {
    readonly #engine: ManagementEngine;
    readonly #sender: ManagementSender;
    readonly #registration: Registration;
    readonly #subscriptions: SubscriptionManager;
    #responders = 0;
    #isReplaying = true;

    constructor({ gateway, clock, connection, registration, subscriptions, state }: DeviceManagementDeps) {
        this.#registration = registration;
        this.#subscriptions = subscriptions;
        this.#sender = new ManagementSender(connection, registration);
        this.#engine = new ManagementEngine({
            gateway,
            link: this.#sender,
            store: state,
            clock,
            random: Math.random,
            createId: randomUUID,
        });
    }

    /** Adds a responder, until `detach`. */
    attach(options: ResponderOptions, responder: GatewayResponder): AttachedResponder {
        const subscriber = {
            rejectionChanged: (error: GatewayError | undefined) =>
                responder.rejectionChanged(error && subscriptionRejectedError(managementFilter, error)),
        };
        const attached = this.#engine.attach(options, responder);
        this.#responders += 1;
        this.#subscriptions.add(managementFilter, 1, subscriber);
        let isAttached = true;
        return {
            input: attached.input,
            detach: () => {
                if (!isAttached) return;
                isAttached = false;
                this.#responders -= 1;
                attached.detach();
                this.#subscriptions.remove(managementFilter, subscriber);
            },
        };
    }

    /** The connection is established. In a resumed session, messages that arrive before the first SUBACK were queued. */
    online(sessionPresent: boolean): void {
        this.#isReplaying = sessionPresent;
    }

    /** The state of an earlier run can be read, perhaps only after the connection is established. */
    stateLoaded(): void {
        this.#engine.restore();
    }

    /** The first subscription was confirmed: messages may be sent. */
    linkUp(): void {
        this.#isReplaying = false;
        this.#sender.linkUp();
        this.#engine.linkUp();
    }

    /** The platform granted a filter on this connection: if it is ours, devices can be managed. */
    granted(filter: string): void {
        if (filter === managementFilter) this.#engine.listening();
    }

    linkDown(): void {
        // Before a connection may be used, only what a durable session has kept can arrive.
        this.#isReplaying = true;
        this.#sender.linkDown();
        this.#engine.linkDown();
    }

    /** Whether a message that arrives now was probably queued by a durable session while the gateway was away. */
    get isReplaying(): boolean {
        return this.#isReplaying;
    }

    /** A message arrived on a topic of device management. */
    received(topic: string, payload: Buffer, isReplayed: boolean): void {
        this.#engine.received(topic, payload, isReplayed);
    }

    /** A device became known: it is managed from now on. */
    deviceChanged(device: string, { phase }: RegistrationState): void {
        if (phase === "known") this.deviceUsed(device);
    }

    /** The latest requests, and where devices stand. */
    get engine(): Pick<ManagementEngine, "history" | "phaseOf" | "forget"> {
        return this.#engine;
    }

    /** A device sends: if the platform knows it, it is managed from now on. Called for every event. */
    deviceUsed(device: string): void {
        if (this.#responders === 0 || this.#engine.hasSeen(device)) return;
        if (this.#registration.stateOf(device).phase === "known") this.#engine.deviceSeen(device);
    }

    /** Answers what is open and stops. Call it while the connection is still there. */
    close(): void {
        this.#engine.close();
        this.#sender.linkDown();
    }
}

/** A node that answers device management requests. None of these may throw. */
export interface GatewayResponder extends ResponderListener {
    /** The platform refused the subscription of device management; undefined = it grants it now. */
    rejectionChanged(error: GatewayError | undefined): void;
}

/** What device management works with. */
export interface DeviceManagementDeps {
    readonly gateway: DeviceAddress;
    readonly clock: Clock;
    readonly connection: GatewayConnection;
    readonly registration: Registration;
    readonly subscriptions: SubscriptionManager;
    readonly state: StateStore;
}

/**
 * Sends device management messages: alongside the events, not behind them. The first message for a device that is not checked
 * on this connection waits for a place and is its check; for a device that is held, messages fail at once.
 */
export class ManagementSender implements ManagementLink {
    readonly #connection: Pick<GatewayConnection, "publish">;
    readonly #registration: SenderRegistration;
    /** The messages that wait for their devices. */
    readonly #waiting = new Set<ManagementMessage>();
    #isOnline = false;

    constructor(connection: Pick<GatewayConnection, "publish">, registration: SenderRegistration) {
        this.#connection = connection;
        this.#registration = registration;
    }

    /** Messages may be sent. */
    linkUp(): void {
        this.#isOnline = true;
    }

    /** The connection ended: what waits has not been sent. Call it before the registration is notified. */
    linkDown(): void {
        this.#isOnline = false;
        for (const message of [...this.#waiting]) this.#fail(message, connectionEnded());
    }

    publish(address: DeviceAddress, topic: string, payload: string, qos: 0 | 1, settled: (error?: Error) => void): void {
        this.send(new ManagementMessage(this, deviceKey(address), topic, payload, qos, settled));
    }

    /** Sends a message, at once or as the check of its device; otherwise it waits to be woken. */
    send(message: ManagementMessage): void {
        const { device, topic, payload, qos, settled } = message;
        switch (this.#registration.register(device, "management", message)) {
            case "flow":
                this.#waiting.delete(message);
                this.#connection.publish(topic, payload, qos, settled);
                return;
            case "check":
                this.#waiting.delete(message);
                this.#registration.sent(device);
                this.#publishCheck(message);
                return;
            case "wait":
                if (this.#registration.isHeld(device)) this.#fail(message, held(device));
                else this.#waiting.add(message);
        }
    }

    /** The check did not go through: it fails, rather than being sent long after it was meant. */
    giveUp(message: ManagementMessage): void {
        this.#fail(message, this.#isOnline ? held(message.device) : connectionEnded());
    }

    /** Only an acknowledgement shows the outcome of a check; without one, the registration gives it up. */
    #publishCheck({ device, topic, payload }: ManagementMessage): void {
        const answered = (error?: Error) => {
            if (!error) this.#registration.acknowledged(device);
        };
        this.#connection.publish(topic, payload, 1, answered, true);
    }

    #fail(message: ManagementMessage, error: GatewayError): void {
        this.#waiting.delete(message);
        this.#registration.withdraw(message.device, message);
        message.settled(error);
    }
}

type SenderRegistration = Pick<Registration, "register" | "sent" | "acknowledged" | "withdraw" | "isHeld">;

/** A message on its way through the registration of its device. */
class ManagementMessage implements RegistrationClient {
    readonly #sender: ManagementSender;
    readonly device: string;
    readonly topic: string;
    readonly payload: string;
    readonly qos: 0 | 1;
    readonly settled: (error?: Error) => void;

    constructor(sender: ManagementSender, device: string, topic: string, payload: string, qos: 0 | 1, settled: (error?: Error) => void) {
        this.#sender = sender;
        this.device = device;
        this.topic = topic;
        this.payload = payload;
        this.qos = qos;
        this.settled = settled;
    }

    wake(): void {
        this.#sender.send(this);
    }

    confirm(): void {
        this.settled();
    }

    requeue(): void {
        this.#sender.giveUp(this);
    }

    drop(_device: string, error: GatewayError): void {
        this.settled(error);
    }
}

function connectionEnded(): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", translate("management.connectionEnded"));
}

function held(device: string): GatewayError {
    return new GatewayError("GW_DEVICE_HELD", translate("management.held", { device }));
}
