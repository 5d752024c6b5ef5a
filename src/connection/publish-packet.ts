import type { Qos } from "../protocol/qos";

const publish = 0x30;
const lengthBytes = 2;
const idBytes = 2;
const maxHeaderBytes = 5;
/** The most that one UTF-16 unit takes in UTF-8. */
const maxUnitBytes = 3;
const valueMask = 0x7f;
const continuationBit = 0x80;

/** A PUBLISH of MQTT 3.1.1, as it is encoded: in one pass, into a buffer that is there already. */
export class PublishPacket {
    readonly #topic: string;
    readonly #payload: string | Buffer;
    readonly #qos: Qos;
    readonly #packetId: number;

    /** @param packetId is not used with QoS 0 */
    constructor(topic: string, payload: string | Buffer, qos: Qos, packetId: number) {
        this.#topic = topic;
        this.#payload = payload;
        this.#qos = qos;
        this.#packetId = packetId;
    }

    /** It takes no more: cheaper to know than the size. */
    get maxBytes(): number {
        const payloadBytes = typeof this.#payload === "string" ? this.#payload.length * maxUnitBytes : this.#payload.length;
        return maxHeaderBytes + lengthBytes + this.#topic.length * maxUnitBytes + idBytes + payloadBytes;
    }

    /** Writes the packet from an index on, where there is room for `maxBytes`; returns the index after it. */
    encode(target: Buffer, start: number): number {
        const topicBytes = Buffer.byteLength(this.#topic);
        return this.#encode(target, start, topicBytes, this.#remainingLength(topicBytes));
    }

    /** The packet in a buffer of its own: for a large one, of which `maxBytes` would be far too much. */
    encoded(): Buffer {
        const topicBytes = Buffer.byteLength(this.#topic);
        const remainingLength = this.#remainingLength(topicBytes);
        const target = Buffer.allocUnsafe(maxHeaderBytes + remainingLength);
        return target.subarray(0, this.#encode(target, 0, topicBytes, remainingLength));
    }

    #encode(target: Buffer, start: number, topicBytes: number, remainingLength: number): number {
        let at = start;
        target[at++] = publish | (this.#qos << 1);
        let rest = remainingLength;
        while (rest > valueMask) {
            target[at++] = (rest & valueMask) | continuationBit;
            rest >>= 7;
        }
        target[at++] = rest;
        target[at++] = topicBytes >> 8;
        target[at++] = topicBytes & 0xff;
        at += target.write(this.#topic, at);
        if (this.#qos !== 0) {
            target[at++] = this.#packetId >> 8;
            target[at++] = this.#packetId & 0xff;
        }
        if (typeof this.#payload === "string") return at + target.write(this.#payload, at);
        return at + this.#payload.copy(target, at);
    }

    #remainingLength(topicBytes: number): number {
        return lengthBytes + topicBytes + (this.#qos === 0 ? 0 : idBytes) + Buffer.byteLength(this.#payload);
    }
}
