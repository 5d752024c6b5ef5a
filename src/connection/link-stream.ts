import { Duplex } from "node:stream";
import { BatchingWriter } from "./batching-writer";
import { type FramingEvents, FramingFilter } from "./framing-filter";
import type { LinkListener, LinkTraffic } from "./link";
import type { PublishPacket } from "./publish-packet";

/**
 * The stream between MQTT.js and the socket: on the way in the framing filter, on the way out the batching writer, with
 * back-pressure both ways. It closes when the socket closes, and destroying it destroys the socket.
 */
export class LinkStream extends Duplex implements LinkTraffic {
    readonly #socket: Duplex;
    readonly #filter: FramingFilter;
    readonly #writer: BatchingWriter;
    #receivedBytes = 0;
    #ended = false;

    /**
     * An error of the socket becomes an `error` of this stream, before it closes.
     * @param listener called for each stray ping that the filter takes out
     */
    constructor(socket: Duplex, listener: Pick<LinkListener, "strayPing">, events: FramingEvents) {
        super({ allowHalfOpen: false, emitClose: true });
        this.#socket = socket;
        this.#filter = new FramingFilter(listener, events);
        this.#writer = new BatchingWriter(socket, () => this.emit("drain"));
        socket.on("data", (chunk: Buffer) => this.#receive(chunk));
        socket.on("end", () => this.#finishReading());
        socket.on("error", (error) => this.destroy(error));
        socket.on("close", () => this.#socketClosed());
    }

    get receivedBytes(): number {
        return this.#receivedBytes;
    }

    get incomingPacket(): number {
        return this.#filter.incomingPacket;
    }

    get sentBytes(): number {
        return this.#writer.writtenBytes;
    }

    /** Writes a packet of our own. False asks the caller to wait for `drain`. */
    writePacket(packet: PublishPacket): boolean {
        return !this.destroyed && !this.writableEnded && this.#writer.writePacket(packet);
    }

    /** Bypasses the machinery of `Writable`, which costs more than to write a small packet. */
    override write(chunk: string | Uint8Array, encodingOrCallback?: BufferEncoding | WriteCallback, callback?: WriteCallback): boolean {
        if (this.destroyed || this.writableEnded) return false;
        const encoding = typeof encodingOrCallback === "string" ? encodingOrCallback : undefined;
        const more = this.#writer.write(chunk, encoding);
        const written = typeof encodingOrCallback === "function" ? encodingOrCallback : callback;
        if (written) process.nextTick(written);
        return more;
    }

    /** Nothing to do: the writer batches anyway, and MQTT.js corks and uncorks for each packet. */
    override cork(): void {}

    override uncork(): void {}

    override _read(): void {
        this.#socket.resume();
    }

    override _final(done: (error?: Error | null) => void): void {
        if (this.#socket.destroyed) done();
        else this.#writer.whenEmpty(() => this.#socket.end(() => done()));
    }

    override _destroy(error: Error | null, done: (error: Error | null) => void): void {
        this.#writer.dispose();
        this.#socket.destroy();
        done(error);
    }

    #receive(chunk: Buffer): void {
        this.#receivedBytes += chunk.length;
        const rest = this.#filter.push(chunk);
        if (rest.length > 0 && !this.push(rest)) this.#socket.pause();
    }

    #socketClosed(): void {
        // There may be packets in our buffer that MQTT.js has not read yet: the CONNACK that says why, for one.
        if (this.#ended && !this.readableEnded) this.once("end", () => this.destroy());
        else this.destroy();
    }

    #finishReading(): void {
        this.#ended = true;
        this.push(null);
    }
}

type WriteCallback = (error?: Error | null) => void;
