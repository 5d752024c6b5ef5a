import type { GatewayError } from "../../errors";
import type { CompletionCallbacks, CompletionMode, OutboxEvent } from "../event";
import { MemoryUse } from "../queue/entry-list";
import type { LatestIndex } from "../queue/latest-index";
import { OutboxEntry } from "../queue/outbox-entry";
import type { EventStore, ReadBatch, ReadRange } from "../store/store";

/**
 * What memory knows of the rows in the store: which of them are events that are in memory too, which are to be removed, and who waits for
 * those that are only there. A row that is neither in memory nor to be removed is *only stored*; so rows may be read twice, and in any order.
 * Some that count as only stored are *at hand*: in memory, because they are newer than their row or may be wanted at any time.
 *
 * | access        | meaning                                                     | left by                            |
 * |---------------|-------------------------------------------------------------|------------------------------------|
 * | `opening`     | what the store holds is not known: nothing is sent          | `opened`, `closed`                 |
 * | `open`        | rows can be read                                            | `interrupted`                      |
 * | `interrupted` | not for a moment: what comes behind stored events waits     | `opened`, `closed`                 |
 * | `closed`      | not now, or there is no store: the rest goes on without it  | `opened`                           |
 */
export class StoredEvents {
    /** What is at hand. */
    readonly atHand = new MemoryUse();
    readonly #store: EventStore | undefined;
    #access: StoreAccess;
    /** Events in memory whose row is, or may be, in the store, by number. */
    readonly #resident = new Map<number, OutboxEntry>();
    /** Numbers whose rows are done with but may still be read. */
    readonly #removals = new Set<number>();
    /** Those of them that no commit has been asked to remove. */
    #toRemove: number[] = [];
    /** Completions of events that are only stored, by number. */
    readonly #completions = new Map<number, StoredCompletion>();
    readonly #removalWanted: () => void;
    readonly #latest: LatestIndex;
    /** Rows that somebody has read ahead, by number. */
    readonly #readAhead: Map<number, OutboxEvent>[] = [];

    constructor(store: EventStore | undefined, latest: LatestIndex, removalWanted: () => void) {
        this.#store = store;
        this.#latest = latest;
        this.#access = store ? "opening" : "closed";
        this.#removalWanted = removalWanted;
    }

    get access(): StoreAccess {
        return this.#access;
    }

    /** Rows can be read. */
    opened(): void {
        this.#access = "open";
    }

    /** Rows cannot be read, perhaps for a moment only. */
    interrupted(): void {
        this.#access = "interrupted";
    }

    /** Rows cannot be read for long. */
    closed(): void {
        this.#access = "closed";
    }

    /** When the oldest stored event entered the outbox. One that has just been acknowledged counts until its row is gone. */
    get oldestCreatedAt(): number | undefined {
        return this.#store?.oldestCreatedAt;
    }

    /** Reads rows, those of events in memory and of finished ones included. */
    read(range: ReadRange, finished: (error: GatewayError | undefined, batch: ReadBatch) => void): void {
        this.#store?.read(range, finished);
    }

    /** Keeps rows that somebody has read ahead up to date: what is done with is taken out. */
    watch(rows: Map<number, OutboxEvent>): void {
        this.#readAhead.push(rows);
    }

    /** Whether a row, just read or read ahead, is of an event that is neither in memory nor done with, or only at hand. */
    isOnlyStored(seq: number): boolean {
        const entry = this.#resident.get(seq);
        return entry ? isAtHand(entry) : !this.#removals.has(seq);
    }

    /** The event in memory that has this row. */
    resident(seq: number): OutboxEntry | undefined {
        return this.#resident.get(seq);
    }

    /** Every event in memory that has a row. */
    get residents(): Iterable<OutboxEntry> {
        return this.#resident.values();
    }

    /** An event that was only stored comes into memory, with the contents at hand where there are such. */
    load(event: OutboxEvent): OutboxEntry {
        const { seq, createdAt, expiresAt } = event;
        const atHand = this.#resident.get(seq);
        if (atHand) {
            this.takeFromHand(atHand);
            return atHand;
        }
        const waiting = this.#completions.size > 0 ? this.#completions.get(seq) : undefined;
        if (waiting) this.#completions.delete(seq);
        const content = waiting ? { ...event, completionMode: waiting.completionMode } : event;
        const entry = new OutboxEntry(seq, content, createdAt, expiresAt, waiting?.completion);
        entry.stored();
        this.#resident.set(entry.seq, entry);
        if (entry.latest) this.#latest.loaded(entry);
        return entry;
    }

    /** An event in memory is part of a commit. Returns whether an older row under its number is still to be removed: that goes first. */
    writing(entry: OutboxEntry): boolean {
        entry.writing();
        this.#resident.set(entry.seq, entry);
        return this.#takeRow(entry.seq);
    }

    /** An event that is stored leaves memory, unless it is to stay at hand. */
    unload(entry: OutboxEntry): void {
        const { seq, completionMode, device, message } = entry;
        if (entry.latest && !this.#latest.mayLeave(entry)) {
            this.keepAtHand(entry);
            return;
        }
        this.takeFromHand(entry);
        this.#resident.delete(seq);
        entry.unloaded();
        const completion = entry.takeCompletion();
        if (completion) this.#completions.set(seq, { completion, completionMode, device, eventId: message.eventId });
    }

