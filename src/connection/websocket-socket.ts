import { Duplex } from "node:stream";
import { WebSocketFrames } from "./websocket-frames";

/** A socket below a websocket, on which large messages come in parts. */
export class WebSocketSocket extends Duplex {
    readonly #socket: Duplex;
    readonly #frames = new WebSocketFrames();

    constructor(socket: Duplex) {
        super({ allowHalfOpen: true });
        this.#socket = socket;
        socket.on("data", (chunk: Buffer) => {
            const passed = this.#frames.push(chunk);
            if (passed.length > 0 && !this.push(passed)) socket.pause();
        });
        socket.on("end", () => this.push(null));
        socket.on("error", (error) => this.destroy(error));
        socket.on("close", () => this.destroy());
        socket.pause();
    }

    override _read(): void {
        this.#socket.resume();
    }

    override _write(chunk: Buffer, _encoding: BufferEncoding, done: (error?: Error | null) => void): void {
        this.#socket.write(chunk, done);
    }

    override _writev(chunks: readonly { readonly chunk: Buffer }[], done: (error?: Error | null) => void): void {
        this.#socket.write(Buffer.concat(chunks.map(({ chunk }) => chunk)), done);
    }

    override _final(done: (error?: Error | null) => void): void {
        this.#socket.end(() => done());
    }

    override _destroy(error: Error | null, done: (error?: Error | null) => void): void {
        this.#socket.destroy();
        done(error);
    }
}
