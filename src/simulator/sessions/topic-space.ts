import type { QoS } from "mqtt-packet";
import type { CloseCode } from "../client/close-codes";
import type { Faults } from "../faults";
import type { Message } from "./message";
import type { Session } from "./session";
import type { MemberFilter, Subscription } from "./subscription";
import { SubscriptionTree } from "./subscription-tree";

const maxSessions = 20_000;

/** Clients that exchange messages with each other: their sessions, their connections and who subscribes to what. */
export class TopicSpace {
    /** By client id, including sessions without a connection. */
    readonly sessions = new Map<string, Session>();
    /** The connections, by client id. */
    readonly clients = new Map<string, OnlineClient>();
    readonly #tree = new SubscriptionTree<Subscription>();
    readonly #options: TopicSpaceOptions;
    readonly #faults: Faults;

    constructor(options: TopicSpaceOptions, faults: Faults) {
        this.#options = options;
        this.#faults = faults;
    }

    /** Delivers a message to every subscription that matches it. Returns the copies made. */
    publish(message: Message): number {
        const levels = message.topic.split("/");
        const matching = this.#tree.match(levels).filter((subscription) => subscription.allows(levels));
        const receivers = this.#options.copyPerFilter ? matching : bestPerSubscriber(matching);
        for (const subscription of receivers) {
            const fault = this.#faults.take("delayDelivery", subscription.subscriber.clientId, message.topic);
            subscription.deliver(message, fault?.delayMs ?? this.#options.deliveryDelayMs);
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
}

/** How messages are delivered. */
export interface TopicSpaceOptions {
    copyPerFilter: boolean;
    deliveryDelayMs: number;
}

/** A connection, as its topic space sees it. */
export interface OnlineClient {
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
