import type { Faults } from "../faults";
import type { Message } from "./message";
import type { Session } from "./session";
import { TopicSpace, type TopicSpaceOptions } from "./topic-space";

const maxRetainedMessages = 10_000;
const maxRetainedBytes = 32 * 1024 * 1024;

/** The topics of plain MQTT clients, which are separate from every organisation. Messages can be retained. */
export class PlainTopics extends TopicSpace {
    readonly #retained = new Map<string, Message>();
    #retainedBytes = 0;

    constructor(options: TopicSpaceOptions, faults: Faults) {
        // As brokers usually do, a client gets one copy of a message, however many of its filters match.
        super({ ...options, copyPerFilter: false }, faults);
    }

    /** Delivers a message to every subscription that matches it, and retains it if it is marked so. Returns the copies made. */
    override publish({ retain, ...message }: Message): number {
        if (retain) this.#retain(message);
        return super.publish(message);
    }

    /** Delivers the retained messages that match a filter of the session. */
    sendRetained(session: Session, filter: string): void {
        const subscription = session.subscriptions.get(filter);
        const filterLevels = filter.split("/");
        for (const message of this.#retained.values()) {
            if (matches(message.topic.split("/"), filterLevels)) subscription?.deliver({ ...message, retain: true }, 0);
        }
    }

    /** Replaces the retained message of the topic; an empty one only removes it. Beyond the limits, the oldest is removed. */
    #retain(message: Message): void {
        this.#remove(message.topic);
        if (message.payload.length === 0) return;
        this.#retained.set(message.topic, { ...message, payload: Buffer.from(message.payload) });
        this.#retainedBytes += message.payload.length;
        for (const topic of this.#retained.keys()) {
            if (this.#retained.size <= maxRetainedMessages && this.#retainedBytes <= maxRetainedBytes) return;
            this.#remove(topic);
        }
    }

    #remove(topic: string): void {
        this.#retainedBytes -= this.#retained.get(topic)?.payload.length ?? 0;
        this.#retained.delete(topic);
    }
}

function matches(topic: readonly string[], filter: readonly string[]): boolean {
    for (const [index, level] of filter.entries()) {
        if (level === "#") return true;
        if (topic[index] === undefined || (level !== "+" && level !== topic[index])) return false;
    }
    return topic.length === filter.length;
}
