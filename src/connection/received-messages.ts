import { createHash } from "node:crypto";
import type { Qos } from "../protocol/qos";

/**
 * The messages received with QoS 1 or 2 whose acknowledgement has not left: of one client id, over all its connections. They are accepted
 * late and in any order. Their acknowledgements (PUBACK or PUBREC) leave in the order in which they were received. [MQTT-4.6.0-2, -3]
 *
 * While the server keeps the session, it sends again what was not acknowledged. Such a copy has the DUP flag, the same packet id, topic and
 * payload. It belongs to the message that is known already, and is not handed over twice.
 *
 * QoS 2 follows method B of MQTT 3.1.1, figure 4.3: the id is noted with the PUBREC, and a copy of a noted id only draws another PUBREC.
 */
export class ReceivedMessages {
    /** What this connection has received, in order, from the oldest whose acknowledgement has not left. */
    #queue: Reception[] = [];
    /** Where the oldest stands in the queue: taking each from the front would cost time for all behind it. */
    #head = 0;
    /** Counts connections. */
    #connection = 0;
    #write: AcknowledgementWriter | undefined;
    /** By packet id, those of earlier connections of the session too. */
    readonly #unacknowledged = new Map<number, Reception>();
    /** QoS 2: sent PUBREC, not released yet. */
    readonly #notedIds = new Set<number>();

    /** How many wait for their acknowledgement to leave. */
    get size(): number {
        return this.#unacknowledged.size;
    }

    /**
     * A connection begins.
     * @param sessionPresent false: the server has forgotten everything of the earlier ones, and so does this
     * @param write sends an acknowledgement on this connection
     */
    connectionStarted(sessionPresent: boolean, write: AcknowledgementWriter): void {
        this.#forgetOrder();
        this.#connection += 1;
        this.#write = write;
        if (sessionPresent) return;
        this.#unacknowledged.clear();
        this.#notedIds.clear();
    }

    /** No acknowledgement leaves any more on the connection with this writer. */
    connectionEnded(write: AcknowledgementWriter): void {
        if (this.#write !== write) return;
        this.#write = undefined;
        this.#forgetOrder();
    }

    /** A message came. Returns it if it is to be handed over, and accepted later; undefined for a copy of one that was. */
    received(message: AcknowledgedMessage): Reception | undefined {
        const { packetId, qos, duplicate } = message;
        const known = duplicate ? this.#unacknowledged.get(packetId) : undefined;
        if (known?.isCopy(message)) {
            // Sent twice on one connection, it has its place already: two acknowledgements would be one for the next message of that id.
            if (known.connection !== this.#connection) this.#enqueue(known);
            this.#flush();
            return undefined;
        }
        const isNoted = qos === 2 && duplicate && this.#notedIds.has(packetId);
        const reception = new Reception(message);
        this.#unacknowledged.set(packetId, reception);
        this.#enqueue(reception);
        if (isNoted) {
            this.accepted(reception);
            return undefined;
        }
        this.#notedIds.delete(packetId);
        return reception;
    }

    /** The message was taken on: its acknowledgement leaves as soon as those of all earlier ones have. Once the session is lost, never. */
    accepted(reception: Reception): void {
        if (reception.isAccepted) return;
        reception.accept();
        this.#flush();
        // What waits behind another for long is only compared: up to 65 535 whole messages are too much to keep.
        if (this.#unacknowledged.get(reception.packetId) === reception) reception.forgetContent();
    }

    /** PUBREL: the server knows of the PUBREC, and may use the id for another message. */
    released(packetId: number): void {
        this.#notedIds.delete(packetId);
    }

    #forgetOrder(): void {
        this.#queue = [];
        this.#head = 0;
    }

    #enqueue(reception: Reception): void {
        reception.connection = this.#connection;
        this.#queue.push(reception);
    }

    #flush(): void {
        for (let next = this.#queue[this.#head]; next?.isAccepted && this.#write; next = this.#queue[this.#head]) {
            this.#head += 1;
            const { packetId, qos } = next;
            if (this.#unacknowledged.get(packetId) === next) this.#unacknowledged.delete(packetId);
            if (qos === 2) this.#notedIds.add(packetId);
            this.#write({ packetId, qos });
        }
        if (this.#head < this.#queue.length && this.#head < maxPassed) return;
        this.#queue.splice(0, this.#head);
        this.#head = 0;
    }
}

const maxPassed = 1024;

/** One message that was received and not acknowledged. */
export class Reception {
    readonly packetId: number;
    readonly qos: 1 | 2;
    /** The number of the connection on which its acknowledgement is to leave. */
    connection = 0;
    #isAccepted = false;
    /** The message, or what is left of it to be compared with. */
    #content: AcknowledgedMessage | string;

    constructor(message: AcknowledgedMessage) {
        this.packetId = message.packetId;
        this.qos = message.qos;
        this.#content = message;
    }

    get isAccepted(): boolean {
        return this.#isAccepted;
    }

    accept(): void {
        this.#isAccepted = true;
    }

    /** Keeps no more than what a copy can be recognised by. */
    forgetContent(): void {
        if (typeof this.#content !== "string") this.#content = digest(this.#content);
    }

    isCopy(other: AcknowledgedMessage): boolean {
        if (other.qos !== this.qos) return false;
        if (typeof this.#content === "string") return this.#content === digest(other);
        return this.#content.topic === other.topic && this.#content.payload.equals(other.payload);
    }
}

/** A message of QoS 1 or 2, as it came. */
export interface AcknowledgedMessage {
    readonly packetId: number;
    readonly qos: Exclude<Qos, 0>;
    /** The DUP flag. */
    readonly duplicate: boolean;
    readonly topic: string;
    readonly payload: Buffer;
}

/** QoS 1: PUBACK; QoS 2: PUBREC. */
interface Acknowledgement {
    readonly packetId: number;
    readonly qos: 1 | 2;
}

/** Sends an acknowledgement; stands for the connection that does. */
export type AcknowledgementWriter = (acknowledgement: Acknowledgement) => void;

function digest({ topic, payload }: AcknowledgedMessage): string {
    return createHash("sha256").update(topic).update("\0").update(payload).digest("base64");
}
