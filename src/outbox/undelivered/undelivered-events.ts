import type { Clock, Timer } from "../../clock";
import type { GatewayError } from "../../errors";
import type { CompletionCallbacks, UndeliveredEvent } from "../event";
import { lostError } from "../event-errors";
import type { MemoryLimits } from "../outbox-limits";
import type { EventStore, UndeliveredChanges, UndeliveredLimits, UndeliveredOutcome, UndeliveredTotals } from "../store/store";
import { HandOver, type UndeliveredListener } from "./hand-over";
import { isNumberInMemory, KeptInMemory } from "./kept-in-memory";
import { RecordSet } from "./record-set";
import { UndeliveredNotes } from "./undelivered-notes";
import { type LeavingRow, UndeliveredRecord } from "./undelivered-record";

/** Events in memory that wait to be raised; the others are read when it is their turn. */
const lineEvents = 1000;
const lineBytes = 1_048_576;
/** Read in one go: making them is work for the event loop. */
const readEvents = 200;
/** Handed over ones are noted together. */
const noteDelayMs = 250;
const readRetryMs = 1000;
/** When more waits to be written, nothing else expires until it is. */
const busyEvents = 1000;
const busyBytes = 4_194_304;

/**
 * The events that ended without delivery: from their end until they are handed over, and as long as they are kept. They are on disk as the
 * others are, and in memory only as far as they are raised next.
 */
export class UndeliveredEvents {
    readonly #options: UndeliveredEventsOptions;
    readonly #handOver: HandOver;
    /** Those that are not written yet, in the order of their ends. */
    #unsaved = new RecordSet();
    /** Those of them that are not in line. */
    readonly #unlined = new RecordSet();
    /** Whether the store holds some that come after those in line. */
    #isBehind = false;
    #isReading = false;
    #isOpen = false;
    #retryTimer: Timer | undefined;
    /** Counts the contents of the store: answers about earlier ones are void. */
    #generation = 0;
    /** The largest number in line. */
    #lastInLine = 0;
    #lastId = 0;
    #totals: UndeliveredTotals = noTotals;
    readonly #notes = new UndeliveredNotes();
    /** What a commit under way writes. */
    #writing: ReadonlySet<UndeliveredRecord> = new Set();
    /** Senders that wait for an event that is only stored, in the order of the numbers. */
    readonly #completions = new Map<number, WaitingSender>();
    readonly #inMemory = new KeptInMemory();
    #forgotten = 0;

