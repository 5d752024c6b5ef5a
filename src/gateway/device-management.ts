import type { GatewayConnection } from "../connection/gateway-connection";
import type { Registration } from "../devices/registration/registration";
import type { RegistrationState } from "../devices/registration/registration-types";
import type { GatewayError } from "../errors";
import { type AttachedResponder, ManagementEngine } from "../management/management-engine";
import type { ResponderListener, ResponderOptions } from "../management/responder";
import type { StateStore } from "../outbox/store/store";
import type { IdParser } from "../protocol/id-parser";
import type { DeviceAddress } from "../protocol/identity";
import { managementFilter } from "../protocol/topic";
import type { Machine } from "./machine";
import { ManagementSender } from "./management-sender";
import { subscriptionRejectedError } from "./subscriptions/subscription-errors";
import type { SubscriptionManager } from "./subscriptions/subscription-manager";
import type { SuspectSearch } from "./suspects/suspect-search";

/** Device management on a gateway's connection: subscribed while there is a responder, and notified of devices as they show up. */
export class DeviceManagement {
    readonly #engine: ManagementEngine;
    readonly #sender: ManagementSender;
    readonly #registration: Registration;
    readonly #subscriptions: SubscriptionManager;
    #responders = 0;
    #isReplaying = true;

    constructor({ gateway, ids, machine, connection, registration, search, subscriptions, state }: DeviceManagementDeps) {
        this.#registration = registration;
        this.#subscriptions = subscriptions;
        this.#sender = new ManagementSender(connection, registration, search);
        this.#engine = new ManagementEngine({
            gateway,
            ids,
            link: this.#sender,
            store: state,
            clock: machine.clock,
            random: machine.random,
            createId: machine.createId,
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
    readonly ids: IdParser;
    readonly machine: Pick<Machine, "clock" | "random" | "createId">;
    readonly connection: GatewayConnection;
    readonly registration: Registration;
    readonly search: SuspectSearch;
    readonly subscriptions: SubscriptionManager;
    readonly state: StateStore;
}
