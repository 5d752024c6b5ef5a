import { Duplex } from "node:stream";
import type { Clock, Timer } from "../../../src/clock";

/**
 * Both ends of a connection in memory on which each chunk takes time. As with TCP, bytes of one direction keep their order, and the close of
 * one end reaches the other one after the bytes before it. A cut loses what is on its way; a dead line swallows everything and says nothing.
 */
export class VirtualLine {
    readonly client: Duplex;
    readonly server: Duplex;
    readonly #ends: readonly [LineEnd, LineEnd];

    constructor(clock: Clock, latencyMs: () => number, moved: () => void) {
        const one = new LineEnd(clock, latencyMs, moved);
        const other = new LineEnd(clock, latencyMs, moved);
        one.peer = other;
        other.peer = one;
        this.client = one;
        this.server = other;
        this.#ends = [one, other];
    }

    /** Ends the connection for both sides; what is on its way is lost. */
    cut(): void {
        for (const end of this.#ends) end.cut();
    }

    /** From now on nothing arrives, and nobody learns of it. */
    goDead(): void {
        for (const end of this.#ends) end.isDead = true;
    }
}

class LineEnd extends Duplex {
    peer: LineEnd | undefined;
    isDead = false;
    readonly #clock: Clock;
    readonly #latencyMs: () => number;
    readonly #moved: () => void;
    readonly #onItsWay = new Set<Timer>();
    /** When the byte sent last arrives: none may overtake it. */
    #lastArrivalMs = 0;

    constructor(clock: Clock, latencyMs: () => number, moved: () => void) {
        super({ highWaterMark: 65_536, allowHalfOpen: false });
        this.#clock = clock;
        this.#latencyMs = latencyMs;
        this.#moved = moved;
    }

    override _read(): void {}

    override _write(chunk: Buffer, _encoding: BufferEncoding, written: () => void): void {
        this.#moved();
        // The writer may use its buffer again, as after the write to a socket.
        const bytes = Buffer.from(chunk);
        if (!this.isDead) this.#afterLatency(() => this.peer?.arrived(bytes));
        written();
    }

    override _final(finished: () => void): void {
        if (!this.isDead) this.#afterLatency(() => this.peer?.arrived(null));
        finished();
    }

    override _destroy(_error: Error | null, destroyed: (error?: Error | null) => void): void {
        this.#moved();
        if (!this.isDead && !this.writableFinished) this.#afterLatency(() => this.peer?.arrived(null));
        destroyed(null);
    }

    arrived(chunk: Buffer | null): void {
        this.#moved();
        if (this.isDead || this.destroyed || this.readableEnded) return;
        this.push(chunk);
        if (chunk === null && this.readableLength === 0) this.resume();
    }

    cut(): void {
        for (const timer of this.#onItsWay) timer.cancel();
        this.#onItsWay.clear();
        this.isDead = true;
        if (!this.destroyed) this.destroy();
    }

    #afterLatency(action: () => void): void {
        const nowMs = this.#clock.monotonicMs();
        this.#lastArrivalMs = Math.max(this.#lastArrivalMs, nowMs + this.#latencyMs());
        const timer = this.#clock.setTimer(this.#lastArrivalMs - nowMs, () => {
            this.#onItsWay.delete(timer);
            action();
        });
        this.#onItsWay.add(timer);
    }
}
