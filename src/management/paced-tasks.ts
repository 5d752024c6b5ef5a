import type { Clock, Timer } from "../clock";
import { RateLimiter } from "../rate-limiter";

/** Starts tasks in order, at a limited rate and with a limited number of them under way. */
export class PacedTasks {
    readonly #clock: Clock;
    readonly #maxUnderWay: number;
    readonly #rate: RateLimiter;
    #waiting: PacedTask[] = [];
    #next = 0;
    #underWay = 0;
    /** Changes with `clear`, so that a task of the time before it frees no place. */
    #generation = 0;
    #timer: Timer | undefined;

    constructor(clock: Clock, { perSecond, maxUnderWay }: Pace) {
        this.#clock = clock;
        this.#maxUnderWay = maxUnderWay;
        this.#rate = new RateLimiter({ perSecond, burst: maxUnderWay }, clock.monotonicMs());
    }

    /** Starts the task now or when its turn comes. */
    add(task: PacedTask): void {
        this.#waiting.push(task);
        this.#startDue();
    }

    /** Removes every task that has not started; the others occupy no place any more. */
    clear(): void {
        this.#generation += 1;
        this.#waiting = [];
        this.#next = 0;
        this.#underWay = 0;
        this.#timer?.cancel();
        this.#timer = undefined;
    }

    #startDue(): void {
        while (this.#underWay < this.#maxUnderWay && !this.#timer) {
            const task = this.#waiting[this.#next];
            if (!task) return;
            const nowMs = this.#clock.monotonicMs();
            if (!this.#rate.take(nowMs)) {
                this.#timer = this.#clock.setTimer(this.#rate.delayMs(nowMs), () => {
                    this.#timer = undefined;
                    this.#startDue();
                });
                return;
            }
            this.#take();
            this.#start(task);
        }
    }

    #take(): void {
        this.#next += 1;
        if (this.#next < 1000 && this.#next < this.#waiting.length) return;
        this.#waiting = this.#waiting.slice(this.#next);
        this.#next = 0;
    }

    #start(task: PacedTask): void {
        const generation = this.#generation;
        let isRunning = true;
        this.#underWay += 1;
        task(() => {
            if (!isRunning || generation !== this.#generation) return;
            isRunning = false;
            this.#underWay -= 1;
            this.#startDue();
        });
    }
}

/** One task. It calls `finished` when the next may start in its place. */
export type PacedTask = (finished: () => void) => void;

/** How fast tasks start. */
export interface Pace {
    readonly perSecond: number;
    readonly maxUnderWay: number;
}
