import type { Clock, Timer } from "../../../src/clock";
import type { MachineBoot } from "../../../src/outbox/machine-boot";

interface Pending {
    dueMs: number;
    order: number;
    action: () => void;
}

/** A clock that stands still until a test advances it; timers fire in the order in which they are due. */
export class FakeClock implements Clock, MachineBoot {
    readonly #pending = new Set<Pending>();
    /** The same timers as a heap, the next one first, with those that were cancelled. */
    readonly #heap: Pending[] = [];
    #nowMs: number;
    #monotonicMs = 0;
    #order = 0;
    #boots = 1;
    #bootedMs = 0;

    constructor(nowMs = Date.UTC(2026, 0, 1)) {
        this.#nowMs = nowMs;
    }

    now(): number {
        return this.#nowMs;
    }

    monotonicMs(): number {
        return this.#monotonicMs;
    }

    setTimer(delayMs: number, action: () => void): Timer {
        const pending = { dueMs: this.#monotonicMs + Math.max(delayMs, 0), order: this.#order++, action };
        this.#pending.add(pending);
        this.#push(pending);
        return { cancel: () => this.#pending.delete(pending) };
    }

    /** The machine's boot: it was started when the clock began, or by the last `reboot`. */
    get id(): string | undefined {
        return `boot ${this.#boots}`;
    }

    uptimeMs(): number {
        return this.#monotonicMs - this.#bootedMs;
    }

    /** The machine starts again, with this wall clock. The timers of processes that the test has ended still run. */
    reboot(nowMs: number): void {
        this.#boots += 1;
        this.#bootedMs = this.#monotonicMs;
        this.#nowMs = nowMs;
    }

    /** How many timers are waiting: a test that ends with some left has found a leak. */
    get timerCount(): number {
        return this.#pending.size;
    }

    /** How many milliseconds from now the next timer fires; undefined when none waits. */
    get nextTimerMs(): number | undefined {
        const next = this.#nextDue(Number.POSITIVE_INFINITY);
        return next && Math.max(next.dueMs - this.#monotonicMs, 0);
    }

    /** Moves time on, firing what is due on the way, each timer at its own time. Returns the longest action in real milliseconds. */
    advance(durationMs: number): number {
        const endMs = this.#monotonicMs + durationMs;
        let longestMs = 0;
        for (let next = this.#nextDue(endMs); next; next = this.#nextDue(endMs)) {
            this.#moveTo(next.dueMs);
            this.#pending.delete(next);
            const startMs = performance.now();
            next.action();
            longestMs = Math.max(longestMs, performance.now() - startMs);
        }
        this.#moveTo(endMs);
        return longestMs;
    }

    /** Time passes while the process is held up: what came due meanwhile fires only afterwards. */
    stall(durationMs: number): void {
        this.#moveTo(this.#monotonicMs + durationMs);
        const due = [...this.#pending].filter(({ dueMs }) => dueMs <= this.#monotonicMs).sort((a, b) => a.dueMs - b.dueMs);
        for (const pending of due) if (this.#pending.delete(pending)) pending.action();
    }

    /** Sets the wall clock, as a user or a time server would; timers do not notice. */
    jump(nowMs: number): void {
        this.#nowMs = nowMs;
    }

    #moveTo(monotonicMs: number): void {
        const stepMs = Math.max(monotonicMs - this.#monotonicMs, 0);
        this.#monotonicMs += stepMs;
        this.#nowMs += stepMs;
    }

    #nextDue(endMs: number): Pending | undefined {
        for (let [next] = this.#heap; next && next.dueMs <= endMs; [next] = this.#heap) {
            if (this.#pending.has(next)) return next;
            this.#pop();
        }
        return undefined;
    }

    #push(pending: Pending): void {
        const heap = this.#heap;
        let index = heap.length;
        for (;;) {
            const parentIndex = (index - 1) >> 1;
            const parent = index > 0 ? heap[parentIndex] : undefined;
            if (!parent || !isBefore(pending, parent)) break;
            heap[index] = parent;
            index = parentIndex;
        }
        heap[index] = pending;
    }

    #pop(): void {
        const heap = this.#heap;
        const last = heap.pop();
        if (!last || heap.length === 0) return;
        let index = 0;
        for (;;) {
            const left = heap[2 * index + 1];
            const right = heap[2 * index + 2];
            const isRight = left !== undefined && right !== undefined && isBefore(right, left);
            const child = isRight ? right : left;
            if (!child || !isBefore(child, last)) break;
            heap[index] = child;
            index = 2 * index + (isRight ? 2 : 1);
        }
        heap[index] = last;
    }
}

function isBefore(one: Pending, other: Pending): boolean {
    return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}