    /** An event in memory counts as only stored from now on. */
    keepAtHand(entry: OutboxEntry): void {
        this.#resident.set(entry.seq, entry);
        if (isAtHand(entry)) return;
        entry.latest?.keepAtHand(true);
        this.atHand.add(1, entry.bytes);
    }

    /** An event in memory is done with: so is its row, if it may have one, and what it supersedes. */
    finished(entry: OutboxEntry): void {
        this.takeFromHand(entry);
        const outdated = entry.latest?.outdatedRows;
        if (entry.row !== "none") this.#finishRowOf(entry, entry.seq);
        if (outdated) for (const seq of outdated) if (entry.row === "none" || seq !== entry.seq) this.#finishRowOf(entry, seq);
    }

    /** The same, but its row goes when another commit asks for that; returns its number, if it may have one. */
    moving(entry: OutboxEntry): number | undefined {
        const { seq, row } = entry;
        this.takeFromHand(entry);
        for (const outdated of entry.latest?.outdatedRows ?? []) if (outdated !== seq) this.#finishRowOf(entry, outdated);
        if (row === "none" && !entry.latest?.outdatedRows?.includes(seq)) return undefined;
        this.#forget(seq);
        if (entry.latest) this.#latest.rowLeaves(seq, entry);
        return seq;
    }

    /** A row is done with. */
    finishRow(seq: number): void {
        this.#forget(seq);
        this.removeLater(seq);
    }

    /** A row that was moving is removed like any other. */
    removeLater(seq: number): void {
        this.#toRemove.push(seq);
        this.#removalWanted();
    }

    /** An event has superseded what is in these rows: they go when it is stored. */
    supersede(entry: OutboxEntry, rows: readonly number[]): void {
        for (const seq of rows) {
            for (const ahead of this.#readAhead) ahead.delete(seq);
            if (seq === entry.seq) continue;
            this.#resident.delete(seq);
            this.#removals.add(seq);
        }
        if (rows.includes(entry.seq)) {
            this.#resident.set(entry.seq, entry);
            // The row was done with when it belonged to an older one.
            this.#takeRow(entry.seq);
        }
        entry.outdates(rows);
    }

    /** An event that was at hand takes part in the queues again, or ends. */
    takeFromHand(entry: OutboxEntry): void {
        if (!isAtHand(entry)) return;
        entry.latest?.keepAtHand(false);
        this.atHand.add(-1, -entry.bytes);
    }

    /** Nothing is sent again of an event in flight: its row, if it may have one, is done with. */
    overtaken(entry: OutboxEntry): void {
        this.finished(entry);
        entry.overtaken();
    }

    /** How many rows wait for a commit that removes them. */
    get removalsWaiting(): number {
        return this.#toRemove.length;
    }

    /** Takes numbers of rows for a commit to remove. */
    takeRemovals(max: number): number[] {
        return this.#toRemove.splice(0, max);
    }

    /** A commit removed these rows. */
    removed(numbers: readonly number[]): void {
        for (const seq of numbers) this.#removals.delete(seq);
        this.#latest.rowsGone(numbers);
    }

    /** A commit that was to remove these rows failed. */
    notRemoved(numbers: readonly number[]): void {
        for (const seq of numbers) this.#removals.add(seq);
        this.#toRemove = numbers.concat(this.#toRemove);
    }

    /** The store holds other contents than before: nothing in memory has a row, and there is nothing to remove. */
    forgetRows(): void {
        this.#resident.clear();
        this.#removals.clear();
        this.#toRemove = [];
        this.atHand.add(-this.atHand.events, -this.atHand.bytes);
    }

    /** Gives out the completion of an event that is only stored, if somebody waits for it. */
    takeCompletion(seq: number): StoredCompletion | undefined {
        const taken = this.#completions.get(seq);
        this.#completions.delete(seq);
        return taken;
    }

    #finishRowOf(entry: OutboxEntry, seq: number): void {
        this.finishRow(seq);
        if (entry.latest) this.#latest.rowLeaves(seq, entry);
    }

    /** An event is written to a row; returns whether that was to be removed. */
    #takeRow(seq: number): boolean {
        if (!this.#removals.delete(seq)) return false;
        this.#latest.rowsGone([seq]);
        return true;
    }

    #forget(seq: number): void {
        this.#resident.delete(seq);
        for (const rows of this.#readAhead) rows.delete(seq);
        this.#removals.add(seq);
    }

    /** Gives out the completions of all events that are only stored. */
    takeCompletions(): StoredCompletion[] {
        const taken = [...this.#completions.values()];
        this.#completions.clear();
        return taken;
    }
}

function isAtHand(entry: OutboxEntry): boolean {
    return entry.latest?.isAtHand ?? false;
}

export type StoreAccess = "opening" | "open" | "interrupted" | "closed";

/** Who waits for an event that is only stored. */
export interface StoredCompletion {
    readonly completion: CompletionCallbacks;
    readonly completionMode: CompletionMode;
    readonly device: string;
    readonly eventId: string;
}
