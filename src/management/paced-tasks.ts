import type { Clock, Timer } from "../clock";

/** One thing to do, which calls `finished` when the next may start in its place. */
export type PacedTask = (finished: () => void) => void;

/** How fast a pacer lets tasks start. */
export interface Pace {
    readonly perSecond: number;
    /** How many may be under way at once; after a pause as many may start at the same moment. */
    readonly maxUnderWay: number;
}

/** Starts tasks in order, not more than so many at once and not more than so many each second. */
export class Pacer {
    readonly #clock: Clock;
    readonly #pace: Pace;
    #waiting: PacedTask[] = [];
    #next = 0;
    #underWay = 0;
    /** When the next task would start at an even pace. */
    #nextStartMs = 0;
    #generation = 0;
    #timer: Timer | undefined;

    constructor(clock: Clock, pace: Pace) {
        this.#clock = clock;
        this.#pace = pace;
    }

    /** Starts the task now or when its turn comes. */
    add(task: PacedTask): void {
        this.#waiting.push(task);
        this.#startDue();
    }

    /** Forgets every task that has not started, and that those that have are under way. */
    clear(): void {
        this.#generation++;
        this.#waiting = [];
        this.#next = 0;
        this.#underWay = 0;
        this.#timer?.cancel();
        this.#timer = undefined;
    }

    #startDue(): void {
        while (this.#underWay < this.#pace.maxUnderWay && !this.#timer) {
            const task = this.#waiting[this.#next];
            if (!task) return;
            const nowMs = this.#clock.monotonicMs();
            const intervalMs = 1000 / this.#pace.perSecond;
            const delayMs = this.#nextStartMs - (this.#pace.maxUnderWay - 1) * intervalMs - nowMs;
            if (delayMs > 0) {
                this.#timer = this.#clock.setTimer(delayMs, () => {
                    this.#timer = undefined;
                    this.#startDue();
                });
                return;
            }
            this.#nextStartMs = Math.max(this.#nextStartMs, nowMs) + intervalMs;
            this.#take();
            this.#start(task);
        }
    }

    #take(): void {
        this.#next++;
        if (this.#next < 1000 && this.#next < this.#waiting.length) return;
        this.#waiting = this.#waiting.slice(this.#next);
        this.#next = 0;
    }

    #start(task: PacedTask): void {
        const generation = this.#generation;
        let running = true;
        this.#underWay++;
        task(() => {
            if (!running || generation !== this.#generation) return;
            running = false;
            this.#underWay--;
            this.#startDue();
        });
    }
}
