import { randomUUID } from "node:crypto";
import type { Clock } from "../clock";
import type { GatewayConnection } from "../connection/gateway-connection";
import type { Registration } from "../devices/registration/registration";
import type { RegistrationState } from "../devices/registration/registration-types";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { type AttachedResponder, ManagementEngine } from "../management/management-engine";
import type { ManagementLink } from "../management/ports";
import type { ResponderListener, ResponderOptions } from "../management/responder";
import type { StateStore } from "../outbox/store/store";
import { type DeviceAddress, deviceKey, parseDeviceKey } from "../protocol/identity";
import { managementFilter } from "../protocol/topic";
import type { RegistrationClient } from "./events/registration-router";
import { type SubscriptionManager, subscriptionRejectedError } from "./subscriptions/subscription-manager";

/** Device management on a gateway's connection: subscribed while there is a responder, and notified of devices as they show up. */
export class DeviceManagement {
    readonly #engine: ManagementEngine;
    readonly #sender: ManagementSender;
    readonly #registration: Registration;
    readonly #subscriptions: SubscriptionManager;
    #responders = 0;
    #isReplaying = false;

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

    /** Gets the outcome of each registration attempt that a management message made. */
    get registrationClient(): RegistrationClient {
        return this.#sender;
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
        this.#isReplaying = false;
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

    /** A device became known; or it is held, and its messages fail rather than being sent late. */
    deviceChanged(device: string, { phase }: RegistrationState): void {
        if (phase === "known") this.deviceUsed(device);
        else if (phase === "held") this.#sender.wake(device);
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
 * Sends device management messages alongside the events, not behind them. The first message for a device that the platform does not
 * know waits for a free registration slot and is its registration attempt. For a device that is held, messages fail at once.
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

    /** From now on messages are sent. */
    linkUp(): void {
        this.#isOnline = true;
    }

    /** The connection ended: messages that wait fail. Call it before `Registration.connectionEnded`. */
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
        // The messages behind it ask again: for a held device they fail as well, rather than being sent late.
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

    /** Only an acknowledgement counts: without one, the registration ends the attempt. */
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

interface Message {
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
