import { type AcknowledgementWriter, ReceivedMessages } from "./received-messages";

/**
 * What client and server both remember between two connections of a durable session, and forget together: the messages received and not
 * acknowledged, and the ids of those sent with QoS 2 and not completed.
 */
export class MqttSession {
    readonly ids: MessageIds;
    readonly received = new ReceivedMessages();
    /** Ids the server may still hold; used for another message it would take that for a repetition and drop it. */
    readonly #unreleased = new Set<number>();

    constructor(random: () => number) {
        this.ids = new MessageIds(random);
    }

    /** The server accepted a connection. Where it has no session, all of this is forgotten. */
    connectionStarted(sessionPresent: boolean, acknowledge: AcknowledgementWriter): void {
        this.received.connectionStarted(sessionPresent, acknowledge);
        if (sessionPresent) return;
        this.#unreleased.clear();
        this.ids.freeAll();
    }

    /** A connection ended: only the ids of incomplete QoS 2 publishes stay in use. */
    connectionEnded(incomplete: Iterable<number>, acknowledge: AcknowledgementWriter): void {
        this.received.connectionEnded(acknowledge);
        for (const id of incomplete) this.#unreleased.add(id);
        this.ids.freeAll();
        for (const id of this.#unreleased) this.ids.register(id);
    }

    /** The ids to release at the server now that the session goes on. */
    get unreleased(): Iterable<number> {
        return this.#unreleased;
    }

    /** The server has let go of an id of a QoS 2 publish. */
    completed(id: number): void {
        if (this.#unreleased.delete(id)) this.ids.deallocate(id);
    }
}

const highestId = 65_535;

/**
 * Hands out MQTT packet ids in turn, never one that is in use: an acknowledgement that the platform withholds may keep its
 * id for hours, while the others go round within a minute. (MQTT.js' default gives out the same id again.)
 */
export class MessageIds {
    readonly #used = new Uint8Array(highestId + 1);
    #last: number;
    #usedCount = 0;

    /** @param random a number from 0 to below 1; a random start avoids ids that a server may remember from before a restart */
    constructor(random: () => number) {
        this.#last = Math.floor(random() * highestId);
    }

    /** A free id, or null when all are in use. */
    allocate(): number | null {
        if (this.#usedCount === highestId) return null;
        do {
            this.#last = this.#last >= highestId ? 1 : this.#last + 1;
        } while (this.#used[this.#last] === 1);
        this.register(this.#last);
        return this.#last;
    }

    getLastAllocated(): number | null {
        return this.#last === 0 ? null : this.#last;
    }

    /** Marks an id as used; false when it is already. */
    register(id: number): boolean {
        if (this.#used[id] === 1) return false;
        this.#used[id] = 1;
        this.#usedCount++;
        return true;
    }

    deallocate(id: number): void {
        if (this.#used[id] !== 1) return;
        this.#used[id] = 0;
        this.#usedCount--;
    }

    /** MQTT.js calls this on each connection; ids live longer than that here, `freeAll` is what frees them. */
    clear(): void {}

    /** Frees every id. */
    freeAll(): void {
        this.#used.fill(0);
        this.#usedCount = 0;
    }
}
