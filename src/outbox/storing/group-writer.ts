import type { Clock, Timer } from "../../clock";
import type { GatewayError } from "../../errors";
import type { MemoryLimits } from "../outbox-limits";
import type { LatestIndex } from "../queue/latest-index";
import type { OutboxEntry } from "../queue/outbox-entry";
import type { EventStore, UndeliveredOutcome } from "../store/store";
import type { TakenChanges } from "../undelivered/undelivered-events";
import { StoredEvents } from "./stored-events";
import { UnsavedEvents } from "./unsaved-events";

/** Groups are at least this far apart, so that a trickle of events does not cost one disk flush each. */
const groupSpacingMs = 25;
/** Removals wait this long for company: an event removed too late is only sent twice. */
const removalDelayMs = 250;
const firstRetryMs = 500;
const lastRetryMs = 30_000;

/** Writes events to the store and removes them in groups: one transaction a group, one group at a time. */
export class GroupWriter {
    readonly unsaved: UnsavedEvents;
    readonly stored: StoredEvents;
    readonly #options: GroupWriterOptions;
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
        const { store, latest, clock, memory, storesEvents, commitDelayMs } = options;
        this.#options = options;
        this.stored = new StoredEvents(store, latest, () => this.#removalWanted());
        const wanted = (dueMs: number) => this.#scheduleAt(dueMs);
        this.unsaved = new UnsavedEvents({ clock, memory, storesEvents, commitDelayMs, wanted });
    }

    /** Whether an event has to wait until the file has let go of what it supersedes, which would else be sent after it if the process ended. */
    mustStoreFirst({ latest }: OutboxEntry): boolean {
        if (!latest?.outdatedRows || this.isFailing) return false;
        return this.#options.storesEvents && this.stored.access !== "closed";
    }

    /** Whether the last group could not be written. */
    get isFailing(): boolean {
        return this.#retryMs > 0;
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
        this.#reportIdle();
    }

