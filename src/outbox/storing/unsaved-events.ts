import type { Clock, Timer } from "../../clock";
import type { OutboxEntry } from "../queue/outbox-entry";

/**
 * Remembers events that may be acknowledged before it is worth storing them, and gives out those that were not in time. One timer for all:
 * on a healthy link an event costs a place in an array here and nothing else.
 */
export class WriteDelay {
    readonly #clock: Clock;
    readonly #delayMs: () => number;
    readonly #late: (entry: OutboxEntry) => void;
    #entries: OutboxEntry[] = [];
    #first = 0;
    #timer: Timer | undefined;
    #timerDueMs = Number.POSITIVE_INFINITY;

    constructor(options: { clock: Clock; delayMs: () => number; late: (entry: OutboxEntry) => void }) {
        this.#clock = options.clock;
        this.#delayMs = options.delayMs;
        this.#late = options.late;
    }

    /** The event's `admittedMs` must be set. */
    add(entry: OutboxEntry): void {
        this.#entries.push(entry);
        const delayMs = this.#delayMs();
        if (entry.admittedMs + delayMs < this.#timerDueMs) this.#arm(delayMs, entry.admittedMs);
    }

    /** An event was finished: those at the front that need nothing any more are let go. */
    skipFinished(): void {
        for (
            let entry = this.#entries[this.#first];
            entry && (entry.isFinished || entry.saved !== "no");
            entry = this.#entries[this.#first]
        ) {
            this.#first += 1;
        }
        if (this.#first < 1024 || this.#first * 2 < this.#entries.length) return;
        this.#entries = this.#entries.slice(this.#first);
        this.#first = 0;
    }

    dispose(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        this.#entries = [];
        this.#first = 0;
    }

    /** Arms the timer, or brings it forward: the delay shrinks once it is known how quick the platform is. */
    #arm(delayMs: number, nowMs: number): void {
        this.#timer?.cancel();
        this.#timerDueMs = nowMs + delayMs;
        this.#timer = this.#clock.setTimer(delayMs, () => {
            this.#timer = undefined;
            this.#timerDueMs = Number.POSITIVE_INFINITY;
            this.#giveOut();
        });
    }

    #giveOut(): void {
        const nowMs = this.#clock.monotonicMs();
        const delayMs = this.#delayMs();
        this.skipFinished();
        for (let entry = this.#entries[this.#first]; entry && entry.admittedMs + delayMs <= nowMs; entry = this.#entries[this.#first]) {
            this.#first += 1;
            this.#late(entry);
            this.skipFinished();
        }
        const next = this.#entries[this.#first];
        if (next) this.#arm(Math.max(next.admittedMs + delayMs - nowMs, 1), nowMs);
        else {
            this.#entries = [];
            this.#first = 0;
        }
    }
}
