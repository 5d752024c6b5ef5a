import { translate } from "../i18n";
import type { LinkListener } from "./link";

const pingResponse = 0xd0;
const typeMask = 0xf0;
const valueMask = 0x7f;
const continuationBit = 0x80;
const maxLengthBytes = 4;
/** Far more than any command takes, and little enough to be held in memory while it comes in. */
export const maxPacketBytes = 16 * 1024 * 1024;

/**
 * Follows the framing of the packets a server sends and takes out its stray pings: `DE 00`, a ping response with reserved
 * flags, which the platform sends when it drops a registration attempt. MQTT.js would throw away the rest of the chunk with it.
 * Everything else passes byte for byte, in order, whatever the chunk boundaries; a packet of more than 16 MiB does not.
 */
export class FramingFilter {
    readonly #listener: Pick<LinkListener, "strayPing">;
    readonly #violated: (detail: string) => void;
    #place: "header" | "length" | "body" | "lost" = "header";
    #bodyLeft = 0;
    #lengthBytes = 0;
    /** The first byte of what may become a stray ping, kept back until the next byte decides. */
    #heldBack: number | undefined;

    /**
     * @param listener called once for each stray ping taken out
     * @param violated called when the server breaks the framing, with a sentence on what it sent; nothing passes any more
     */
    constructor(listener: Pick<LinkListener, "strayPing">, violated: (detail: string) => void) {
        this.#listener = listener;
        this.#violated = violated;
    }

    /** What of the chunk (and of a byte kept back before) may go on; the same buffer when nothing had to be taken out. */
    push(chunk: Buffer): Buffer {
        if (chunk.length === 0) return chunk;
        if (this.#heldBack === undefined) return this.#scan(chunk, 0);
        const heldBack = this.#heldBack;
        this.#heldBack = undefined;
        if (chunk[0] === 0) {
            this.#listener.strayPing();
            return this.#scan(chunk, 1);
        }
        this.#startPacket();
        return Buffer.concat([Buffer.of(heldBack), this.#scan(chunk, 0)]);
    }

    #scan(chunk: Buffer, start: number): Buffer {
        const kept: Buffer[] = [];
        let keptFrom = start;
        let at = start;
        while (at < chunk.length) {
            if (this.#place === "lost") return Buffer.alloc(0);
            if (this.#place === "body") {
                at += this.#skipBody(chunk.length - at);
                continue;
            }
            const byte = chunk[at] ?? 0;
            if (this.#place === "header" && isMalformedPingResponse(byte)) {
                if (chunk[at + 1] === 0) {
                    kept.push(chunk.subarray(keptFrom, at));
                    at += 2;
                    keptFrom = at;
                    this.#listener.strayPing();
                    continue;
                }
                if (at + 1 === chunk.length) {
                    this.#heldBack = byte;
                    kept.push(chunk.subarray(keptFrom, at));
                    return joined(kept);
                }
            }
            if (this.#place === "header") this.#startPacket();
            else this.#readLength(byte);
            at++;
        }
        if (keptFrom === 0) return chunk;
        kept.push(chunk.subarray(keptFrom));
        return joined(kept);
    }

    #startPacket(): void {
        this.#place = "length";
        this.#bodyLeft = 0;
        this.#lengthBytes = 0;
    }

    #readLength(byte: number): void {
        this.#bodyLeft += (byte & valueMask) << (7 * this.#lengthBytes);
        this.#lengthBytes++;
        if ((byte & continuationBit) !== 0) {
            if (this.#lengthBytes === maxLengthBytes) this.#lose(translate("connection.longLength"));
        } else if (this.#bodyLeft > maxPacketBytes) {
            this.#lose(translate("connection.largePacket", { bytes: this.#bodyLeft, limit: maxPacketBytes }));
        } else {
            this.#place = this.#bodyLeft === 0 ? "header" : "body";
        }
    }

    #lose(detail: string): void {
        this.#place = "lost";
        this.#violated(detail);
    }

    #skipBody(available: number): number {
        const skipped = Math.min(this.#bodyLeft, available);
        this.#bodyLeft -= skipped;
        if (this.#bodyLeft === 0) this.#place = "header";
        return skipped;
    }
}

function isMalformedPingResponse(byte: number): boolean {
    return (byte & typeMask) === pingResponse && byte !== pingResponse;
}

function joined(pieces: Buffer[]): Buffer {
    const [only] = pieces;
    return pieces.length === 1 && only ? only : Buffer.concat(pieces);
}
