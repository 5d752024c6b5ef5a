import type { QoS } from "mqtt-packet";
import type { Message } from "./message";
import type { Subscription } from "./subscription";

/** Where a session sends its packets: the connection that carries it at the moment. */
export interface Outlet {
    /** Whether the connection takes more without buffering it. */
    readonly writable: boolean;
    sendPublish(message: Message, messageId: number, dup: boolean): void;
    sendPubrel(messageId: number): void;
}

interface InFlight {
    message: Message;
    released: boolean;
}

/** Limits of a session. */
export interface SessionLimits {
    queueDepth: number;
    maxInFlight: number;
}

/**
 * What the platform remembers of a client: its filters, what it has not acknowledged and the ids of the QoS 2 messages it is
 * sending. It outlives the connection when the client asked for that. Queues belong to the filters, so that the order is
 * kept for each filter and not across them.
 */
export class Session {
    readonly clientId: string;
    readonly durable: boolean;
    /** By the filter as the client gave it. */
    readonly subscriptions = new Map<string, Subscription>();
    /** QoS 2 messages received and not yet released. */
    readonly receivedIds = new Set<number>();
    readonly #limits: SessionLimits;
    readonly #inFlight = new Map<number, InFlight>();
    readonly #backlog = new Set<Subscription>();
    #outlet: Outlet | undefined;
    #lastId = 0;

    constructor(clientId: string, durable: boolean, limits: SessionLimits) {
        this.clientId = clientId;
        this.durable = durable;
        this.#limits = limits;
    }

    /** Whether a connection carries the session now. */
    get online(): boolean {
        return this.#outlet !== undefined;
    }

    /** How many messages were sent and not acknowledged. */
    get unacknowledged(): number {
        return this.#inFlight.size;
    }

    /** Sends again what was not acknowledged, then what was queued. */
    attach(outlet: Outlet): void {
        this.#outlet = outlet;
        for (const [messageId, { message, released }] of this.#inFlight) {
            if (released) outlet.sendPubrel(messageId);
            else outlet.sendPublish(message, messageId, true);
        }
        this.flush();
    }

    /** The connection is gone; what may wait, waits. */
    detach(): void {
        this.#outlet = undefined;
        for (const subscription of this.#backlog) {
            if (subscription.qos === 0) this.forget(subscription);
        }
    }

    /** Takes a message for one of the session's filters. A filter of QoS 1 or 2 also queues messages of QoS 0. */
    deliver(subscription: Subscription, message: Message): void {
        const qos = lower(message.qos, subscription.qos);
        const outgoing = qos === message.qos ? message : { ...message, qos };
        if (subscription.length === 0 && this.#maySend(qos)) {
            this.#send(outgoing);
        } else if (this.#outlet || subscription.qos > 0) {
            subscription.enqueue(outgoing, this.#limits.queueDepth);
            this.#backlog.add(subscription);
        }
    }

    /** Drops what waits for a filter. */
    forget(subscription: Subscription): void {
        subscription.clear();
        this.#backlog.delete(subscription);
    }

    /** PUBACK or PUBCOMP: the message is done. */
    complete(messageId: number): void {
        if (this.#inFlight.delete(messageId)) this.flush();
    }

    /** PUBREC: the client has the message; only its release is left. */
    received(messageId: number): void {
        const entry = this.#inFlight.get(messageId);
        if (entry) entry.released = true;
        this.#outlet?.sendPubrel(messageId);
    }

    /** Sends what waits, one filter after the other, as far as window and connection allow. */
    flush(): void {
        for (const subscription of this.#backlog) {
            while (subscription.length > 0) {
                if (!this.#maySend(1)) return;
                const message = subscription.shift();
                if (message) this.#send(message);
            }
            this.#backlog.delete(subscription);
        }
    }

    #maySend(qos: QoS): boolean {
        return this.#outlet?.writable === true && (qos === 0 || this.#inFlight.size < this.#limits.maxInFlight);
    }

    #send(message: Message): void {
        if (message.qos === 0) {
            this.#outlet?.sendPublish(message, 0, false);
            return;
        }
        const messageId = this.#nextId();
        this.#inFlight.set(messageId, { message, released: false });
        this.#outlet?.sendPublish(message, messageId, false);
    }

    #nextId(): number {
        do {
            this.#lastId = (this.#lastId % 65535) + 1;
        } while (this.#inFlight.has(this.#lastId));
        return this.#lastId;
    }
}

function lower(first: QoS, second: QoS): QoS {
    return first < second ? first : second;
}
