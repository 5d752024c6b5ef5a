import type { QoS } from "mqtt-packet";
import type { Message } from "./message";

const maxWaitingBytes = 32 * 1024 * 1024;

/** One filter of one session, with the messages that wait for its client. */
export class Subscription {
    readonly subscriber: Subscriber;
    /** The filter as it is inside the platform. */
    readonly filter: string;
    readonly #allows: MemberFilter | undefined;
    #qos: QoS;
    #waiting: WaitingMessage[] = [];
    #head = 0;
    #waitingBytes = 0;
    #dropped = 0;

    constructor(subscriber: Subscriber, filter: string, qos: QoS, allows: MemberFilter | undefined) {
        this.subscriber = subscriber;
        this.filter = filter;
        this.#qos = qos;
        this.#allows = allows;
    }

    get qos(): QoS {
        return this.#qos;
    }

    /** How many messages wait. */
    get length(): number {
        return this.#waiting.length - this.#head;
    }

    /** How many messages were dropped because the queue was full. */
    get dropped(): number {
        return this.#dropped;
    }

    /** Whether the client may receive a message on this topic: with a resource group, only those of its members. */
    allows(levels: readonly string[]): boolean {
        return this.#allows === undefined || this.#allows(levels);
    }

    /** The client subscribed again with another QoS; what waits stays. */
    changeQos(qos: QoS): void {
        this.#qos = qos;
    }

    /** Sends the message to the client, or keeps it until the delay is over and it can be sent. */
    deliver(message: Message, delayMs: number): void {
        this.subscriber.deliver(this, message, delayMs);
    }

    /** When the oldest message may be sent; `undefined` when none waits. */
    get dueMs(): number | undefined {
        return this.#waiting[this.#head]?.dueMs;
    }

    /** Keeps a message. When the queue is at its depth, or at its limit of bytes, the oldest message is dropped. */
    enqueue(message: Message, dueMs: number, depth: number): void {
        // A payload is a view into a larger network buffer. Without a copy, a queue of small messages would keep all of those.
        this.#waiting.push({ message: { ...message, payload: Buffer.from(message.payload) }, dueMs });
        this.#waitingBytes += message.payload.length;
        while (this.length > depth || this.#waitingBytes > maxWaitingBytes) {
            this.shift();
            this.#dropped++;
        }
    }

    /** Takes the oldest message out. */
    shift(): Message | undefined {
        const waiting = this.#waiting[this.#head];
        if (waiting === undefined) return undefined;
        const { message } = waiting;
        this.#head++;
        this.#waitingBytes -= message.payload.length;
        if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
            this.#waiting = this.#waiting.slice(this.#head);
            this.#head = 0;
        }
        return message;
    }

    /** Discards what waits. */
    clear(): void {
        this.#waiting = [];
        this.#head = 0;
        this.#waitingBytes = 0;
    }
}

/** The session that a subscription belongs to. */
export interface Subscriber {
    readonly clientId: string;
    deliver(subscription: Subscription, message: Message, delayMs: number): void;
}

/** Whether a message with these topic levels concerns a member of the client's resource group. */
export type MemberFilter = (levels: readonly string[]) => boolean;

interface WaitingMessage {
    message: Message;
    /** In milliseconds of the monotonic clock. */
    dueMs: number;
}
