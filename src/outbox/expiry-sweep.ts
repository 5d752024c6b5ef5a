import type { Clock, Timer } from "../clock";
import type { OutboxEvent } from "./event";
import type { EventLifecycle } from "./event-lifecycle";
import type { WaitingEvents } from "./queue/waiting-events";
import type { Dispatcher } from "./sending/dispatcher";
import type { EventStore } from "./store/store";

/** What the sweep looks at and whom it tells. */
export interface ExpirySweepOptions {
    readonly clock: Clock;
    readonly store: EventStore;
    readonly waiting: WaitingEvents;
    readonly dispatcher: Dispatcher;
    readonly lifecycle: EventLifecycle;
    /** Wall-clock milliseconds, corrected for jumps. */
    now(): number;
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
        const unreportedMs = this.#options.lifecycle.reportDrops(this.#options.clock.monotonicMs());
        this.#sleep(this.#expireInMemory(nowMs), nowMs);
        if (unreportedMs !== undefined) this.#sleep(nowMs + unreportedMs, nowMs);
        if (this.#isAsking) return;
        this.#isAsking = true;
        this.#options.store.readExpired(nowMs, batchEvents, (error, batch) => {
            this.#isAsking = false;
            this.#expireStored(batch.events);
            if (error) this.#sleep(nowMs + longestSleepMs, nowMs);
            else if (batch.events.length === batchEvents) this.#sleep(nowMs, nowMs);
            else if (batch.nextExpiresAt !== undefined) this.#sleep(batch.nextExpiresAt, nowMs);
        });
    }

    /** Expires what is due in memory; returns when the next event in memory is due. */
    #expireInMemory(nowMs: number): number {
        const { waiting, dispatcher, lifecycle } = this.#options;
        let nextMs = Number.POSITIVE_INFINITY;
        for (const entry of waiting.inMemory()) {
            if (entry.expiresAt <= nowMs) lifecycle.expire(entry, nowMs - entry.createdAt);
            else nextMs = Math.min(nextMs, entry.expiresAt);
        }
        for (const entry of dispatcher.underWay()) nextMs = Math.min(nextMs, Math.max(entry.expiresAt, nowMs));
        return nextMs;
    }

    #expireStored(events: readonly OutboxEvent[]): void {
        const { waiting, lifecycle } = this.#options;
        const nowMs = this.#options.now();
        for (const event of events) {
            const entry = waiting.takeStored(event);
            if (entry) lifecycle.expire(entry, nowMs - entry.createdAt);
        }
    }

    #sleep(untilMs: number, nowMs: number): void {
        if (untilMs < Number.POSITIVE_INFINITY && untilMs < this.#timerDueMs) this.#arm(untilMs, nowMs);
    }
}
