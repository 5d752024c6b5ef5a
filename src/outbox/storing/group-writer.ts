import type { Clock, Timer } from "../../clock";
import type { MemoryLimits } from "../outbox-limits";
import type { OutboxEntry } from "../queue/outbox-entry";
import type { EventStore } from "../store/store";

/** What the writer needs and whom it tells. */
export interface GroupWriterOptions {
    readonly store: EventStore;
    readonly clock: Clock;
    readonly memory: MemoryLimits;
    /** The event is in the store now. */
    saved(entry: OutboxEntry): void;
}

/** Groups are at least this far apart, so that a trickle of events does not cost one disk flush each. */
const groupSpacingMs = 25;
/** Removals wait this long for company: an event removed too late is only sent twice. */
const removalDelayMs = 250;
const firstRetryMs = 500;
const lastRetryMs = 30_000;

/** Writes events to the store and removes them in groups: one transaction a group, one group at a time, in the order asked for. */
export class GroupWriter {
    readonly #options: GroupWriterOptions;
    #queue: OutboxEntry[] = [];
    #removals: number[] = [];
    /** What is to be removed, or is being removed, but may still be read. */
    readonly #unremoved = new Set<number>();
    #isPosting = false;
    #isPaused = true;
    #timer: Timer | undefined;
    #timerDueMs = Number.POSITIVE_INFINITY;
    #lastGroupMs = Number.NEGATIVE_INFINITY;
    #retryMs = 0;
    #idleListeners: (() => void)[] = [];
    /** Transactions that were committed. */
    groups = 0;
    /** Events that were written. */
    writtenEvents = 0;

    constructor(options: GroupWriterOptions) {
        this.#options = options;
    }

    /** Whether the last group could not be written. */
    get isFailing(): boolean {
        return this.#retryMs > 0;
    }

    /** More than the events of a group: while a backlog goes out, reading it should not wait for one flush to the disk after another. */
    get #removalsAtOnce(): number {
        return this.#options.memory.batchEvents * 4;
    }

    /** Asks for an event to be stored, once. */
    save(entry: OutboxEntry): void {
        if (entry.saved !== "no") return;
        entry.saved = "queued";
        this.#queue.push(entry);
        this.#scheduleNext();
    }

    /** The event needs no place in the store any more. */
    forget(entry: OutboxEntry): void {
        if (entry.saved === "writing" || entry.saved === "yes") this.#remove(entry.seq);
        // One that waits for its group is skipped there.
    }

    /** Whether an event is done with, although the store may still return it. */
    isForgotten(seq: number): boolean {
        return this.#unremoved.size > 0 && this.#unremoved.has(seq);
    }

    /** Nothing is written until `resume`: the store is not open. */
    pause(): void {
        this.#isPaused = true;
        this.#cancelTimer();
    }

    /** The store is open (again). */
    resume(): void {
        this.#isPaused = false;
        this.#retryMs = 0;
        this.#scheduleNext();
    }

    /** The store holds other contents now: removals of what it held before are void, and each entry says itself what is to be saved. */
    reset(): void {
        this.#queue = [];
        this.#removals = [];
        this.#unremoved.clear();
    }

    /** Writes without waiting for company. Resolves when nothing is left to write or remove, or at the deadline. */
    flush(deadlineMs: number): Promise<void> {
        return new Promise((resolve) => {
            const timer = this.#options.clock.setTimer(deadlineMs, resolve);
            this.#idleListeners.push(() => {
                timer.cancel();
                resolve();
            });
            this.#lastGroupMs = Number.NEGATIVE_INFINITY;
            this.#cancelTimer();
            this.#post();
        });
    }

    dispose(): void {
        this.pause();
        this.#notifyIdle();
    }

    #remove(seq: number): void {
        this.#removals.push(seq);
        this.#unremoved.add(seq);
        this.#scheduleNext();
    }

    /** What there is to do decides when: events soon, removals when they are many or a while has passed. */
    #scheduleNext(): void {
        if (this.#queue.length > 0 || this.#removals.length >= this.#removalsAtOnce) this.#schedule(0);
        else if (this.#removals.length > 0) this.#schedule(removalDelayMs);
    }

    /** Makes sure that a group is posted within the given time, but not too soon after the last one. */
    #schedule(withinMs: number): void {
        if (this.#isPaused || this.#isPosting) return;
        if (!this.#options.store.isDurable) {
            this.#post();
            return;
        }
        const nowMs = this.#options.clock.monotonicMs();
        const dueMs = Math.max(nowMs + withinMs, this.#lastGroupMs + (this.#retryMs > 0 ? this.#retryMs : groupSpacingMs));
        if (dueMs >= this.#timerDueMs) return;
        this.#cancelTimer();
        this.#timerDueMs = dueMs;
        this.#timer = this.#options.clock.setTimer(Math.max(dueMs - nowMs, 0), () => {
            this.#timerDueMs = Number.POSITIVE_INFINITY;
            this.#post();
        });
    }

    #cancelTimer(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        this.#timerDueMs = Number.POSITIVE_INFINITY;
    }

    #post(): void {
        if (this.#isPaused || this.#isPosting) return;
        // After a failure the removals go alone first: they may be what makes room on a full disk.
        const writes = this.isFailing && this.#removals.length > 0 ? [] : this.#takeGroup();
        const removals = this.#removals.splice(0, this.#removalsAtOnce);
        if (writes.length === 0 && removals.length === 0) {
            this.#notifyIdle();
            return;
        }
        this.#isPosting = true;
        this.#lastGroupMs = this.#options.clock.monotonicMs();
        this.#options.store.commit(writes, removals, (error) => {
            this.#isPosting = false;
            if (error) this.#failed(writes, removals);
            else this.#committed(writes, removals);
        });
    }

    #takeGroup(): OutboxEntry[] {
        const { batchEvents, batchBytes } = this.#options.memory;
        const group: OutboxEntry[] = [];
        let bytes = 0;
        let taken = 0;
        for (const entry of this.#queue) {
            if (group.length >= batchEvents || (group.length > 0 && bytes + entry.bytes > batchBytes)) break;
            taken += 1;
            if (entry.isFinished) continue;
            entry.saved = "writing";
            bytes += entry.bytes;
            group.push(entry);
        }
        this.#queue.splice(0, taken);
        return group;
    }

    #committed(writes: readonly OutboxEntry[], removals: readonly number[]): void {
        this.groups += 1;
        this.writtenEvents += writes.length;
        this.#retryMs = 0;
        for (const seq of removals) this.#unremoved.delete(seq);
        for (const entry of writes) {
            if (entry.saved !== "writing") continue;
            entry.saved = "yes";
            if (!entry.isFinished) this.#options.saved(entry);
        }
        if (this.#idleListeners.length > 0) this.#post();
        else this.#scheduleNext();
    }

    #failed(writes: readonly OutboxEntry[], removals: readonly number[]): void {
        this.#retryMs = Math.min(Math.max(this.#retryMs * 2, firstRetryMs), lastRetryMs);
        const again = writes.filter((entry) => entry.saved === "writing" && !entry.isFinished);
        for (const entry of again) entry.saved = "queued";
        this.#queue = again.concat(this.#queue);
        this.#removals = removals.concat(this.#removals);
        this.#scheduleNext();
    }

    #notifyIdle(): void {
        const listeners = this.#idleListeners;
        this.#idleListeners = [];
        for (const listener of listeners) listener();
    }
}
