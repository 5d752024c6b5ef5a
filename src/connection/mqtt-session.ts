import { MessageIds } from "./message-ids";

/** A message received with QoS 2 that the server has not released yet. */
export interface HeldMessage {
    readonly messageId?: number | undefined;
}

/**
 * What client and server both remember between two connections of a durable session, and forget together: the messages
 * received with QoS 2 and not released yet, and the ids of those sent with QoS 2 and not completed.
 */
export class MqttSession<Message extends HeldMessage> {
    readonly ids: MessageIds;
    readonly #received = new Map<number, Message>();
    /** Ids the server may still hold; used for another message it would take that for a repetition and drop it. */
    readonly #unreleased = new Set<number>();

    constructor(random: () => number) {
        this.ids = new MessageIds(random);
    }

    /** Forgets all of it: the server has no session. */
    reset(): void {
        this.#received.clear();
        this.#unreleased.clear();
        this.ids.freeAll();
    }

    /** A connection ended: only the ids of incomplete QoS 2 publishes stay in use. */
    connectionEnded(incomplete: Iterable<number>): void {
        for (const id of incomplete) this.#unreleased.add(id);
        this.ids.freeAll();
        for (const id of this.#unreleased) this.ids.register(id);
    }

    /** The ids to release at the server now that the session goes on. */
    get unreleased(): Iterable<number> {
        return this.#unreleased;
    }

    /** The server has let go of an id. */
    released(id: number): void {
        this.#unreleased.delete(id);
    }

    hold(message: Message): void {
        if (message.messageId !== undefined) this.#received.set(message.messageId, message);
    }

    held(id: number | undefined): Message | undefined {
        return id === undefined ? undefined : this.#received.get(id);
    }

    drop(id: number | undefined): Message | undefined {
        const message = this.held(id);
        if (id !== undefined) this.#received.delete(id);
        return message;
    }
}
