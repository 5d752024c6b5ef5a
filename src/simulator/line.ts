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

    constructor(socket: Socket, maxPacketBytes: number, listener: LineListener) {
        this.#socket = socket;
        this.#guard = new FramingGuard(maxPacketBytes);
        this.#listener = listener;
        socket.setNoDelay(true);
        this.#parser.on("packet", (packet) => this.#whileOpen(() => listener.onPacket(packet)));
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
        return !this.#ended && !this.#socket.writableNeedDrain;
    }

    /** Whether the client is being read. */
    get reading(): boolean {
        return !this.#socket.isPaused();
    }

    /** Sends a packet; does nothing on a closed line. */
    send(packet: Packet): void {
        if (!this.#ended) writeToStream(packet, this.#socket);
    }

    /** Sends bytes that no MQTT library would. */
    sendRaw(bytes: Buffer): void {
        if (!this.#ended) this.#socket.write(bytes);
    }

    /** Stops reading the client: back-pressure on its side. */
    pause(): void {
        this.#socket.pause();
    }

    resume(): void {
        this.#socket.resume();
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

    #whileOpen(action: () => void): void {
        if (!this.#ended) action();
    }

    #malformed(reason: string): void {
        if (this.#ended) return;
        this.destroy();
        this.#listener.onMalformed(reason);
    }
}
