import { randomUUID } from "node:crypto";
import type { Clock } from "../clock";
import type { GatewayConnection } from "../connection/gateway-connection";
import type { Registration } from "../devices/registration/registration";
import type { RegistrationState } from "../devices/registration/registration-types";
import type { GatewayError } from "../errors";
import { type AttachedResponder, ManagementEngine } from "../management/management-engine";
import type { ResponderListener, ResponderOptions } from "../management/responder";
import type { StateStore } from "../outbox/store/store";
import type { DeviceAddress } from "../protocol/identity";
import { managementFilter } from "../protocol/topic";
import type { RegistrationClient } from "./events/registration-router";
import { ManagementSender } from "./management-sender";
import { type SubscriptionManager, subscriptionRejectedError } from "./subscriptions/subscription-manager";

/** Who answers device management requests. Nothing of this may throw. */
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

/** Device management on a gateway's connection: subscribed while somebody answers, and told of devices as they show up. */
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

    /** Where the outcome of registration attempts made by management messages goes. */
    get registrationClient(): RegistrationClient {
        return this.#sender;
    }

    /** Adds somebody who answers, until `detach`. */
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

    /** The connection is there. In a resumed session, what comes before the first subscription is confirmed was queued. */
    online(sessionPresent: boolean): void {
        this.#isReplaying = sessionPresent;
    }

    /** What an earlier run stored can be read, perhaps only now that the connection is there. */
    stateLoaded(): void {
        this.#engine.restore();
    }

    /** Messages may be sent: the first subscription was confirmed. */
    linkUp(): void {
        this.#isReplaying = false;
        this.#sender.linkUp();
        this.#engine.linkUp();
    }

    /** The platform holds a filter on this connection: if it is ours, devices can be managed. */
    granted(filter: string): void {
        if (filter === managementFilter) this.#engine.listening();
    }

    /** The connection ended. */
    linkDown(): void {
        this.#isReplaying = false;
        this.#sender.linkDown();
        this.#engine.linkDown();
    }

    /** Whether what arrives now was queued by a durable session while the gateway was away, as far as can be told. */
    get isReplaying(): boolean {
        return this.#isReplaying;
    }

    /** A message arrived on a topic of device management. */
    received(topic: string, payload: Buffer, isReplayed: boolean): void {
        this.#engine.received(topic, payload, isReplayed);
    }

    /** A device became known, or is held: then what waits for it fails, rather than being sent long after it was meant. */
    deviceChanged(device: string, { phase }: RegistrationState): void {
        if (phase === "known") this.deviceUsed(device);
        else if (phase === "held") this.#sender.wake(device);
    }

    /** The requests that came last, and where devices stand. */
    get engine(): Pick<ManagementEngine, "history" | "phaseOf" | "forget"> {
        return this.#engine;
    }

    /** A device sends: if the platform knows it, it is kept managed from now on. Called for every event. */
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
