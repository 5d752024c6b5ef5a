import type { QoS } from "mqtt-packet";
import type { Client } from "./client/client";
import type { Faults } from "./faults";
import { ManagementServer } from "./management/management-server";
import type { Settings } from "./options";
import { FirstContacts } from "./registration/front-end";
import { Registry } from "./registration/registry";
import type { Message } from "./sessions/message";
import type { Session } from "./sessions/session";
import { Subscription } from "./sessions/subscription";
import { SubscriptionTree } from "./sessions/subscription-tree";
import type { Timers } from "./timers";
import { deviceKey } from "./topic-form";

const maxSessions = 20_000;

/** One organisation: its registry, the sessions of its clients and the messages between them. */
export class Organisation {
    readonly name: string;
    readonly registry: Registry;
    readonly firstContacts: FirstContacts;
    readonly management: ManagementServer;
    /** By client id, also those without a connection. */
    readonly sessions = new Map<string, Session>();
    /** The connections, by client id. */
    readonly clients = new Map<string, Client>();
    readonly #tree = new SubscriptionTree<Subscription>();
    readonly #copyPerFilter: boolean;

    constructor(name: string, settings: Settings, faults: Faults, timers: Timers) {
        this.name = name;
        this.#copyPerFilter = settings.copyPerFilter;
        this.registry = new Registry(settings.registration, faults, timers, settings.onEvent);
        this.firstContacts = new FirstContacts(this.registry, settings.registration);
        this.management = new ManagementServer(this, settings, faults, timers);
    }

    /** Hands a message to every subscription that matches it. The topic is the platform's form of it. Returns the copies made. */
    publish(message: Message): number {
        if (message.topic.startsWith("iotdevice-1/")) {
            this.management.receive(message.topic, message.payload);
            return 0;
        }
        const levels = message.topic.split("/");
        const matching = this.#tree.match(levels).filter((subscription) => subscription.allows(levels));
        const receivers = this.#copyPerFilter ? matching : bestPerSession(matching);
        for (const subscription of receivers) subscription.session.deliver(subscription, message);
        return receivers.length;
    }

    /** Gives a session a filter, or changes the QoS of one it has. */
    subscribe(
        session: Session,
        wireFilter: string,
        filter: string,
        qos: QoS,
        allows: ((levels: readonly string[]) => boolean) | undefined,
    ): void {
        const existing = session.subscriptions.get(wireFilter);
        if (existing) {
            existing.qos = qos;
            return;
        }
        const subscription = new Subscription(session, filter, qos, allows);
        session.subscriptions.set(wireFilter, subscription);
        this.#tree.add(filter, subscription);
    }

    /** Takes a filter from a session, with what waits for it. */
    unsubscribe(session: Session, wireFilter: string): void {
        const subscription = session.subscriptions.get(wireFilter);
        if (!subscription) return;
        session.subscriptions.delete(wireFilter);
        session.forget(subscription);
        this.#tree.remove(subscription.filter, subscription);
    }

    /** Remembers a session. Beyond a large number, the one that was begun first and has no connection goes. */
    addSession(session: Session): void {
        this.sessions.set(session.clientId, session);
        if (this.sessions.size <= maxSessions) return;
        for (const other of this.sessions.values()) {
            if (other.online || other === session) continue;
            this.removeSession(other);
            return;
        }
    }

    /** Ends a session: nothing of it is left. */
    removeSession(session: Session): void {
        for (const wireFilter of [...session.subscriptions.keys()]) this.unsubscribe(session, wireFilter);
        if (this.sessions.get(session.clientId) === session) this.sessions.delete(session.clientId);
    }

    /** Disables a device or gateway, or enables it again. A disabled gateway loses its connection. */
    setDisabled(typeId: string, deviceId: string, disabled: boolean): void {
        this.registry.register(typeId, deviceId).disabled = disabled;
        this.firstContacts.forget({ typeId, deviceId });
        if (!disabled) return;
        for (const client of this.clients.values()) {
            if (deviceKey({ typeId: client.identity.typeId, deviceId: client.identity.id }) === `${typeId}/${deviceId}`) client.close(180);
        }
    }
}

function bestPerSession(matching: readonly Subscription[]): Subscription[] {
    const best = new Map<Session, Subscription>();
    for (const subscription of matching) {
        const other = best.get(subscription.session);
        if (!other || other.qos < subscription.qos) best.set(subscription.session, subscription);
    }
    return [...best.values()];
}
