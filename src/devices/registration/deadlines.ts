import type { Clock, Timer } from "../../clock";

interface Deadline<Item> {
    readonly dueMs: number;
    readonly order: number;
    readonly item: Item;
}

/**
 * Any number of deadlines on one timer: adding costs O(log n), and only the earliest arms the clock. Deadlines of the same
 * time come in the order in which they were added. There is no way to take one back: the receiver ignores what is stale.
 */
export class Deadlines<Item> {
    readonly #clock: Clock;
    readonly #reached: (item: Item) => void;
    readonly #heap: Deadline<Item>[] = [];
    #timer: Timer | undefined;
    #armedForMs = Number.POSITIVE_INFINITY;
    #order = 0;
    #closed = false;

    constructor(clock: Clock, reached: (item: Item) => void) {
        this.#clock = clock;
        this.#reached = reached;
    }

    get size(): number {
        return this.#heap.length;
    }

    /** Calls back with the item at `dueMs` of the monotonic clock. */
    add(dueMs: number, item: Item): void {
        if (this.#closed) return;
        this.#push({ dueMs, order: this.#order++, item });
        if (dueMs < this.#armedForMs) this.#arm();
    }

    /** Stops the timer; nothing is called back any more. */
    close(): void {
        this.#closed = true;
        this.#heap.length = 0;
        this.#arm();
    }

    #arm(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        const [next] = this.#heap;
        this.#armedForMs = next?.dueMs ?? Number.POSITIVE_INFINITY;
        if (next) this.#timer = this.#clock.setTimer(Math.ceil(next.dueMs - this.#clock.monotonicMs()), () => this.#fire());
    }

    #fire(): void {
        const nowMs = this.#clock.monotonicMs();
        // While callbacks run, what they add must not re-arm the timer again and again.
        this.#armedForMs = Number.NEGATIVE_INFINITY;
        try {
            for (let [next] = this.#heap; next && next.dueMs <= nowMs; [next] = this.#heap) {
                this.#pop();
                this.#reached(next.item);
            }
        } finally {
            this.#arm();
        }
    }

    #push(deadline: Deadline<Item>): void {
        const heap = this.#heap;
        let index = heap.length;
        heap.push(deadline);
        while (index > 0) {
            const parentIndex = (index - 1) >> 1;
            const parent = heap[parentIndex];
            if (!parent || !isBefore(deadline, parent)) break;
            heap[index] = parent;
            index = parentIndex;
        }
        heap[index] = deadline;
    }

    #pop(): void {
        const heap = this.#heap;
        const last = heap.pop();
        if (!last || heap.length === 0) return;
        let index = 0;
        for (;;) {
            const left = heap[2 * index + 1];
            const right = heap[2 * index + 2];
            if (!left) break;
            const goRight = right !== undefined && isBefore(right, left);
            const child = goRight ? right : left;
            if (!isBefore(child, last)) break;
            heap[index] = child;
            index = 2 * index + (goRight ? 2 : 1);
        }
        heap[index] = last;
    }
}

function isBefore<Item>(one: Deadline<Item>, other: Deadline<Item>): boolean {
    return one.dueMs < other.dueMs || (one.dueMs === other.dueMs && one.order < other.order);
}
