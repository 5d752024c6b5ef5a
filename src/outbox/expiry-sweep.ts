import type { Clock, Timer } from "../clock";
import type { OutboxEvent } from "./event";
import type { EventLifecycle } from "./event-lifecycle";
import type { OutboxEntry } from "./queue/outbox-entry";
import type { WaitingEvents } from "./queue/waiting-events";
import type { InFlightWindow } from "./sending/in-flight-window";
import type { EventStore, ExpiredCursor } from "./store/store";
import type { StoredEvents } from "./storing/stored-events";
import type { UnsavedEvents } from "./storing/unsaved-events";
import type { UndeliveredEvents } from "./undelivered/undelivered-events";

const longestSleepMs = 60_000;
const shortestSleepMs = 1000;
/** Each expired event is reported; this many at a time, so that the rest of the process gets its turn. */
const batchEvents = 100;
/** Until those that have expired are written. */
const busyMs = 25;

/**
 * Finds events whose time is up although they are not about to be sent: offline, or behind others. A sweep goes through memory and then through
 * the store, a batch each turn of the event loop, until nothing is left whose time is up. The next one begins when that of another event is.
 */
export class ExpirySweep {
    readonly #options: ExpirySweepOptions;
    #timer: Timer | undefined;
    /** When the next sweep begins, by the clock by which events age. */
    #timerDueMs = Number.POSITIVE_INFINITY;
    #storeTimer: Timer | undefined;
    #isAskingStore = false;
    #isStopped = false;
    /** Events in memory whose time was up when they were looked through, the first one last. */
    #expired: OutboxEntry[] = [];
    /** No event in memory has an earlier time, except those found already. */
    #nextInMemoryMs = Number.POSITIVE_INFINITY;
    /** When the time of the next stored event is up. */
    #nextStoredMs = Number.POSITIVE_INFINITY;

    constructor(options: ExpirySweepOptions) {
        this.#options = options;
    }

    /** An event with this time entered the outbox. */
    admitted(expiresAt: number): void {
        if (expiresAt < this.#nextInMemoryMs) this.#nextInMemoryMs = expiresAt;
        if (expiresAt < this.#timerDueMs) this.#arm(expiresAt, this.#options.now());
    }

    /** The store was opened, or times were changed: a sweep begins soon. */
    check(): void {
        const nowMs = this.#options.now();
        this.#arm(nowMs, nowMs);
    }

    /** Expires a batch of the events in memory whose time is up; false when there was none. */
    expireInMemory(): boolean {
        const nowMs = this.#options.now();
        if (this.#expired.length === 0 && this.#nextInMemoryMs <= nowMs) this.#lookThroughMemory(nowMs);
        let count = 0;
        for (let entry = this.#expired.pop(); entry; entry = this.#expired.pop()) {
            if (entry.state !== "waiting" || entry.expiresAt > nowMs) continue;
            this.#options.lifecycle.expire(entry, nowMs - entry.createdAt);
            count += 1;
            if (count === batchEvents) break;
        }
        return count > 0;
    }

    dispose(): void {
        this.#isStopped = true;
        this.#timer?.cancel();
        this.#storeTimer?.cancel();
    }

    #arm(dueMs: number, nowMs: number): void {
        const sleepMs = Math.min(Math.max(dueMs - nowMs, shortestSleepMs), longestSleepMs);
        this.#timerDueMs = nowMs + sleepMs;
        this.#setTimer(sleepMs, () => this.#sweep());
    }

    #setTimer(delayMs: number, action: () => void): void {
        this.#timer?.cancel();
        if (!this.#isStopped) this.#timer = this.#options.clock.setTimer(delayMs, action);
    }

    #sweep(): void {
        // Until this one is over no other begins.
        this.#timerDueMs = Number.NEGATIVE_INFINITY;
        this.#nextInMemoryMs = this.#options.now();
        this.#sweepMemory();
    }

    #sweepMemory(): void {
        if (this.expireInMemory()) {
            this.#setTimer(0, () => this.#sweepMemory());
            return;
        }
        this.#nextStoredMs = Number.POSITIVE_INFINITY;
        this.#timerDueMs = Number.POSITIVE_INFINITY;
        this.#sweepStore(undefined);
        this.#sleep();
    }

    /** Goes through the store, while memory may be swept again: the store may take long to answer. */
    #sweepStore(after: ExpiredCursor | undefined): void {
        const { store, stored, now } = this.#options;
        if (!store || stored.access !== "open" || this.#isAskingStore) return;
        if (this.#options.undelivered.isBusy) {
            this.#sweepStoreLater(busyMs, after);
            return;
        }
        const askedAt = now();
        this.#isAskingStore = true;
        store.readExpired(askedAt, after, batchEvents, (error, { events, nextExpiresAt }) => {
            this.#isAskingStore = false;
            if (this.#isStopped) return;
            for (const event of events) this.#expireStored(event, askedAt);
            const last = events.at(-1);
            if (events.length === batchEvents && last) {
                this.#sweepStoreLater(0, { expiresAt: last.expiresAt, seq: last.seq });
                return;
            }
            this.#nextStoredMs = error ? now() + longestSleepMs : (nextExpiresAt ?? Number.POSITIVE_INFINITY);
            this.#sleep();
        });
    }

    /** A later sweep that comes first goes through all of it. */
    #sweepStoreLater(delayMs: number, after: ExpiredCursor | undefined): void {
        this.#storeTimer?.cancel();
        this.#storeTimer = this.#options.clock.setTimer(delayMs, () => this.#sweepStore(after));
    }

    /** Sleeps until the time of the next event is up. */
    #sleep(): void {
        const { window, now } = this.#options;
        const nowMs = now();
        let dueMs = Math.min(this.#nextInMemoryMs, this.#nextStoredMs);
        for (const { expiresAt } of window) dueMs = Math.min(dueMs, expiresAt);
        if (dueMs < this.#timerDueMs) this.#arm(dueMs, nowMs);
    }

    #lookThroughMemory(nowMs: number): void {
        const { unsaved, stored } = this.#options;
        this.#nextInMemoryMs = Number.POSITIVE_INFINITY;
        for (const entry of unsaved) this.#lookAt(entry, nowMs);
        for (const entry of stored.residents) this.#lookAt(entry, nowMs);
        this.#expired.reverse();
    }

    #lookAt(entry: OutboxEntry, nowMs: number): void {
        if (entry.state !== "waiting") return;
        if (entry.expiresAt <= nowMs) this.#expired.push(entry);
        else if (entry.expiresAt < this.#nextInMemoryMs) this.#nextInMemoryMs = entry.expiresAt;
    }

    /** The time of this stored event was up when the store was asked. */
    #expireStored(event: OutboxEvent, askedAt: number): void {
        const { waiting, stored, lifecycle } = this.#options;
        const resident = stored.resident(event.seq);
        if (resident && resident.expiresAt > this.#options.now()) return;
        const entry = resident ?? waiting.load(event);
        if (entry?.state === "waiting") lifecycle.expire(entry, askedAt - event.createdAt);
    }
}

/** What the sweep looks through. */
export interface ExpirySweepOptions {
    readonly clock: Clock;
    readonly store: EventStore | undefined;
    readonly waiting: WaitingEvents;
    readonly stored: StoredEvents;
    readonly unsaved: UnsavedEvents;
    readonly window: InFlightWindow;
    readonly lifecycle: EventLifecycle;
    readonly undelivered: UndeliveredEvents;
    /** Milliseconds of the clock by which events age. */
    now(): number;
}
