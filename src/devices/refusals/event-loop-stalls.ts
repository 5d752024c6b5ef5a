import type { Clock, Timer } from "../../clock";

const beatMs = 50;
/** A beat that is late by less than this is nothing unusual. */
const toleranceMs = 20;
/** How long stalls are watched for after the last message. */
const watchMs = 1_000;
const rememberedStalls = 16;

/**
 * Notes when the event loop did not run. What arrived meanwhile is read late, so a time span that ends with its arrival is as
 * much longer. All times are monotonic milliseconds.
 */
export class EventLoopStalls {
    readonly #clock: Clock;
    #stalls: readonly Stall[] = [];
    #timer: Timer | undefined;
    #dueMs = Number.POSITIVE_INFINITY;
    #watchedUntilMs = 0;

    constructor(clock: Clock) {
        this.#clock = clock;
    }

    /** Messages are on the way: stalls are noted for a second from now. */
    watch(nowMs: number): void {
        this.#watchedUntilMs = nowMs + watchMs;
        if (!this.#timer) this.#beat(nowMs);
    }

    /** When a span of `durationMs` began that ends now, leaving out the time in which nothing was read. */
    startOf(durationMs: number, nowMs: number): number {
        let startMs = nowMs - durationMs - this.#overdueMs(nowMs);
        for (const { endMs, durationMs: stalledMs } of [...this.#stalls].reverse()) if (endMs >= startMs) startMs -= stalledMs;
        return startMs;
    }

    /** Stops the timer. */
    close(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        this.#dueMs = Number.POSITIVE_INFINITY;
    }

    #beat(nowMs: number): void {
        this.#dueMs = nowMs + beatMs;
        this.#timer = this.#clock.setTimer(beatMs, () => {
            const endMs = this.#clock.monotonicMs();
            const durationMs = this.#overdueMs(endMs);
            if (durationMs > 0) this.#stalls = [...this.#stalls.slice(1 - rememberedStalls), { endMs, durationMs }];
            this.close();
            if (endMs < this.#watchedUntilMs) this.#beat(endMs);
        });
    }

    #overdueMs(nowMs: number): number {
        return nowMs > this.#dueMs + toleranceMs ? nowMs - this.#dueMs : 0;
    }
}

interface Stall {
    readonly endMs: number;
    readonly durationMs: number;
}
