import { translate } from "../i18n";
import { type LinkListener, maxPacketBytes } from "./link";

const typeMask = 0xf0;
const publish = 0x30;
const publishAcknowledgement = 0x40;
const subscribeAcknowledgement = 0x90;
const pingResponse = 0xd0;
const qosMask = 0x06;
const valueMask = 0x7f;
const continuationBit = 0x80;
const refused = 0x80;
const idBytes = 2;
const maxHeaderBytes = 5;
/** Fixed header and packet id. */
const acknowledgementBytes = 4;

/**
 * Follows the framing of the packets that a server sends and corrects what MQTT.js cannot read. Everything else passes byte for byte, in
 * order, whatever the chunk boundaries.
 *
 * - A PUBACK is offered to the owner of the publish. One that the owner takes is taken out: it costs MQTT.js more than all the rest of a
 *   publish.
 * - A stray ping, `DE 00`, is taken out: a ping response with reserved flags, which the platform sends when it drops something for a
 *   device that it did not register. MQTT.js would throw away the rest of the chunk with it.
 * - A SUBACK code with the top bit set, as some brokers take from MQTT 5, becomes 0x80.
 * - A PUBLISH of more than 16 MiB is replaced by one with the same flags, topic and packet id and an empty payload. Its payload is dropped
 *   as it comes in. Any other packet of that size is a violation.
 */
export class FramingFilter {
    readonly #listener: Pick<LinkListener, "strayPing">;
    readonly #events: FramingEvents;
    #place: "header" | "body" | "codes" | "oversized" | "dropped" | "lost" = "header";
    /** The fixed header of the packet, or a whole PUBACK; complete except in the place `header`. */
    readonly #header = Buffer.alloc(maxHeaderBytes);
    #headerBytes = 0;
    #bodyLeft = 0;
    /** The topic and packet id of an oversized PUBLISH, as far as they are here. */
    #variableHeader = Buffer.alloc(0);
    #codesFrom = 0;
    #packets = 0;
    /** The packets that pass, the one that comes in included. */
    #passedPackets = 0;
    #publishes = 0;

    /** @param listener called once for each stray ping taken out */
    constructor(listener: Pick<LinkListener, "strayPing">, events: FramingEvents) {
        this.#listener = listener;
        this.#events = events;
    }

    /** The number of the packet of which a part has come in; 0 between two packets. */
    get incomingPacket(): number {
        return this.#place === "header" ? 0 : this.#packets;
    }

    /** The part of the chunk, and of a header kept back before, that may go on; the same buffer when nothing had to be changed. */
    push(chunk: Buffer): Buffer {
        const passed: Buffer[] = [];
        let runStart = 0;
        let at = 0;
        while (at < chunk.length) {
            switch (this.#place) {
                case "header": {
                    const keptBack = this.#headerBytes;
                    const start = at;
                    at += this.#readHeader(chunk, at);
                    const isComplete = this.#isHeaderComplete();
                    if (isComplete && this.#startPacket()) {
                        // The header began in an earlier chunk, so nothing of this one has passed yet.
                        if (keptBack > 0) passed.push(Buffer.from(this.#header.subarray(0, keptBack)));
                    } else {
                        if (start > runStart) passed.push(chunk.subarray(runStart, start));
                        runStart = at;
                    }
                    if (isComplete) this.#headerBytes = 0;
                    break;
                }
                case "body":
                    at += this.#skip(chunk.length - at);
                    break;
                case "codes":
                    at += this.#rewriteCode(chunk, at);
                    break;
                case "oversized":
                    at += this.#readVariableHeader(chunk, at, passed);
                    runStart = at;
                    break;
                case "dropped":
                    at += this.#skip(chunk.length - at);
                    runStart = at;
                    break;
                case "lost":
                    return Buffer.concat(passed);
            }
        }
        if (passed.length === 0) return runStart === 0 ? chunk : chunk.subarray(runStart);
        passed.push(chunk.subarray(runStart));
        return Buffer.concat(passed);
    }

    /** Reads bytes of the fixed header, as many as it has and are here. */
    #readHeader(chunk: Buffer, start: number): number {
        let at = start;
        while (at < chunk.length && !this.#isHeaderComplete()) {
            this.#header[this.#headerBytes] = chunk[at] ?? 0;
            this.#headerBytes += 1;
            at += 1;
        }
        return at - start;
    }

    #isHeaderComplete(): boolean {
        if (this.#isAcknowledgement) return this.#headerBytes === acknowledgementBytes;
        const last = this.#header[this.#headerBytes - 1] ?? 0;
        return this.#headerBytes === maxHeaderBytes || (this.#headerBytes > 1 && (last & continuationBit) === 0);
    }

    /** Whether it is a PUBACK as it should be: any other is for MQTT.js to judge. */
    get #isAcknowledgement(): boolean {
        return this.#headerBytes > 1 && this.#header[0] === publishAcknowledgement && this.#header[1] === idBytes;
    }

