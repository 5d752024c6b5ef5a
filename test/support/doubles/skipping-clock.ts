import type { Clock, Timer } from "../../../src/clock";

interface Pending {
    readonly dueMs: number;
    readonly action: () => void;
    readonly timeout: NodeJS.Timeout;
}

/** The machine's clock, which a test can move on: what is due in the time skipped happens at once. */
export class SkippingClock implements Clock {
    readonly #pending = new Set<Pending>();
    #skippedMs = 0;

    now(): number {
        return Date.now() + this.#skippedMs;
    }

    monotonicMs(): number {
        return performance.now() + this.#skippedMs;
    }

    setTimer(delayMs: number, action: () => void): Timer {
        const run = () => {
            this.#pending.delete(pending);
            action();
        };
        const timeout = setTimeout(run, Math.min(Math.max(delayMs, 0), 2 ** 31 - 1)).unref();
        const pending: Pending = { dueMs: this.monotonicMs() + delayMs, action, timeout };
        this.#pending.add(pending);
        return {
            cancel: () => {
                this.#pending.delete(pending);
                clearTimeout(timeout);
            },
        };
    }

    /** Moves the time on, second by second. */
    skip(durationMs: number): void {
        for (let leftMs = durationMs; leftMs > 0; leftMs -= 1000) {
            this.#skippedMs += Math.min(leftMs, 1000);
            const due = [...this.#pending].filter(({ dueMs }) => dueMs <= this.monotonicMs()).sort((one, other) => one.dueMs - other.dueMs);
            for (const pending of due) {
                if (!this.#pending.delete(pending)) continue;
                clearTimeout(pending.timeout);
                pending.action();
            }
        }
    }
}
