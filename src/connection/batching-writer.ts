import type { Writable } from "node:stream";
import type { PublishPacket } from "./publish-packet";

const batchBytes = 16_384;
/** From here on the writer asks for a pause; enough to keep any link busy, small enough to notice that it is not. */
const highWaterBytes = 65_536;

/** How many turns of the event loop a busy sender may add to a batch: well below a millisecond. */
const maxTurns = 16;

/**
 * Collects many small writes, one for each packet, into few buffers: those of one turn of the event loop, and
 * of the turns that follow as long as each of them adds something, since Node-RED delivers each message in a turn of its own.
 * That halves the CPU time of a publish (measured: from 20 to 10 µs when each has its turn, most of it system calls).
 * Hands the buffers to the socket one at a time, so that progress on a slow link can be seen.
 */
export class BatchingWriter {
    readonly #target: Writable;
    readonly #drained: () => void;
    readonly #queue: Batch[] = [];
    #filling: Buffer = Buffer.allocUnsafe(batchBytes);
    #filled = 0;
    #spare: Buffer | undefined;
    #turn: NodeJS.Immediate | undefined;
    #turns = 0;
    #bytesAtLastTurn = 0;
    #writing = false;
    #waitingBytes = 0;
    #writtenBytes = 0;
    #askedToPause = false;
    #whenEmpty: (() => void) | undefined;

    /** @param drained called when writing may go on after `write` returned false */
    constructor(target: Writable, drained: () => void) {
        this.#target = target;
        this.#drained = drained;
    }

    /** Bytes accepted and not yet taken by the socket. */
    get waitingBytes(): number {
        return this.#waitingBytes;
    }

    /** Bytes the socket has taken since the start. */
    get writtenBytes(): number {
        return this.#writtenBytes;
    }

    /** Takes a chunk; false asks the caller to wait for `drained`. The bytes of small chunks are copied at once. */
    write(chunk: string | Uint8Array, encoding: BufferEncoding = "utf8"): boolean {
        if (typeof chunk === "string") this.#append(chunk, encoding);
        else this.#appendBytes(chunk);
        return this.#taken();
    }

    /** The same for a packet, which is encoded where it is written from. */
    writePacket(packet: PublishPacket): boolean {
        const { maxBytes } = packet;
        if (maxBytes > batchBytes) this.#appendBytes(packet.encoded());
        else {
            if (maxBytes > batchBytes - this.#filled) this.#seal();
            const end = packet.encode(this.#filling, this.#filled);
            this.#waitingBytes += end - this.#filled;
            this.#filled = end;
        }
        return this.#taken();
    }

    /** Something was taken: it goes out with the turn. Returns whether more may be written. */
    #taken(): boolean {
        if (!this.#turn && !this.#writing) this.#turn = setImmediate(this.#endTurn);
        if (this.#waitingBytes >= highWaterBytes) this.#askedToPause = true;
        return !this.#askedToPause;
    }

    /** Writes the waiting bytes now, without waiting for the end of the turn. */
    flush(): void {
        clearImmediate(this.#turn);
        this.#turn = undefined;
        this.#turns = 0;
        this.#bytesAtLastTurn = 0;
        if (this.#writing) return;
        if (this.#queue.length === 0) this.#seal();
        const batch = this.#queue.shift();
        if (!batch) {
            this.#settle();
            return;
        }
        this.#writing = true;
        this.#target.write(batch.bytes, (error) => this.#written(batch, error));
    }

    /** Calls back once everything accepted so far is with the socket; at once when that is the case. */
    whenEmpty(action: () => void): void {
        this.#whenEmpty = action;
        this.flush();
    }

    /** Discards the waiting bytes. */
    dispose(): void {
        clearImmediate(this.#turn);
        this.#queue.length = 0;
        this.#filled = 0;
        this.#whenEmpty = undefined;
    }

    readonly #endTurn = (): void => {
        const isBusy = this.#waitingBytes > this.#bytesAtLastTurn && this.#queue.length === 0;
        if (isBusy && this.#turns < maxTurns) {
            this.#turns++;
            this.#bytesAtLastTurn = this.#waitingBytes;
            this.#turn = setImmediate(this.#endTurn);
        } else this.flush();
    };

    #append(text: string, encoding: BufferEncoding): void {
        // Three bytes are the most that one UTF-16 unit takes in UTF-8: cheaper than measuring each of the short strings.
        if (text.length * 3 > batchBytes - this.#filled) {
            this.#appendBytes(Buffer.from(text, encoding));
            return;
        }
        const written = this.#filling.write(text, this.#filled, encoding);
        this.#filled += written;
        this.#waitingBytes += written;
    }

    #appendBytes(bytes: Uint8Array): void {
        this.#waitingBytes += bytes.length;
        if (bytes.length > batchBytes - this.#filled) this.#seal();
        if (bytes.length > batchBytes) {
            const whole = Buffer.from(bytes.buffer, bytes.byteOffset, bytes.length);
            for (let at = 0; at < whole.length; at += batchBytes) {
                this.#queue.push({ bytes: whole.subarray(at, at + batchBytes) });
            }
            return;
        }
        this.#filling.set(bytes, this.#filled);
        this.#filled += bytes.length;
    }

    #seal(): void {
        if (this.#filled === 0) return;
        this.#queue.push({ bytes: this.#filling.subarray(0, this.#filled), reusable: this.#filling });
        this.#filling = this.#spare ?? Buffer.allocUnsafe(batchBytes);
        this.#spare = undefined;
        this.#filled = 0;
    }

    #written(batch: Batch, error: Error | null | undefined): void {
        this.#writing = false;
        // The socket reports the error itself, with its own event; nothing more can be written.
        if (error) return;
        this.#waitingBytes -= batch.bytes.length;
        this.#writtenBytes += batch.bytes.length;
        if (batch.reusable) this.#spare = batch.reusable;
        this.flush();
    }

    #settle(): void {
        if (this.#askedToPause) {
            this.#askedToPause = false;
            this.#drained();
        }
        const whenEmpty = this.#whenEmpty;
        this.#whenEmpty = undefined;
        whenEmpty?.();
    }
}

interface Batch {
    readonly bytes: Buffer;
    /** The buffer to use again once the socket has taken the bytes. */
    readonly reusable?: Buffer;
}