    /** Decides about a packet whose header is complete. Returns whether that goes on as it is. */
    #startPacket(): boolean {
        this.#packets += 1;
        if (this.#isAcknowledgement) {
            if (this.#events.acknowledged(this.#header.readUInt16BE(2), this.#passedPackets)) return false;
            this.#passedPackets += 1;
            return true;
        }
        const first = this.#header[0] ?? 0;
        const type = first & typeMask;
        this.#bodyLeft = this.#length();
        if (this.#bodyLeft < 0) return this.#lose(translate("connection.longLength"));
        if (this.#bodyLeft > maxPacketBytes && type !== publish) {
            return this.#lose(translate("connection.largePacket", { bytes: this.#bodyLeft, limit: maxPacketBytes }));
        }
        if (type === pingResponse && first !== pingResponse && this.#bodyLeft === 0) {
            this.#listener.strayPing();
            return false;
        }
        this.#passedPackets += 1;
        if (type === publish) this.#publishes += 1;
        if (this.#bodyLeft > maxPacketBytes) {
            this.#place = "oversized";
            this.#variableHeader = Buffer.alloc(0);
            return false;
        }
        if (type === subscribeAcknowledgement && this.#bodyLeft > 0) {
            this.#place = "codes";
            this.#codesFrom = this.#bodyLeft - idBytes;
        } else if (this.#bodyLeft > 0) this.#place = "body";
        return true;
    }

    /** The remaining length of the packet, or -1 when it does not end after four bytes. */
    #length(): number {
        let length = 0;
        for (let i = 1; i < this.#headerBytes; i++) {
            const byte = this.#header[i] ?? 0;
            length += (byte & valueMask) * 128 ** (i - 1);
            if ((byte & continuationBit) === 0) return length;
        }
        return -1;
    }

    #skip(available: number): number {
        const skipped = Math.min(this.#bodyLeft, available);
        this.#bodyLeft -= skipped;
        if (this.#bodyLeft === 0) this.#place = "header";
        return skipped;
    }

    #rewriteCode(chunk: Buffer, at: number): number {
        const isCode = this.#bodyLeft <= this.#codesFrom;
        if (isCode && ((chunk[at] ?? 0) & refused) !== 0) chunk[at] = refused;
        return this.#skip(1);
    }

    /** Collects topic and packet id of an oversized PUBLISH; once they are here, the packet without a payload goes on. */
    #readVariableHeader(chunk: Buffer, at: number, passed: Buffer[]): number {
        const wanted = this.#variableHeaderBytes() - this.#variableHeader.length;
        const part = chunk.subarray(at, at + wanted);
        this.#variableHeader = Buffer.concat([this.#variableHeader, part]);
        if (this.#variableHeader.length === this.#variableHeaderBytes()) this.#replacePacket(passed);
        return part.length;
    }

    /** The size of topic and packet id; as long as the length of the topic is not known, that of the length. */
    #variableHeaderBytes(): number {
        if (this.#variableHeader.length < 2) return 2;
        const hasId = ((this.#header[0] ?? 0) & qosMask) !== 0;
        return 2 + this.#variableHeader.readUInt16BE(0) + (hasId ? idBytes : 0);
    }

    #replacePacket(passed: Buffer[]): void {
        passed.push(Buffer.of(this.#header[0] ?? 0), encodedLength(this.#variableHeader.length), this.#variableHeader);
        this.#events.oversized(this.#publishes, this.#bodyLeft);
        this.#bodyLeft -= this.#variableHeader.length;
        this.#place = "dropped";
    }

    #lose(detail: string): false {
        this.#place = "lost";
        this.#events.violated(detail);
        return false;
    }
}

/** What the filter finds. */
export interface FramingEvents {
    /** The server broke the framing; `detail` says how, in a sentence. Nothing passes any more. */
    violated(detail: string): void;
    /**
     * A PUBACK came in. Returns whether it is taken out.
     * @param preceding how many packets passed before it
     */
    acknowledged(packetId: number, preceding: number): boolean;
    /**
     * A PUBLISH was too large and goes on without its payload.
     * @param publish its number among the PUBLISH packets of the connection, from 1
     * @param bytes its size, without the fixed header
     */
    oversized(publish: number, bytes: number): void;
}

function encodedLength(length: number): Buffer {
    const bytes: number[] = [];
    let rest = length;
    do {
        const byte = rest % 128;
        rest = Math.floor(rest / 128);
        bytes.push(rest > 0 ? byte | continuationBit : byte);
    } while (rest > 0);
    return Buffer.from(bytes);
}
