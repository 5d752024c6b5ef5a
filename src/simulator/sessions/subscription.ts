import type { QoS } from "mqtt-packet";
import type { Message } from "./message";
import type { Session } from "./session";

const maxWaitingBytes = 32 * 1024 * 1024;

/** One filter of one session, with the messages that wait for its client. */
export class Subscription {
    readonly session: Session;
    /** The filter as it is inside the platform. */
    readonly filter: string;
    qos: QoS;
    readonly #allows: ((levels: readonly string[]) => boolean) | undefined;
    #waiting: Message[] = [];
    #head = 0;
    #waitingBytes = 0;
    /** Messages that were dropped because the queue was full. */
    dropped = 0;

    constructor(session: Session, filter: string, qos: QoS, allows: ((levels: readonly string[]) => boolean) | undefined) {
        this.session = session;
        this.filter = filter;
        this.qos = qos;
        this.#allows = allows;
    }

    get length(): number {
        return this.#waiting.length - this.#head;
    }

    /** Whether the client may receive this message: with a resource group, only those of its members. */
    allows(levels: readonly string[]): boolean {
        return this.#allows === undefined || this.#allows(levels);
    }

    /** Keeps a message; when the queue is at its depth, or holds very many bytes, the oldest one goes. */
    enqueue(message: Message, depth: number): void {
        // A payload is a view into a larger network buffer: without a copy a queue of small messages would hold all of those.
        this.#waiting.push({ ...message, payload: Buffer.from(message.payload) });
        this.#waitingBytes += message.payload.length;
        while (this.length > depth || this.#waitingBytes > maxWaitingBytes) {
            this.shift();
            this.dropped++;
        }
    }

    /** Takes the oldest message out. */
    shift(): Message | undefined {
        const message = this.#waiting[this.#head];
        if (message === undefined) return undefined;
        this.#head++;
        this.#waitingBytes -= message.payload.length;
        if (this.#head > 1024 && this.#head * 2 > this.#waiting.length) {
            this.#waiting = this.#waiting.slice(this.#head);
            this.#head = 0;
        }
        return message;
    }

    /** Forgets what may not outlive the connection. */
    clear(): void {
        this.#waiting = [];
        this.#head = 0;
        this.#waitingBytes = 0;
    }
}
