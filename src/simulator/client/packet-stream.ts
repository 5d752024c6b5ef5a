import type { Socket } from "node:net";
import { type Packet, type Parser, parser, writeToStream } from "mqtt-packet";
import { FramingGuard } from "./framing-guard";

/** What the owner of a line hears. */
export interface LineListener {
    onPacket(packet: Packet): void;
    /** The client sent what is not MQTT or announced too large a packet; the line is closed already. */
    onMalformed(reason: string): void;
    /** The connection ended, whoever ended it. Called once, last. */
    onClose(): void;
    /** The connection takes data again. */
    onDrain(): void;
}

/** One client's connection as a sequence of MQTT packets. Whatever arrives, only this connection can suffer. */
export class Line {
    readonly #socket: Socket;
    readonly #parser: Parser = parser();
    readonly #guard: FramingGuard;
    readonly #listener: LineListener;
    /** When the last bytes came in, in milliseconds of the monotonic clock. */
    lastReceivedMs = performance.now();
    #ended = false;
    #muted = false;
    #paused = false;
    /** Packets that had come in with others when the line was paused. */
    #held: Packet[] = [];

    constructor(socket: Socket, maxPacketBytes: number, listener: LineListener) {
        this.#socket = socket;
        this.#guard = new FramingGuard(maxPacketBytes);
        this.#listener = listener;
        socket.setNoDelay(true);
        this.#parser.on("packet", (packet) => this.#take(packet));
        this.#parser.on("error", (error: unknown) => this.#malformed(error instanceof Error ? error.message : "malformed packet"));
        socket.on("data", (chunk) => this.#read(typeof chunk === "string" ? Buffer.from(chunk) : chunk));
        socket.on("drain", () => listener.onDrain());
        // A reset or a broken pipe is followed by "close", which says all there is to say.
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

    /** Sends a packet; does nothing on a closed line. */
    send(packet: Packet): void {
        if (!this.#ended && !this.#muted) writeToStream(packet, this.#socket);
    }

    /** Sends bytes that no MQTT library would. */
    sendRaw(bytes: Buffer): void {
        if (!this.#ended && !this.#muted) this.#socket.write(bytes);
    }

    /** From now on everything that comes in is read and forgotten, and nothing goes out. */
    mute(): void {
        this.#muted = true;
    }

    /** Stops reading the client at once, in the middle of what has come in: back-pressure on its side. */
    pause(): void {
        this.#paused = true;
        this.#socket.pause();
    }

    /** Goes on where `pause` stopped. */
    resume(): void {
        this.#paused = false;
        const held = this.#held;
        this.#held = [];
        for (const packet of held) this.#take(packet);
        if (!this.#paused) this.#socket.resume();
    }

    /** Sends what is on its way, then closes. */
    end(): void {
        if (this.#ended) return;
        this.#ended = true;
        this.#socket.destroySoon();
    }

    /** Closes at once. */
    destroy(): void {
        this.#ended = true;
        this.#socket.destroy();
    }

    #read(chunk: Buffer): void {
        if (this.#ended) return;
        this.lastReceivedMs = performance.now();
        if (this.#muted) return;
        if (!this.#guard.accepts(chunk)) {
            this.#malformed("The length of the message is not correct");
            return;
        }
        try {
            this.#parser.parse(chunk);
        } catch (error) {
            this.#malformed(error instanceof Error ? error.message : "malformed packet");
        }
    }

    #take(packet: Packet): void {
        if (this.#paused) this.#held.push(packet);
        else if (!this.#ended && !this.#muted) this.#listener.onPacket(packet);
    }

    #malformed(reason: string): void {
        if (this.#ended) return;
        this.destroy();
        this.#listener.onMalformed(reason);
    }
}
