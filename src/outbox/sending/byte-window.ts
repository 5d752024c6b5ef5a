import type { Clock } from "../../clock";

const startBytes = 16_384;
/** An event that takes no longer has not waited in a queue of the link worth speaking of: the window may grow. */
const growBelowMs = 500;
/** One that takes longer shows that more was written than the link carries in a second: the window shrinks. */
const shrinkAboveMs = 1000;
/** Where the round trip alone is long, the bounds are these multiples of the shortest one. */
const growFactor = 1.5;
const shrinkFactor = 2;
/** After the link has shown its limits, the window grows by this part of what is acknowledged. */
const slowGrowth = 1 / 8;
/** How many events of one window are timed. */
const timedPerWindow = 8;

/**
 * Bounds the bytes that are written and not acknowledged to what the link carries in about a second, so that an urgent event does not wait
 * behind a long queue in the socket. Starts with 16 KB on each connection and doubles with each round trip that was quick.
 *
 * Bytes are counted as positions in the stream: an acknowledgement says that the link has carried everything up to its event. So an event that
 * a later one has overtaken counts neither in the bytes nor in the time, and one that is never acknowledged stops nobody: at worst one event
 * passes each second until a later acknowledgement comes.
 */
export class ByteWindow {
    readonly #clock: Clock;
    #limitBytes = startBytes;
    /** The position after everything that was written. */
    #writtenUpTo = 0;
    /** The position up to which the link has carried everything. */
    #carriedUpTo = 0;
    /** Events that are timed, in order. */
    #timed: TimedEvent[] = [];
    #timedUpTo = 0;
    #shortestMs = Number.POSITIVE_INFINITY;
    #isQuick = true;
    #isLinkKnown = false;
    /** Only events behind this position can shrink the window once more. */
    #shrunkAt = 0;
    #fullSinceMs: number | undefined;

    constructor(clock: Clock) {
        this.#clock = clock;
    }

    /** How long the next event has to wait, in milliseconds, if nothing is acknowledged meanwhile. */
    get waitMs(): number {
        if (this.#writtenUpTo - this.#carriedUpTo < this.#limitBytes) return 0;
        const nowMs = this.#clock.monotonicMs();
        this.#fullSinceMs ??= nowMs;
        return Math.max(this.#fullSinceMs + this.#shrinkAboveMs - nowMs, 0);
    }

    /** An event was written; returns its position. */
    sent(bytes: number): number {
        this.#writtenUpTo += bytes;
        this.#fullSinceMs = undefined;
        if (this.#writtenUpTo - this.#timedUpTo >= this.#limitBytes / timedPerWindow || this.#timed.length === 0) {
            this.#timed.push({ position: this.#writtenUpTo, sentMs: this.#clock.monotonicMs() });
            this.#timedUpTo = this.#writtenUpTo;
        }
        return this.#writtenUpTo;
    }

    /** The event at a position was acknowledged. */
    acknowledged(position: number): void {
        const carriedBytes = position - this.#carriedUpTo;
        if (carriedBytes <= 0) return;
        const isLimiting = this.#writtenUpTo - this.#carriedUpTo >= this.#limitBytes / 2;
        this.#carriedUpTo = position;
        this.#fullSinceMs = undefined;
        let last: TimedEvent | undefined;
        while (this.#timed[0] && this.#timed[0].position <= position) last = this.#timed.shift();
        if (last) this.#measured(last);
        if (isLimiting && this.#isQuick) this.#limitBytes += this.#isLinkKnown ? carriedBytes * slowGrowth : carriedBytes;
    }

    /** The connection ended: the next one starts from the beginning. */
    linkDown(): void {
        this.#limitBytes = startBytes;
        this.#carriedUpTo = this.#writtenUpTo;
        this.#timed = [];
        this.#timedUpTo = this.#writtenUpTo;
        this.#shortestMs = Number.POSITIVE_INFINITY;
        this.#isQuick = true;
        this.#isLinkKnown = false;
        this.#fullSinceMs = undefined;
    }

    get #shrinkAboveMs(): number {
        return Number.isFinite(this.#shortestMs) ? Math.max(shrinkAboveMs, this.#shortestMs * shrinkFactor) : shrinkAboveMs;
    }

    #measured({ position, sentMs }: TimedEvent): void {
        const tookMs = this.#clock.monotonicMs() - sentMs;
        this.#shortestMs = Math.min(this.#shortestMs, tookMs);
        this.#isQuick = tookMs <= Math.max(growBelowMs, this.#shortestMs * growFactor);
        if (tookMs <= this.#shrinkAboveMs || position <= this.#shrunkAt) return;
        this.#limitBytes = Math.max(Math.round((this.#limitBytes * this.#shrinkAboveMs) / tookMs), 1);
        this.#isLinkKnown = true;
        this.#shrunkAt = this.#writtenUpTo;
    }
}

/** An event whose time until its acknowledgement is measured. */
interface TimedEvent {
    readonly position: number;
    readonly sentMs: number;
}
