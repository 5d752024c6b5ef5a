import type { IPublishPacket, ISubscription, Packet, QoS } from "mqtt-packet";
import { matchesFilter } from "./broker-script";

/**
 * What a scripted broker knows of one client id: its subscriptions, the messages it has not acknowledged, and the ids of the
 * QoS 2 messages that it sent and has not released.
 */
export class BrokerSession {
    readonly clientId: string;
    readonly isDurable: boolean;
    readonly subscriptions = new Map<string, QoS>();
    readonly #outgoing = new Map<number, IPublishPacket | "released">();
    readonly #unreleased = new Set<number>();
    #lastId = 0;

    constructor(clientId: string, isDurable: boolean) {
        this.clientId = clientId;
        this.isDurable = isDurable;
    }

    /** How many messages the client has not completed. */
    get outstanding(): number {
        return this.#outgoing.size;
    }

    subscribe({ topic, qos }: ISubscription): void {
        this.subscriptions.set(topic, qos);
    }

    /** The highest QoS of the subscriptions that match; undefined when none does. */
    qosFor(topic: string): QoS | undefined {
        let highest: QoS | undefined;
        for (const [filter, qos] of this.subscriptions) {
            if (matchesFilter(topic, filter) && qos >= (highest ?? 0)) highest = qos;
        }
        return highest;
    }

    /** Gives the message an id and keeps it until the client has completed it; one of QoS 0 is not kept. */
    queue(message: IPublishPacket): IPublishPacket {
        if (message.qos === 0) return message;
        do this.#lastId = (this.#lastId % 65_535) + 1;
        while (this.#outgoing.has(this.#lastId));
        const packet = { ...message, messageId: this.#lastId };
        this.#outgoing.set(this.#lastId, packet);
        return packet;
    }

    /** What is sent on a new connection of the session, in order. */
    resent(): Packet[] {
        return [...this.#outgoing].map(([messageId, packet]) =>
            packet === "released" ? { cmd: "pubrel", messageId } : { ...packet, dup: true },
        );
    }

    /** The client acknowledged a message of QoS 1 or completed one of QoS 2. */
    completed(messageId: number): void {
        this.#outgoing.delete(messageId);
    }

    /** The client has received a message of QoS 2: it must not be sent again. Returns false when there is none under the id. */
    released(messageId: number): boolean {
        if (!this.#outgoing.has(messageId)) return false;
        this.#outgoing.set(messageId, "released");
        return true;
    }

    /** The client published a message of QoS 2. Returns whether it is new. */
    tookQos2(messageId: number): boolean {
        const isNew = !this.#unreleased.has(messageId);
        this.#unreleased.add(messageId);
        return isNew;
    }

    /** The client released the id. */
    forgetQos2(messageId: number): void {
        this.#unreleased.delete(messageId);
    }
}
