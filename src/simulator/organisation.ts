import type { QoS } from "mqtt-packet";
import type { ClientIdentity } from "./client/client-identity";
import type { CloseCode } from "./client/close-codes";
import type { Faults } from "./faults";
import { ManagementServer } from "./management/management-server";
import type { Settings } from "./options";
import { FrontEnd } from "./registration/front-end";
import { Registry } from "./registration/registry";
import type { Message } from "./sessions/message";
import type { Session } from "./sessions/session";
import type { MemberFilter, Subscription } from "./sessions/subscription";
import { SubscriptionTree } from "./sessions/subscription-tree";
import type { Timers } from "./timers";
import { type DeviceName, isOwnDevice } from "./topic-form";

const maxSessions = 20_000;
const maxMovedClients = 1000;

/** One organisation: its registry, the sessions of its clients and the messages between them. */
export class Organisation {
    readonly name: string;
    readonly registry: Registry;
    readonly management: ManagementServer;
    /** By client id, including sessions without a connection. */
    readonly sessions = new Map<string, Session>();
    /** The connections, by client id. */
    readonly clients = new Map<string, OnlineClient>();
    readonly #tree = new SubscriptionTree<Subscription>();
    readonly #copyPerFilter: boolean;
    readonly #deliveryDelayMs: number;
    readonly #faults: Faults;
    readonly #newFrontEnd: () => FrontEnd;
    #frontEnd: FrontEnd;
    /** By the client id of a gateway that was moved. */
    readonly #otherFrontEnds = new Map<string, FrontEnd>();

    constructor(name: string, settings: Settings, faults: Faults, timers: Timers) {
        this.name = name;
        this.#copyPerFilter = settings.copyPerFilter;
        this.#deliveryDelayMs = settings.deliveryDelayMs;
        this.#faults = faults;
        this.registry = new Registry(settings.registration, faults, timers, settings.onEvent);
        this.#newFrontEnd = () => new FrontEnd(this.registry, settings.registration, timers);
        this.#frontEnd = this.#newFrontEnd();
        this.management = new ManagementServer({
            registry: this.registry,
            publish: (message) => this.publish(message),
            settings,
            faults,
            timers,
        });
    }

    /** Delivers a message to every subscription that matches it. The topic is the platform's form of it. Returns the copies made. */
    publish(message: Message): number {
        if (message.topic.startsWith("iotdevice-1/")) {
            this.management.receive(message.topic, message.payload);
            return 0;
        }
        const levels = message.topic.split("/");
        const matching = this.#tree.match(levels).filter((subscription) => subscription.allows(levels));
        const receivers = this.#copyPerFilter ? matching : bestPerSubscriber(matching);
        for (const subscription of receivers) {
            const fault = this.#faults.take("delayDelivery", subscription.subscriber.clientId, message.topic);
            subscription.deliver(message, fault?.delayMs ?? this.#deliveryDelayMs);
        }
        return receivers.length;
    }

    /** Adds a filter to a session, or changes the QoS of one that it has. */
    subscribe(session: Session, wireFilter: string, filter: string, qos: QoS, allows: MemberFilter | undefined): void {
        const added = session.subscribe(wireFilter, filter, qos, allows);
        if (added) this.#tree.add(filter, added);
    }

    /** Removes a filter from a session, with the messages that wait for it. */
    unsubscribe(session: Session, wireFilter: string): void {
        const removed = session.unsubscribe(wireFilter);
        if (removed) this.#tree.remove(removed.filter, removed);
    }

    /** Keeps a session. Beyond the limit, the oldest session without a connection is removed. */
    addSession(session: Session): void {
        this.sessions.set(session.clientId, session);
        if (this.sessions.size <= maxSessions) return;
        for (const other of this.sessions.values()) {
            if (other.online || other === session) continue;
            this.removeSession(other);
            return;
        }
    }

    /** Ends a session with everything that belongs to it. */
    removeSession(session: Session): void {
        for (const wireFilter of [...session.subscriptions.keys()]) this.unsubscribe(session, wireFilter);
        if (this.sessions.get(session.clientId) === session) this.sessions.delete(session.clientId);
    }

    /** The front end that serves the next connection of a client. */
    frontEndOf(clientId: string): FrontEnd {
        return this.#otherFrontEnds.get(clientId) ?? this.#frontEnd;
    }

    /** Replaces every front end by one with an empty memory. Registry and sessions stay. */
    restartFrontEnd(): void {
        this.#frontEnd = this.#newFrontEnd();
        this.#otherFrontEnds.clear();
    }

    /** Has the next connections of a client served by another front end, whose memory is empty. */
    moveToOtherFrontEnd(clientId: string): void {
        this.#otherFrontEnds.delete(clientId);
        this.#otherFrontEnds.set(clientId, this.#newFrontEnd());
        const [oldest] = this.#otherFrontEnds.keys();
        if (oldest !== undefined && this.#otherFrontEnds.size > maxMovedClients) this.#otherFrontEnds.delete(oldest);
    }

    /** Makes the front ends forget a device, or all: back-offs end, and the next message is checked with the registry. */
    forgetChecks(device?: DeviceName): void {
        for (const frontEnd of this.#frontEnds()) frontEnd.forget(device);
    }

    /** Puts a device into the back-off, as the refusal of another gateway's message does. */
    backOff(device: DeviceName): void {
        for (const frontEnd of this.#frontEnds()) frontEnd.backOff(device);
    }

    /** Disables a device or gateway, or enables it again. A disabled gateway loses its connection. */
    setDisabled(typeId: string, deviceId: string, disabled: boolean): void {
        this.registry.setDisabled(typeId, deviceId, disabled);
        this.forgetChecks({ typeId, deviceId });
        if (!disabled) return;
        for (const client of this.clients.values()) {
            if (isOwnDevice(client.identity, { typeId, deviceId })) client.close(180);
        }
    }

    #frontEnds(): readonly FrontEnd[] {
        return [this.#frontEnd, ...this.#otherFrontEnds.values()];
    }
}

/** A connection, as its organisation sees it. */
export interface OnlineClient {
    readonly identity: ClientIdentity;
    close(code: CloseCode): void;
}

function bestPerSubscriber(matching: readonly Subscription[]): Subscription[] {
    const best = new Map<unknown, Subscription>();
    for (const subscription of matching) {
        const other = best.get(subscription.subscriber);
        if (!other || other.qos < subscription.qos) best.set(subscription.subscriber, subscription);
    }
    return [...best.values()];
}
