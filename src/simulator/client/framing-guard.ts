/**
 * Follows the MQTT framing over arbitrary chunks and says when a client announces a packet that it may not send, so that
 * nothing of it has to be collected first. It keeps a few bytes, whatever arrives.
 */
export class FramingGuard {
    readonly #maxPacketBytes: number;
    #inHeader = true;
    #lengthBytes = 0;
    #length = 0;
    #missing = 0;

    constructor(maxPacketBytes: number) {
        this.#maxPacketBytes = maxPacketBytes;
    }

    /** Whether everything announced up to the end of this chunk is legal. */
    accepts(chunk: Buffer): boolean {
        let position = 0;
        while (position < chunk.length) {
            if (this.#missing > 0) {
                const taken = Math.min(this.#missing, chunk.length - position);
                this.#missing -= taken;
                position += taken;
            } else if (this.#inHeader) {
                this.#inHeader = false;
                this.#lengthBytes = 0;
                this.#length = 0;
                position++;
            } else if (!this.#readLength(chunk[position++] ?? 0)) {
                return false;
            }
        }
        return true;
    }

    #readLength(byte: number): boolean {
        this.#length += (byte & 0x7f) * 128 ** this.#lengthBytes;
        this.#lengthBytes++;
        if ((byte & 0x80) !== 0) return this.#lengthBytes < 4;
        this.#inHeader = true;
        this.#missing = this.#length;
        return this.#length <= this.#maxPacketBytes;
    }
}