    /** More than the events of a group: while a backlog goes out, reading it should not wait for one flush to the disk after another. */
    get #removalsAtOnce(): number {
        return this.#options.memory.batchEvents * 4;
    }

    /** Removals are carried out when they are many or a while has passed. */
    #removalWanted(): void {
        const { removalsWaiting } = this.stored;
        if (removalsWaiting === 1) this.#scheduleAt(this.#options.clock.monotonicMs() + removalDelayMs);
        else if (removalsWaiting === this.#removalsAtOnce) this.#scheduleAt(0);
    }

    #scheduleNext(): void {
        if (this.#isPaused || this.#isPosting) return;
        this.#scheduleAt(this.unsaved.nextDueMs());
        if (this.#options.undelivered().hasChanges) this.#scheduleAt(this.#options.clock.monotonicMs() + groupSpacingMs);
        const { removalsWaiting } = this.stored;
        if (removalsWaiting >= this.#removalsAtOnce) this.#scheduleAt(0);
        else if (removalsWaiting > 0) this.#scheduleAt(this.#options.clock.monotonicMs() + removalDelayMs);
    }

    /** Undelivered events are to be written from this time of the monotonic clock on. */
    undeliveredWanted(dueMs: number): void {
        this.#scheduleAt(dueMs);
    }

    /** Makes sure that a group is posted from this time on, but not too soon after the last one. */
    #scheduleAt(wantedMs: number): void {
        if (this.#isPaused || this.#isPosting || wantedMs >= this.#timerDueMs) return;
        const nowMs = this.#options.clock.monotonicMs();
        const dueMs = Math.max(wantedMs, nowMs, this.#lastGroupMs + (this.#retryMs > 0 ? this.#retryMs : groupSpacingMs));
        if (dueMs >= this.#timerDueMs) return;
        this.#cancelTimer();
        this.#timerDueMs = dueMs;
        this.#timer = this.#options.clock.setTimer(dueMs - nowMs, () => this.#due(dueMs > nowMs));
    }

    /** After a stall of the process acknowledgements have come in that are read only now: they come first. */
    #due(mayHaveStalled: boolean): void {
        if (mayHaveStalled) {
            this.#timer = this.#options.clock.setTimer(0, () => this.#due(false));
            return;
        }
        this.#cancelTimer();
        this.#post();
    }

    #cancelTimer(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        this.#timerDueMs = Number.POSITIVE_INFINITY;
    }

    /** Where other gateways keep the disk busy, what has come in until it is free goes along. */
    #post(): void {
        if (this.#isPaused || this.#isPosting) return;
        const { store } = this.#options;
        if (!store) {
            this.#write();
            return;
        }
        this.#isPosting = true;
        store.whenFree(() => {
            this.#isPosting = false;
            if (!this.#isPaused) this.#write();
        });
    }

    #write(): void {
        const { store, clock } = this.#options;
        // After a failure the removals go alone first: they may be what makes room on a full disk.
        const isAlone = this.isFailing && this.stored.removalsWaiting > 0;
        const writes = isAlone ? [] : this.unsaved.due(clock.monotonicMs());
        const removals = this.stored.takeRemovals(this.#removalsAtOnce);
        const sentAgain: number[] = [];
        const outdated: number[] = [];
        for (const { undeliveredId, latest } of writes) {
            if (undeliveredId !== undefined) sentAgain.push(undeliveredId);
            if (latest?.outdatedRows) outdated.push(...latest.outdatedRows);
        }
        const undelivered = store && !isAlone ? this.#options.undelivered().takeChanges(sentAgain, outdated) : undefined;
        if (!store || (writes.length === 0 && removals.length === 0 && !undelivered)) {
            this.#reportIdle();
            this.#scheduleNext();
            return;
        }
        for (const entry of writes) if (this.stored.writing(entry)) removals.push(entry.seq);
        if (undelivered) outdated.push(...undelivered.rows);
        const all = outdated.length > 0 ? removals.concat(outdated) : removals;
        const gone = all.length > 0 ? withoutThoseOf(writes, all) : all;
        this.#isPosting = true;
        this.#lastGroupMs = clock.monotonicMs();
        const finished = (error: GatewayError | undefined, outcome?: UndeliveredOutcome) => {
            this.#isPosting = false;
            if (error) undelivered?.failed(error);
            else undelivered?.written(outcome);
            if (error) this.#failed(removals);
            else this.#committed(writes, gone);
        };
        store.commit(writes, all, finished, undelivered?.changes);
    }

    #committed(writes: readonly OutboxEntry[], gone: readonly number[]): void {
        this.groups += 1;
        this.writtenEvents += writes.length;
        this.#retryMs = 0;
        this.stored.removed(gone);
        for (const entry of writes) {
            if (entry.state === "finished" || entry.row !== "possible") {
                // The senders of what it has superseded need not wait for the one that superseded it.
                if (entry.latest) this.#options.stored(entry);
                continue;
            }
            entry.stored();
            this.unsaved.remove(entry);
            if (!entry.isDelivered) this.#options.stored(entry);
        }
        if (this.#idleListeners.length > 0) this.#post();
        else this.#scheduleNext();
    }

    #failed(removals: readonly number[]): void {
        this.#retryMs = Math.min(Math.max(this.#retryMs * 2, firstRetryMs), lastRetryMs);
        this.stored.notRemoved(removals);
        this.#scheduleNext();
        this.#options.failed();
    }

    #reportIdle(): void {
        const listeners = this.#idleListeners;
        this.#idleListeners = [];
        for (const listener of listeners) listener();
    }
}

/** A row that is removed and written in one commit is there afterwards. */
function withoutThoseOf(writes: readonly OutboxEntry[], numbers: readonly number[]): readonly number[] {
    if (writes.length === 0) return numbers;
    const written = new Set<number>();
    for (const { seq } of writes) written.add(seq);
    return numbers.filter((seq) => !written.has(seq));
}

/** What the writer works with. */
export interface GroupWriterOptions {
    /** Absent: everything stays in memory. */
    readonly store: EventStore | undefined;
    readonly latest: LatestIndex;
    readonly clock: Clock;
    readonly memory: MemoryLimits;
    /** Whether events are stored, or only removed. */
    readonly storesEvents: boolean;
    /** How long an event that is sent may stay unacknowledged before it is stored. */
    commitDelayMs(): number;
    /** The event is safe now: it is in the store, or a newer one will take its place there. */
    stored(entry: OutboxEntry): void;
    /** A group could not be written. */
    failed(): void;
    /** What is to be written of undelivered events. */
    undelivered(): UndeliveredSource;
}

/** Gives out the part of a commit that is about undelivered events. */
export interface UndeliveredSource {
    readonly hasChanges: boolean;
    takeChanges(moved: readonly number[], removedRows: readonly number[]): TakenChanges | undefined;
}
