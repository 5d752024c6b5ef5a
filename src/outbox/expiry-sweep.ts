import type { Clock, Timer } from "../clock";
import type { OutboxEvent } from "./event";
import type { EventStore } from "./store";

/** What the sweep looks at and whom it tells. */
export interface ExpirySweepOptions {
    readonly clock: Clock;
    readonly store: EventStore;
    /** Wall-clock milliseconds, corrected for jumps. */
    now(): number;
    /** Expires what is due in memory; returns when the next event in memory is due. */
    expireInMemory(nowMs: number): number;
    /** Expires an event that the store found due, if it is on disk only. */
    expireStored(event: OutboxEvent): void;
}

const longestSleepMs = 60_000;
const shortestSleepMs = 1000;
/** Expired events are told one by one; this many at a time, so that the rest of the process gets its turn. */
const batchEvents = 200;

/** Finds events whose time is up although nobody comes to send them: offline, or behind others. */
export class ExpirySweep {
    readonly #options: ExpirySweepOptions;
    #timer: Timer | undefined;
    #timerDueMs = Number.POSITIVE_INFINITY;
    #isStopped = false;
    #isAsking = false;

    constructor(options: ExpirySweepOptions) {
        this.#options = options;
    }

    /** An event with this time entered the outbox. */
    admitted(expiresAt: number): void {
        if (expiresAt < this.#timerDueMs) this.#arm(expiresAt, this.#options.now());
    }

    /** The store was opened, or times were changed: look now. */
    check(): void {
        const nowMs = this.#options.now();
        this.#arm(nowMs, nowMs);
    }

    dispose(): void {
        this.#isStopped = true;
        this.#timer?.cancel();
    }

    #arm(dueMs: number, nowMs: number): void {
        if (this.#isStopped) return;
        this.#timer?.cancel();
        const sleepMs = Math.min(Math.max(dueMs - nowMs, shortestSleepMs), longestSleepMs);
        this.#timerDueMs = nowMs + sleepMs;
        this.#timer = this.#options.clock.setTimer(sleepMs, () => this.#sweep());
    }

    #sweep(): void {
        this.#timerDueMs = Number.POSITIVE_INFINITY;
        const nowMs = this.#options.now();
        this.#sleep(this.#options.expireInMemory(nowMs), nowMs);
        if (this.#isAsking) return;
        this.#isAsking = true;
        this.#options.store.readExpired(nowMs, batchEvents, (error, batch) => {
            this.#isAsking = false;
            for (const event of batch.events) this.#options.expireStored(event);
            if (error) this.#sleep(nowMs + longestSleepMs, nowMs);
            else if (batch.events.length === batchEvents) this.#sleep(nowMs, nowMs);
            else if (batch.nextExpiresAt !== undefined) this.#sleep(batch.nextExpiresAt, nowMs);
        });
    }

    #sleep(untilMs: number, nowMs: number): void {
        if (untilMs < Number.POSITIVE_INFINITY && untilMs < this.#timerDueMs) this.#arm(untilMs, nowMs);
    }
}
