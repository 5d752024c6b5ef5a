import type { Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type Packet, type Parser, parser, writeToStream } from "mqtt-packet";
import type { Timers } from "../timers";

/** One client's connection as a sequence of MQTT packets. Malformed input closes this connection and affects no other. */
export class PacketStream {
    readonly #socket: ClientStream;
    readonly #parser: Parser = parser();
    readonly #guard: FramingGuard;
    readonly #listener: PacketStreamListener;
    readonly #timers: Timers;
    /** When the last bytes came in, in milliseconds of the monotonic clock. */
    #lastReceivedMs: number;
    #ended = false;
    #muted = false;
    #paused = false;
    /** Packets that arrived in one chunk with the packet at which reading was paused. */
    #unread: Packet[] = [];

    constructor(socket: ClientStream, maxPacketBytes: number, listener: PacketStreamListener, timers: Timers) {
        this.#socket = socket;
        this.#guard = new FramingGuard(maxPacketBytes);
        this.#listener = listener;
        this.#timers = timers;
        this.#lastReceivedMs = timers.monotonicMs();
        socket.setNoDelay?.(true);
        this.#parser.on("packet", (packet) => this.#take(packet));
        this.#parser.on("error", () => this.#malformed());
        socket.on("data", (chunk) => this.#read(typeof chunk === "string" ? Buffer.from(chunk) : chunk));
        socket.on("drain", () => listener.onDrain());
        // A reset or a broken pipe is followed by "close", which ends the stream.
        socket.on("error", () => undefined);
        socket.on("close", () => {
            this.#ended = true;
            listener.onClose();
        });
    }

    /** The address of the other side, for logs and monitoring messages. */
    get remoteAddress(): string {
        return this.#socket.remoteAddress ?? "";
    }

    /** Whether the connection takes more without buffering it. */
    get writable(): boolean {
        return !this.#ended && !this.#muted && !this.#socket.writableNeedDrain;
    }

    /** For how long nothing has come in. */
    get silentMs(): number {
        return this.#timers.monotonicMs() - this.#lastReceivedMs;
    }

    /** Sends a packet; does nothing on a closed stream. */
    send(packet: Packet): void {
        if (!this.#ended && !this.#muted) writeToStream(packet, this.#socket);
    }

    /** Sends bytes that no MQTT library would. */
    sendRaw(bytes: Buffer): void {
        if (!this.#ended && !this.#muted) this.#socket.write(bytes);
    }

    /** Discards everything that comes in from now on, and sends nothing. */
    mute(): void {
        this.#muted = true;
    }

    /** Stops reading at once, even in the middle of a chunk: back-pressure on the client. */
    pause(): void {
        this.#paused = true;
        this.#socket.pause();
    }

    /** Continues where `pause` stopped. */
    resume(): void {
        this.#paused = false;
        const unread = this.#unread;
        this.#unread = [];
        for (const packet of unread) this.#take(packet);
        if (!this.#paused) this.#socket.resume();
    }

    /** Sends what is buffered, then closes. */
    end(): void {
        if (this.#ended) return;
        this.#ended = true;
        this.#socket.end(() => this.#socket.destroy());
    }

    /** Closes at once. */
    destroy(): void {
        this.#ended = true;
        this.#socket.destroy();
    }

    #read(chunk: Buffer): void {
        if (this.#ended) return;
        this.#lastReceivedMs = this.#timers.monotonicMs();
        if (this.#muted) return;
        if (!this.#guard.accepts(chunk)) {
            this.#malformed();
            return;
        }
        try {
            this.#parser.parse(chunk);
        } catch {
            this.#malformed();
        }
    }

    #take(packet: Packet): void {
        if (this.#paused) this.#unread.push(packet);
        else if (!this.#ended && !this.#muted) this.#listener.onPacket(packet);
    }

    #malformed(): void {
        if (this.#ended) return;
        this.destroy();
        this.#listener.onMalformed();
    }
}

/** A socket, or any other stream of bytes in both directions. */
export type ClientStream = Duplex & Partial<Pick<Socket, "setNoDelay" | "remoteAddress">>;

/** The owner of a packet stream. */
export interface PacketStreamListener {
    onPacket(packet: Packet): void;
    /** The client sent invalid MQTT or announced too large a packet. The stream is closed already. */
    onMalformed(): void;
    /** The connection ended on either side. Called once, last. */
    onClose(): void;
    /** The connection takes data again. */
    onDrain(): void;
}

/**
 * Follows the MQTT framing over arbitrary chunks. It detects a packet that is too large by its announced length, before any of
 * it has to be buffered, and keeps only a few bytes of state.
 */
class FramingGuard {
    readonly #maxPacketBytes: number;
    #inHeader = true;
    #lengthBytes = 0;
    #length = 0;
    #missing = 0;

    constructor(maxPacketBytes: number) {
        this.#maxPacketBytes = maxPacketBytes;
    }

    /** Whether every length announced up to the end of this chunk is legal. */
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