    constructor(options: UndeliveredEventsOptions) {
        this.#options = options;
        this.#handOver = new HandOver({
            clock: options.clock,
            listener: options.listener,
            raised: () => this.#refill(),
            confirmed: (record) => this.#confirmed(record),
        });
    }

    /** How many there are: to be handed over, and kept. */
    get count(): number {
        const { waiting, kept } = this.#totals;
        const inStore = this.#options.limits.maxKeptBytes > 0 ? waiting + kept : Math.max(waiting - this.#notes.count, 0);
        return inStore + this.#unsaved.size + this.#onlyInMemory;
    }

    /** How many gave way to others, before or after they were handed over. */
    get forgotten(): number {
        return this.#forgotten;
    }

    /** Whether what expires should wait, because too much waits to be written. */
    get isBusy(): boolean {
        return this.#unlined.size >= busyEvents || this.#unlined.bytes >= busyBytes;
    }

    /** An event has ended. It may be raised before this returns. */
    add({ completion, row, isDropped, ...event }: EndedEvent): void {
        const record = new UndeliveredRecord(event, completion, row);
        if (isDropped && this.#waiting > manyWaiting) this.#handOver.hurry();
        if (this.#options.storesEvents) this.#save(record);
        else this.#remember(record);
        this.#refill();
        this.#handOver.pump();
    }

    /** The flows run. */
    resume(): void {
        this.#handOver.resume();
    }

    /** The flows stop: nothing is handed over. */
    pause(): void {
        this.#handOver.pause();
    }

    /** The store is open. `isContinued`: it holds what it held. */
    opened(totals: UndeliveredTotals, isContinued: boolean): void {
        this.#isOpen = true;
        if (!isContinued) this.#takeOver(totals);
        this.#refill();
        this.#handOver.pump();
    }

    /** The store cannot be used now. */
    closed(): void {
        this.#isOpen = false;
        this.#refill();
    }

    /** Nothing is handed over any more. Returns how many of those that were not are lost with the memory. */
    dispose(): number {
        this.#handOver.pause();
        this.#retryTimer?.cancel();
        this.#isOpen = false;
        this.#generation += 1;
        const unsafe = new Set([...this.#handOver.line, ...this.#unsaved]);
        let lost = 0;
        for (const record of unsafe) {
            if (record.isStored || record.raisedMs !== undefined) continue;
            const completion = record.takeCompletion();
            completion?.failed(record.error);
            // With its row the event is in the store, and ends once more in the next run.
            if (!completion && !record.row?.isStored) lost += 1;
        }
        return lost;
    }

    /** Whether a kept one is neither sent again nor deleted at the moment. */
    isKept(id: number): boolean {
        return !this.#notes.isLeaving(id);
    }

    /** A kept one is sent again: it goes when the event is stored under its new number or finished, or at once where nothing is stored. */
    moving(id: number): void {
        const { storesEvents, wanted } = this.#options;
        if (storesEvents) {
            this.#notes.leaves(id);
        } else if (isNumberInMemory(id)) {
            this.#inMemory.remove(id);
        } else {
            this.#notes.remove(id);
            wanted(0);
        }
    }

    /** One that was moving need not be stored under its new number: it goes with the next commit. */
    moved(id: number): void {
        if (!this.#notes.isLeaving(id)) return;
        this.#notes.remove(id);
        this.#options.wanted(this.#options.clock.monotonicMs() + noteDelayMs);
    }

    /** Deletes kept ones; resolves when they are gone. */
    remove(ids: readonly number[]): Promise<void> {
        for (const id of ids.filter(isNumberInMemory)) this.#inMemory.remove(id);
        const inFile = ids.filter((id) => !isNumberInMemory(id));
        if (inFile.length === 0) return Promise.resolve();
        for (const id of inFile) this.#notes.remove(id);
        const removed = this.#notes.removed();
        this.#options.wanted(0);
        return removed;
    }

    /** Those that are kept where nothing is stored; what an earlier run has left is in the file all the same. */
    get inMemory(): KeptInMemory {
        return this.#inMemory;
    }

    /** Whether a commit is needed. */
    get hasChanges(): boolean {
        return this.#unsaved.size > 0 || this.#notes.hasChanges;
    }

    /**
     * Takes what the next commit is to write, if there is anything. `moved`: numbers of those that it writes as events of the outbox. `removedRows`:
     * rows of the outbox that it removes, so that nothing remains of an event but what is here.
     */
    takeChanges(moved: readonly number[], removedRows: readonly number[]): TakenChanges | undefined {
        if (!this.hasChanges && moved.length === 0) return undefined;
        const { memory, limits } = this.#options;
        const added: UndeliveredRecord[] = [];
        let bytes = 0;
        let isFull = false;
        for (const record of this.#unsaved) {
            isFull ||= added.length >= memory.batchEvents || (added.length > 0 && bytes + record.event.bytes > memory.batchBytes);
            if (isFull && removedRows.length === 0) break;
            if (isFull && (!record.row || !removedRows.includes(record.row.seq))) continue;
            bytes += record.event.bytes;
            if (record.id === 0) record.numbered(++this.#lastId);
            if (record.isInLine) this.#passed(record.id);
            added.push(record);
        }
        const notes = this.#notes.take(moved);
        this.#writing = new Set(added);
        const generation = this.#generation;
        // As they are now: they may be handed over while they are written.
        const rows = added.map((record) => ({ ...record }));
        const changes = { added: rows, ...notes.changes, raisedUpTo: this.#raisedUpTo, limits };
        return {
            changes,
            rows: added.flatMap(({ row }) => row?.seq ?? []),
            written: (outcome) => {
                notes.written();
                this.#written(added, changes, outcome, generation);
            },
            failed: (error) => {
                this.#writing = new Set();
                notes.failed(error, generation !== this.#generation);
            },
        };
    }

    /** How many have not been raised. */
    get #waiting(): number {
        if (!this.#options.storesEvents) return this.#handOver.line.size;
        return this.#totals.waiting - this.#notes.count + this.#unsaved.size - this.#handOver.raisedCount;
    }

    /** Those that are in memory only, and always will be. */
    get #onlyInMemory(): number {
        if (this.#options.storesEvents) return 0;
        let { count } = this.#inMemory;
        for (const record of this.#handOver.line) if (!record.isStored) count += 1;
        for (const record of this.#handOver.raised) if (!record.isStored) count += 1;
        return count;
    }

    #save(record: UndeliveredRecord): void {
        const { memory, wanted } = this.#options;
        this.#unsaved.add(record);
        this.#unlined.add(record);
        if (this.#unsaved.size > memory.unsavedEvents || this.#unsaved.bytes > memory.unsavedBytes) this.#forgetUnsaved();
        wanted(0);
    }

    /** While nothing can be written, the oldest one gives way: one that was handed over, or else one that is not about to be. */
    #forgetUnsaved(): void {
        const oldest = firstOf(this.#unsaved, (each) => (each.state !== "waiting" || !each.isInLine) && !this.#writing.has(each));
        if (!oldest) return;
        this.#leaveUnsaved(oldest);
        if (oldest.row) this.#options.forgetRow(oldest.row.seq);
        this.#forget(oldest);
    }

    #leaveUnsaved(record: UndeliveredRecord): void {
        this.#unsaved.delete(record);
        this.#unlined.delete(record);
    }

    /** Where nothing is stored: waiting and kept ones share one bound, and kept ones give way first. */
    #remember(record: UndeliveredRecord): void {
        this.#inMemory.ended(record);
        this.#handOver.push(record);
        this.#trimMemory();
    }

    #trimMemory(): void {
        while (this.#inMemory.isOver) {
            const oldest = this.#inMemory.oldest ?? firstOf(this.#handOver.line, ({ isStored }) => !isStored);
            if (!oldest) return;
            this.#handOver.remove(oldest);
            this.#inMemory.letGo(oldest);
            this.#forget(oldest);
        }
    }

    #forget(record: UndeliveredRecord): void {
        this.#forgotten += 1;
        record.takeCompletion()?.failed(record.error);
    }

    /** Puts into the line what comes next, as far as there is room. */
    #refill(): void {
        if (this.#isReading || this.#handOver.line.size >= lineEvents / 2) return;
        if (this.#isBehind && this.#isOpen) {
            this.#readNext();
            return;
        }
        for (const record of this.#unlined) {
            if (this.#handOver.line.size >= lineEvents || this.#handOver.line.bytes > lineBytes) break;
            this.#unlined.delete(record);
            this.#passed(record.id);
            this.#handOver.push(record);
        }
    }

    /** An event with this number is in line: what the store is asked for comes after it, unless it is behind. */
    #passed(id: number): void {
        if (!this.#isBehind) this.#lastInLine = Math.max(this.#lastInLine, id);
    }

    /** Numbers in the store of events that are in memory, or were handed over, although the store may still say otherwise. */
    get #knownIds(): Set<number> {
        const records = [...this.#handOver.raised, ...this.#handOver.line, ...this.#unsaved];
        return new Set([...this.#inStore(records), ...this.#notes.ids]);
    }

    /** The numbers of those that have one in the store, or are being written under it. */
    #inStore(records: Iterable<UndeliveredRecord>): number[] {
        const numbered = [...records];
        const stored = this.#options.storesEvents ? numbered : numbered.filter(({ isStored }) => isStored);
        return stored.map(({ id }) => id);
    }

    #readNext(): void {
        const generation = this.#generation;
        this.#isReading = true;
        const max = { events: readEvents, bytes: lineBytes };
        this.#options.store?.readUndelivered(this.#lastInLine, max, (error, { events, isComplete }) => {
            if (generation !== this.#generation) return;
            this.#isReading = false;
            if (error) {
                this.#retryTimer?.cancel();
                this.#retryTimer = this.#options.clock.setTimer(readRetryMs, () => this.#refill());
                return;
            }
            const knownIds = this.#knownIds;
            for (const { id, ...event } of events) {
                this.#lastInLine = id;
                if (knownIds.has(id)) continue;
                const record = new UndeliveredRecord(event, this.#completions.get(id)?.completion);
                this.#completions.delete(id);
                record.loaded(id);
                this.#handOver.push(record);
            }
            this.#isBehind = !isComplete;
            if (isComplete) this.#refill();
            this.#handOver.pump();
        });
    }

    #written(
        added: readonly UndeliveredRecord[],
        { added: rows, raisedUpTo }: UndeliveredChanges,
        outcome: UndeliveredOutcome | undefined,
        generation: number,
    ): void {
        this.#writing = new Set();
        if (generation !== this.#generation) return;
        if (outcome) {
            this.#totals = outcome;
            this.#forgotten += outcome.forgottenWaiting + outcome.forgottenKept;
        }
        for (const [index, record] of added.entries()) {
            this.#leaveUnsaved(record);
            record.stored();
            if (record.isInLine) {
                if (record.state !== rows[index]?.state) this.#note(record);
                continue;
            }
            this.#isBehind = true;
            const completion = record.takeCompletion();
            if (completion) this.#completions.set(record.id, { completion, error: record.error });
        }
        if (outcome && outcome.forgottenWaiting > 0) this.#gaveWay(raisedUpTo, outcome.forgottenUpTo);
        this.#refill();
    }

    /** The largest number of those that the flows have. */
    get #raisedUpTo(): number {
        // There may be too many for the arguments of a call.
        return this.#inStore(this.#handOver.raised).reduce((largest, id) => Math.max(largest, id), 0);
    }

    /** What waited after a number and up to another is in the store no more, and is only counted. */
    #gaveWay(after: number, upTo: number): void {
        for (const record of [...this.#handOver.line]) {
            if (!record.isStored || record.id <= after || record.id > upTo) continue;
            this.#handOver.remove(record);
            record.takeCompletion()?.failed(record.error);
        }
        for (const [id, { completion, error }] of this.#completions) {
            if (id > upTo) return;
            this.#completions.delete(id);
            completion.failed(error);
        }
    }

    #confirmed(record: UndeliveredRecord): void {
        if (record.isStored) {
            this.#note(record);
        } else if (!this.#options.storesEvents) {
            if (this.#options.limits.maxKeptBytes > 0) this.#inMemory.keep(record);
            else this.#inMemory.letGo(record);
        }
    }

    #note(record: UndeliveredRecord): void {
        const { clock, wanted } = this.#options;
        this.#notes.handedOver(record);
        wanted(clock.monotonicMs() + noteDelayMs);
    }

    /** The store holds something of an earlier run, or has lost what it held: what is in memory is written to it. */
    #takeOver(totals: UndeliveredTotals): void {
        const { storesEvents, wanted } = this.#options;
        this.#generation += 1;
        this.#isReading = false;
        this.#totals = totals;
        this.#lastInLine = 0;
        this.#isBehind = totals.waiting > 0;
        this.#notes.forget();
        for (const { completion } of this.#completions.values()) completion.failed(lostError());
        this.#completions.clear();
        // Numbers of those in memory have nothing to do with the file.
        if (!storesEvents) return;
        this.#lastId = totals.lastId;
        // They get their numbers in this order: what is behind those in line is read behind them.
        this.#unsaved = new RecordSet([...this.#handOver.raised, ...this.#handOver.line, ...this.#unsaved]);
        for (const record of this.#unsaved) record.forgotten();
        if (this.#unsaved.size > 0) wanted(0);
    }
}

/** More than these wait: then dropping must not be faster than handing over. */
const manyWaiting = 10_000;

const noTotals: UndeliveredTotals = { lastId: 0, waiting: 0, waitingBytes: 0, kept: 0, keptBytes: 0 };

function firstOf<T>(items: Iterable<T>, fits: (item: T) => boolean): T | undefined {
    for (const item of items) if (fits(item)) return item;
    return undefined;
}

/** An event that has ended, and what it leaves. */
export interface EndedEvent extends UndeliveredEvent {
    /** Its sender, if that waits. */
    readonly completion: CompletionCallbacks | undefined;
    /** Its row in the store, if it may have one, which goes in the same transaction. */
    readonly row: LeavingRow | undefined;
    /** Whether it gave way to a newer one. */
    readonly isDropped?: boolean;
}

/** A sender that waits until its event is handed over, and the error that it gets if that gives way. */
interface WaitingSender {
    readonly completion: CompletionCallbacks;
    readonly error: GatewayError;
}

/** A part of a commit. One of the two is called with its outcome. */
export interface TakenChanges {
    readonly changes: UndeliveredChanges;
    /** Rows of the outbox that go with them. */
    readonly rows: readonly number[];
    written(outcome: UndeliveredOutcome | undefined): void;
    failed(error: GatewayError): void;
}

/** What the undelivered events work with. */
export interface UndeliveredEventsOptions {
    readonly clock: Clock;
    readonly store: EventStore | undefined;
    /** Whether events are stored, or in memory only. */
    readonly storesEvents: boolean;
    readonly memory: MemoryLimits;
    readonly limits: UndeliveredLimits;
    readonly listener: UndeliveredListener;
    /** Something is to be written from this time of the monotonic clock on. */
    wanted(dueMs: number): void;
    /** The row of the outbox is to be removed, although nothing comes in its place. */
    forgetRow(seq: number): void;
}
