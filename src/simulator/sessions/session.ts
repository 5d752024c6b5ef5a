import type { QoS } from "mqtt-packet";
import type { Timers } from "../timers";
import type { Message } from "./message";
import { type MemberFilter, type Subscriber, Subscription } from "./subscription";

/**
 * What the platform remembers of a client: its filters, the messages that the client has not acknowledged, and the ids of the
 * QoS 2 messages that it is sending. It outlives the connection if the client asked for that. Queues belong to the filters, so
 * that the order is kept for each filter and not across them.
 */
export class Session implements Subscriber {
    readonly clientId: string;
    readonly durable: boolean;
    readonly #limits: SessionLimits;
    readonly #timers: Timers;
    readonly #subscriptions = new Map<string, Subscription>();
    readonly #unreleasedIds = new Set<number>();
    readonly #inFlight = new Map<number, InFlight>();
    readonly #backlog = new Set<Subscription>();
    #sink: PacketSink | undefined;
    #lastId = 0;
    /** When delayed messages are looked at next. */
    #wakeMs = Number.POSITIVE_INFINITY;
    #cancelWake: () => void = () => undefined;

    constructor(clientId: string, durable: boolean, limits: SessionLimits, timers: Timers) {
        this.clientId = clientId;
        this.durable = durable;
        this.#limits = limits;
        this.#timers = timers;
    }

    /** Whether the session has a connection now. */
    get online(): boolean {
        return this.#sink !== undefined;
    }

    /** How many messages were sent and not acknowledged. */
    get unacknowledged(): number {
        return this.#inFlight.size;
    }

    /** By the filter as the client gave it. */
    get subscriptions(): ReadonlyMap<string, Subscription> {
        return this.#subscriptions;
    }

    /** Adds a filter and returns its subscription; for a filter that exists only the QoS changes, and nothing is returned. */
    subscribe(wireFilter: string, filter: string, qos: QoS, allows: MemberFilter | undefined): Subscription | undefined {
        const existing = this.#subscriptions.get(wireFilter);
        if (existing) {
            existing.changeQos(qos);
            return undefined;
        }
        const subscription = new Subscription(this, filter, qos, allows);
        this.#subscriptions.set(wireFilter, subscription);
        return subscription;
    }

    /** Removes a filter with the messages that wait for it, and returns its subscription. */
    unsubscribe(wireFilter: string): Subscription | undefined {
        const subscription = this.#subscriptions.get(wireFilter);
        if (!subscription) return undefined;
        this.#subscriptions.delete(wireFilter);
        this.#discard(subscription);
        return subscription;
    }

    /** Sends unacknowledged messages again, then what was queued. */
    attach(sink: PacketSink): void {
        this.#sink = sink;
        for (const [messageId, { message, released }] of this.#inFlight) {
            if (released) sink.sendPubrel(messageId);
            else sink.sendPublish(message, messageId, true);
        }
        this.flush();
    }

    /** The connection has ended. Filters of QoS 1 and 2 keep their messages. */
    detach(): void {
        this.#sink = undefined;
        for (const subscription of this.#backlog) {
            if (subscription.qos === 0) this.#discard(subscription);
        }
    }

    /**
     * Delivers a message for one of the session's filters, after the delay and never before an older one for that filter. A filter of
     * QoS 1 or 2 also queues messages of QoS 0.
     */
    deliver(subscription: Subscription, message: Message, delayMs: number): void {
        const qos = lower(message.qos, subscription.qos);
        const outgoing = qos === message.qos ? message : { ...message, qos };
        if (delayMs === 0 && subscription.length === 0 && this.#maySend(qos)) {
            this.#send(outgoing);
        } else if (this.#sink || subscription.qos > 0) {
            subscription.enqueue(outgoing, this.#timers.monotonicMs() + delayMs, this.#limits.queueDepth);
            this.#backlog.add(subscription);
            if (delayMs > 0 && subscription.dueMs !== undefined) this.#wakeAt(subscription.dueMs);
        }
    }

    /** Handles PUBACK or PUBCOMP: the message is complete. */
    complete(messageId: number): void {
        if (this.#inFlight.delete(messageId)) this.flush();
    }

    /** Handles PUBREC: the client has the message, and only its release is left. */
    received(messageId: number): void {
        const entry = this.#inFlight.get(messageId);
        if (entry) entry.released = true;
        this.#sink?.sendPubrel(messageId);
    }

    /** Remembers a QoS 2 message of the client until its PUBREL. */
    receive(messageId: number): void {
        this.#unreleasedIds.add(messageId);
    }

    /** Whether a QoS 2 message of this id has been received, so that another one is a repeat. */
    isUnreleased(messageId: number): boolean {
        return this.#unreleasedIds.has(messageId);
    }

    /** Handles PUBREL. */
    release(messageId: number): void {
        this.#unreleasedIds.delete(messageId);
    }

    /** Sends what waits and is due, one filter after the other, as far as window and connection allow. */
    flush(): void {
        const now = this.#timers.monotonicMs();
        for (const subscription of this.#backlog) {
            while (subscription.dueMs !== undefined && subscription.dueMs <= now) {
                if (!this.#maySend(1)) return;
                const message = subscription.shift();
                if (message) this.#send(message);
            }
            if (subscription.dueMs === undefined) this.#backlog.delete(subscription);
            else this.#wakeAt(subscription.dueMs);
        }
    }

    #wakeAt(dueMs: number): void {
        if (this.#wakeMs <= dueMs) return;
        this.#cancelWake();
        this.#wakeMs = dueMs;
        this.#cancelWake = this.#timers.after(dueMs - this.#timers.monotonicMs(), () => {
            this.#wakeMs = Number.POSITIVE_INFINITY;
            this.flush();
        });
    }

    #discard(subscription: Subscription): void {
        subscription.clear();
        this.#backlog.delete(subscription);
    }

    #maySend(qos: QoS): boolean {
        return this.#sink?.writable === true && (qos === 0 || this.#inFlight.size < this.#limits.maxInFlight);
    }

    #send(message: Message): void {
        if (message.qos === 0) {
            this.#sink?.sendPublish(message, 0, false);
            return;
        }
        const messageId = this.#nextId();
        this.#inFlight.set(messageId, { message, released: false });
        this.#sink?.sendPublish(message, messageId, false);
    }

    #nextId(): number {
        do {
            this.#lastId = (this.#lastId % 65535) + 1;
        } while (this.#inFlight.has(this.#lastId));
        return this.#lastId;
    }
}

/** The connection that a session sends its packets on. */
export interface PacketSink {
    /** Whether the connection takes more without buffering it. */
    readonly writable: boolean;
    sendPublish(message: Message, messageId: number, dup: boolean): void;
    sendPubrel(messageId: number): void;
}

/** Limits of a session. */
export interface SessionLimits {
    queueDepth: number;
    maxInFlight: number;
}

interface InFlight {
    message: Message;
    released: boolean;
}

function lower(first: QoS, second: QoS): QoS {
    return first < second ? first : second;
}
