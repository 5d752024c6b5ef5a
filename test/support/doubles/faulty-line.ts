import { once } from "node:events";
import { connect, createServer, type Server, type Socket } from "node:net";
import { portOf } from "../ports";

interface Pair {
    readonly client: Socket;
    readonly server: Socket;
}

const tickMs = 10;

/** Pauses of a line, as lost packets cause them: TCP waits for the second copy of one, and everything behind it waits too. */
export interface Stall {
    /** From 0 to 1: how many chunks are held up. */
    readonly share: number;
    readonly durationMs: number;
    /** A number from 0 to below 1. */
    readonly random: () => number;
}

/** A TCP line to a server on loopback that the test can spoil in every way lines get spoiled. */
export class FaultyLine {
    readonly #targetPort: number;
    readonly #pairs = new Set<Pair>();
    #server: Server | undefined;
    #swallows = false;
    #delayMs = 0;
    #stall: Stall | undefined;
    #bytesPerTick = Number.POSITIVE_INFINITY;
    /** Connections accepted so far. */
    accepted = 0;
    /** Bytes passed on towards the server. */
    passedBytes = 0;
    port = 0;

    private constructor(targetPort: number) {
        this.#targetPort = targetPort;
    }

    /** A line to a port of this machine, sound at first. */
    static async to(targetPort: number): Promise<FaultyLine> {
        const line = new FaultyLine(targetPort);
        await line.accept();
        return line;
    }

    /** Connections that are open at the moment. */
    get open(): number {
        return this.#pairs.size;
    }

    /** Accepts connections (again). */
    async accept(): Promise<void> {
        const server = createServer({ noDelay: true }, (client) => this.#join(client));
        this.#server = server.listen(this.port, "127.0.0.1");
        await once(server, "listening");
        this.port = portOf(server);
    }

    /** Refuses new connections; those that are open stay. */
    refuse(): void {
        this.#server?.close();
        this.#server = undefined;
    }

    /** Resets every open connection on both sides. */
    reset(): void {
        for (const { client, server } of this.#pairs) {
            client.resetAndDestroy();
            server.resetAndDestroy();
        }
    }

    /** Swallows every byte in both directions, and notifies neither side. */
    blackHole(): void {
        this.#swallows = true;
    }

    /** The server is gone, and the client does not notice: like a pulled cable behind a switch. */
    halfOpen(): void {
        this.#swallows = true;
        for (const { server } of this.#pairs) server.resetAndDestroy();
    }

    /** Passes bytes on again. What was swallowed is lost. */
    heal(): void {
        this.#swallows = false;
        this.#delayMs = 0;
        this.#stall = undefined;
        this.#bytesPerTick = Number.POSITIVE_INFINITY;
    }

    /** Delays every byte by this long in each direction, whatever the rate; some of them by more. */
    delay(delayMs: number, stall?: Stall): void {
        this.#delayMs = delayMs;
        this.#stall = stall;
    }

    /** Passes on this number of bytes each 10 ms towards the server, evenly, and leaves the rest with the client. */
    throttle(bytesPerTick: number): void {
        this.#bytesPerTick = bytesPerTick;
    }

    /** Ends the line and everything on it. */
    close(): void {
        this.refuse();
        for (const { client, server } of this.#pairs) {
            client.destroy();
            server.destroy();
        }
    }

    #join(client: Socket): void {
        this.accepted++;
        const server = connect({ port: this.#targetPort, host: "127.0.0.1", noDelay: true, allowHalfOpen: true });
        const pair = { client, server };
        this.#pairs.add(pair);
        this.#forward(client, server, true);
        this.#forward(server, client, false);
        const part = () => {
            this.#pairs.delete(pair);
            if (!this.#swallows) client.destroy();
            server.destroy();
        };
        for (const socket of [client, server]) socket.on("error", () => {});
        client.on("close", part);
        server.on("close", part);
    }

    #forward(from: Socket, to: Socket, towardsServer: boolean): void {
        const onTheWay: Buffer[] = [];
        let lastDueMs = 0;
        /** When everything that came is on the line. */
        let sentMs = 0;
        const pass = () => {
            const chunk = onTheWay.shift();
            if (chunk && !to.destroyed) to.write(chunk);
        };
        from.on("data", (chunk: Buffer) => {
            if (this.#swallows) return;
            if (towardsServer) this.passedBytes += chunk.length;
            const nowMs = performance.now();
            const bytesPerTick = towardsServer ? this.#bytesPerTick : Number.POSITIVE_INFINITY;
            const latencyMs = this.#latencyMs();
            for (const piece of pieces(chunk, bytesPerTick)) {
                onTheWay.push(piece);
                sentMs = Math.max(sentMs, nowMs) + (piece.length / bytesPerTick) * tickMs;
                // Nothing overtakes what was sent before it.
                lastDueMs = Math.max(lastDueMs, sentMs + latencyMs);
                if (lastDueMs > nowMs) setTimeout(pass, lastDueMs - nowMs);
                else pass();
            }
            if (sentMs > nowMs) {
                from.pause();
                setTimeout(() => from.resume(), sentMs - nowMs);
            }
        });
        from.on("end", () => {
            if (!this.#swallows) to.end();
        });
    }

    #latencyMs(): number {
        const stall = this.#stall;
        return this.#delayMs + (stall && stall.random() < stall.share ? stall.durationMs : 0);
    }
}

function* pieces(chunk: Buffer, bytes: number): Generator<Buffer> {
    for (let from = 0; from < chunk.length; from += bytes) yield chunk.subarray(from, from + bytes);
}
