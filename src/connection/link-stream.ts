import { Duplex } from "node:stream";
import { BatchingWriter } from "./batching-writer";
import { FramingFilter } from "./framing-filter";

/** What has moved on a link so far, in bytes of MQTT. */
export interface LinkTraffic {
    /** Received from the server, stray pings included. */
    readonly receivedBytes: number;
    /** Taken by the operating system. */
    readonly sentBytes: number;
    /** Accepted, but not yet taken by the operating system. */
    readonly waitingBytes: number;
}

type WriteCallback = (error?: Error | null) => void;

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
     * @param strayPing called for each stray ping the filter takes out
     * @param violated called when the server breaks the framing of MQTT
     * @param failed called with the socket's error, if it has one, before the stream closes
     */
    constructor(socket: Duplex, strayPing: () => void, violated: (detail: string) => void, failed: (error: Error) => void) {
        super({ allowHalfOpen: false, emitClose: true });
        this.#socket = socket;
        this.#filter = new FramingFilter(strayPing, violated);
        this.#writer = new BatchingWriter(socket, () => this.emit("drain"));
        this.on("error", failed);
        socket.on("data", (chunk: Buffer) => this.#receive(chunk));
        socket.on("end", () => this.#finishReading());
        socket.on("error", (error) => this.destroy(error));
        socket.on("close", () => this.#socketClosed());
    }

    get receivedBytes(): number {
        return this.#receivedBytes;
    }

    get sentBytes(): number {
        return this.#writer.writtenBytes;
    }

    get waitingBytes(): number {
        return this.#writer.waitingBytes;
    }

    /** Bypasses the machinery of `Writable`, whose cost for six small writes a publish is more than all the rest. */
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
