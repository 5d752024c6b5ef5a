const headerEnd = Buffer.from("\r\n\r\n");
const upgraded = /^HTTP\/1\.1 101 /;
const finalBit = 0x80;
const reservedBits = 0x70;
const opcodeBits = 0x0f;
const maskBit = 0x80;
const continuation = 0;
const binary = 2;
const firstControl = 8;
const wholeBinary = finalBit | binary;
/** The values of the first byte of a length that stand for a longer one behind them. */
const twoBytesFollow = 126;
const eightBytesFollow = 127;
/** The response that agrees to a websocket is much shorter. */
const maxResponseBytes = 65_536;

/**
 * Follows what a server sends on a websocket, and makes each part of a binary message that comes in a message of its own. MQTT is a stream
 * of bytes on it, whatever the messages, and a library that collects each of them would have to hold the largest in memory. Everything
 * else passes byte for byte: the response to the request, text, control frames, and what breaks the rules.
 */
export class WebSocketFrames {
    #place: "response" | "header" | "body" | "parts" | "plain" = "response";
    /** The response, or the header of a frame, as far as it is here. */
    #head = Buffer.alloc(0);
    #bodyLeft = 0;
    #isInBinary = false;

    /** What goes on in place of the chunk. */
    push(chunk: Buffer): Buffer {
        const passed: Buffer[] = [];
        let rest = chunk;
        while (rest.length > 0) {
            const taken = this.#take(rest, passed);
            rest = rest.subarray(taken);
        }
        return passed.length === 1 && passed[0] ? passed[0] : Buffer.concat(passed);
    }

    /** Handles the beginning of what has come in; returns how many bytes. */
    #take(rest: Buffer, passed: Buffer[]): number {
        switch (this.#place) {
            case "response":
                return this.#takeResponse(rest, passed);
            case "header":
                return this.#takeHeader(rest, passed);
            case "plain":
                passed.push(rest);
                return rest.length;
            default: {
                const part = rest.subarray(0, this.#bodyLeft);
                if (this.#place === "parts") passed.push(headerOf(part.length));
                passed.push(part);
                this.#bodyLeft -= part.length;
                if (this.#bodyLeft === 0) this.#place = "header";
                return part.length;
            }
        }
    }

    #takeResponse(rest: Buffer, passed: Buffer[]): number {
        const before = this.#head.length;
        const head = Buffer.concat([this.#head, rest]);
        const end = head.indexOf(headerEnd, Math.max(before - headerEnd.length, 0));
        const taken = end < 0 ? rest.length : end + headerEnd.length - before;
        passed.push(rest.subarray(0, taken));
        if (end < 0 && head.length <= maxResponseBytes) {
            this.#head = head;
        } else {
            this.#place = end >= 0 && upgraded.test(head.toString("latin1", 0, 16)) ? "header" : "plain";
            this.#head = Buffer.alloc(0);
        }
        return taken;
    }

    #takeHeader(rest: Buffer, passed: Buffer[]): number {
        const before = this.#head.length;
        const head = Buffer.concat([this.#head, rest.subarray(0, headerBytes(this.#head) - before)]);
        const taken = head.length - before;
        this.#head = head;
        if (head.length < headerBytes(head)) return taken;
        this.#head = Buffer.alloc(0);
        this.#startFrame(head, passed);
        return taken;
    }

    #startFrame(head: Buffer, passed: Buffer[]): void {
        const [first = 0, second = 0] = head;
        const opcode = first & opcodeBits;
        this.#bodyLeft = bodyBytes(head);
        if ((first & reservedBits) !== 0 || (second & maskBit) !== 0 || !Number.isSafeInteger(this.#bodyLeft)) {
            passed.push(head);
            this.#place = "plain";
            return;
        }
        const isBinary = opcode === binary || (opcode === continuation && this.#isInBinary);
        if (opcode < firstControl) this.#isInBinary = isBinary && (first & finalBit) === 0;
        if (!isBinary) passed.push(head);
        if (this.#bodyLeft > 0) this.#place = isBinary ? "parts" : "body";
    }
}

/** The size of the header of a frame, as far as what is here shows it. */
function headerBytes(head: Buffer): number {
    const length = (head[1] ?? 0) & ~maskBit;
    if (head.length < 2) return 2;
    return length === eightBytesFollow ? 10 : length === twoBytesFollow ? 4 : 2;
}

function bodyBytes(head: Buffer): number {
    if (head.length === 10) return Number(head.readBigUInt64BE(2));
    return head.length === 4 ? head.readUInt16BE(2) : (head[1] ?? 0) & ~maskBit;
}

/** The header of a binary message in one frame. */
function headerOf(bytes: number): Buffer {
    if (bytes < twoBytesFollow) return Buffer.of(wholeBinary, bytes);
    if (bytes <= 0xffff) return Buffer.of(wholeBinary, twoBytesFollow, bytes >> 8, bytes & 0xff);
    const header = Buffer.alloc(10);
    header[0] = wholeBinary;
    header[1] = eightBytesFollow;
    header.writeBigUInt64BE(BigInt(bytes), 2);
    return header;
}
