import type { Clock, Timer } from "../clock";
import { type NewEvent, type Priority, priorities } from "./event";
import type { EventLifecycle } from "./event-lifecycle";
import type { LatestIndex, QueuedEvent } from "./queue/latest-index";
import { OutboxEntry } from "./queue/outbox-entry";
import type { WaitingEvents } from "./queue/waiting-events";
import type { StoredLatest } from "./store/store";
import type { GroupWriter } from "./storing/group-writer";

/**
 * Of the events of a node that wants only the latest, one waits for each device and event id: a newer one supersedes it and takes its place in
 * the queue, in memory and, with one transaction, in the store. What is superseded is done as soon as the newer event is safe.
 *
 * | the older event                                            | is superseded                                    |
 * |------------------------------------------------------------|--------------------------------------------------|
 * | is in flight, or acknowledged                              | no                                               |
 * | waits while there is no connection                         | at once                                          |
 * | came back from a connection, or is only stored             | at once                                          |
 * | is less urgent than the newer one                          | at once; otherwise the newer one takes its urgency |
 * | waits for less than the commit delay                       | when that is over, if it waits then              |
 * | waits to be stored in its place although its turn has come | no, or one that changes often would never be sent |
 * | is in flight when the newer one is delivered               | if it comes back                                 |
 *
 * Nor does the store hold an older event once a newer one has been sent: after a crash it would follow that.
 */
export class Supersession {
    readonly #options: SupersessionOptions;
    #timer: Timer | undefined;

    constructor(options: SupersessionOptions) {
        this.#options = options;
    }

    /** What a new event is about to supersede makes room for it. */
    roomFor(event: NewEvent): FreedRoom {
        if (!event.isLatest) return noRoom;
        const { over } = this.#judge(this.#waiting(this.#options.index.of(event)), event.priority ?? "normal");
        return { events: over.length, bytes: over.reduce((sum, { bytes }) => sum + bytes, 0) };
    }

    /** The store holds this from an earlier run. Where it has two, which a crash can leave, the newer one stays in its own place. */
    takeOver(event: StoredLatest): void {
        const { index, waiting, lifecycle, writer } = this.#options;
        const [older] = index.of(event);
        if (older && !(older instanceof OutboxEntry)) {
            index.remove(older, event.message);
            waiting.remove(older);
            writer.stored.finishRow(older.seq);
            lifecycle.supersedeStored(older);
        }
        index.add(event);
    }

    /** An event has begun to wait, or has come back: lets the newest of its like supersede the others. */
    settle(event: OutboxEntry): void {
        this.#settle(this.#options.index.of(event));
    }

    /** The same for all, after the connection has ended or the store was opened. */
    settleAll(): void {
        for (const events of this.#options.index.crowds) this.#settle(events);
    }

    /**
     * Whether an event must wait, although its turn has come, until the store has let go of what it supersedes: if the process ended before,
     * that would be sent after it. Nor does a newer one overtake an older one.
     */
    mustWait(entry: OutboxEntry): boolean {
        if (!entry.latest) return false;
        const { index, writer } = this.#options;
        const [first] = this.#waiting(index.of(entry));
        if (first && !(first instanceof OutboxEntry)) return true;
        if ((first ?? entry) === entry) this.#replaceOlder(entry);
        if (!writer.mustStoreFirst(first ?? entry)) return (first ?? entry) !== entry;
        (first ?? entry).latest?.turnCame();
        return true;
    }

    /**
     * The store is never to hold an older event once a newer one has been sent. Rows of older ones under way, or just finished, go when this one
     * is stored; and this one is stored where an older one would have been.
     */
    #replaceOlder(entry: OutboxEntry): void {
        const { index, writer, storesEvents } = this.#options;
        if (!storesEvents) return;
        const rows = new Set(index.rowsLeaving(entry));
        const covered: OutboxEntry[] = [];
        for (const older of index.of(entry)) {
            if (older.seq === entry.seq) break;
            if (!(older instanceof OutboxEntry) || older.state === "waiting" || older.latest?.isOvertaken) continue;
            if (older.row !== "none") rows.add(older.seq);
            for (const seq of older.latest?.outdatedRows ?? []) rows.add(seq);
            if (older.isUnsaved) covered.push(older);
            older.rowGiven();
        }
        if (rows.size > 0) {
            this.#addRows(rows, entry);
            writer.stored.supersede(entry, [...rows]);
            writer.unsaved.storeNow(entry);
        }
        for (const older of covered) writer.unsaved.replace(older, entry);
        for (const older of covered) writer.unsaved.remove(older);
        if (covered.length > 0) entry.covers([...(entry.covered ?? []), ...covered]);
    }

    dispose(): void {
        this.#timer?.cancel();
    }

    #settle(events: readonly QueuedEvent[]): void {
        const waiting = events.length > 1 ? this.#waiting(events) : [];
        const newest = waiting.at(-1);
        if (!newest || waiting.length === 1) return;
        const { over, rest } = this.#judge(waiting.slice(0, -1), newest.priority);
        if (rest.length > 0) this.#settleLater();
        // The next one takes over, not the newest: otherwise those between them would be sent after it.
        const successor = rest[0] ?? newest;
        if (over.length > 0 && successor instanceof OutboxEntry) this.#supersede(over, successor);
    }

    /** Those that wait. */
    #waiting(events: readonly QueuedEvent[]): readonly QueuedEvent[] {
        return events.filter((event) => !(event instanceof OutboxEntry) || event.state === "waiting");
    }

    /** Of these, the oldest first: whose time is over, because a newer one with this priority is there, and which come after them. */
    #judge(older: readonly QueuedEvent[], priority: Priority): { over: readonly QueuedEvent[]; rest: readonly QueuedEvent[] } {
        const { clock, writer, commitDelayMs } = this.#options;
        if (older.length === 0 || !writer.unsaved.isOnline) return { over: older, rest: [] };
        const longAgoMs = clock.monotonicMs() - commitDelayMs();
        const isOver = (event: QueuedEvent) => isLessUrgent(event.priority, priority) || !isYoungerThan(event, longAgoMs);
        const first = older.findIndex((event) => isLessUrgent(event.priority, priority) || !isDue(event));
        if (first < 0) return { over: [], rest: [] };
        const end = older.findIndex((event, index) => index >= first && !isOver(event));
        return { over: older.slice(first, end < 0 ? undefined : end), rest: end < 0 ? [] : older.slice(end) };
    }

    #supersede(older: readonly QueuedEvent[], newer: OutboxEntry): void {
        const { waiting, lifecycle, index, writer } = this.#options;
        const place = this.#placeFor(newer, older);
        const rows = new Set<number>();
        for (const event of older) this.#addRows(rows, event);
        if (place || rows.size > 0) this.#addRows(rows, newer);
        for (const event of older) if (event !== place) waiting.remove(event);
        if (place) {
            lifecycle.changeClass(newer, newer.priority, place.priority);
            waiting.takePlace(newer, place);
        }
        if (rows.size > 0) writer.stored.supersede(newer, [...rows]);
        for (const event of older) {
            index.remove(event, newer.message);
            if (event instanceof OutboxEntry) {
                writer.unsaved.replace(event, newer);
                if (event.covered) newer.covers([...(newer.covered ?? []), ...event.covered]);
                event.covers([]);
            }
            lifecycle.supersede(event, newer);
        }
        if (rows.size > 0) writer.unsaved.storeNow(newer);
    }

    /** The first place of those that are as urgent as the event, or more. A place in the store counts only if it can be written. */
    #placeFor({ priority }: OutboxEntry, older: readonly QueuedEvent[]): QueuedEvent | undefined {
        const { writer, storesEvents } = this.#options;
        const canWrite = storesEvents && writer.stored.access === "open";
        let best: QueuedEvent | undefined;
        for (const event of older) {
            if (isLessUrgent(event.priority, priority) || (!canWrite && !(event instanceof OutboxEntry && event.list))) continue;
            if (!best || isLessUrgent(best.priority, event.priority)) best = event;
        }
        return best;
    }

    #addRows(rows: Set<number>, event: QueuedEvent): void {
        if (!(event instanceof OutboxEntry) || event.row !== "none") rows.add(event.seq);
        if (event instanceof OutboxEntry) for (const seq of event.latest?.outdatedRows ?? []) rows.add(seq);
    }

    #settleLater(): void {
        const { clock, commitDelayMs } = this.#options;
        this.#timer ??= clock.setTimer(commitDelayMs(), () => {
            this.#timer = undefined;
            this.settleAll();
        });
    }
}

function isLessUrgent(priority: Priority, than: Priority): boolean {
    return priorities.indexOf(priority) > priorities.indexOf(than);
}

function isYoungerThan(event: QueuedEvent, sinceMs: number): boolean {
    return event instanceof OutboxEntry && event.latest !== undefined && event.latest.waitsSinceMs > sinceMs;
}

function isDue(event: QueuedEvent): boolean {
    return event instanceof OutboxEntry && event.latest !== undefined && event.latest.isDue;
}

/** What a new event finds free because it supersedes others. */
export interface FreedRoom {
    readonly events: number;
    readonly bytes: number;
}

export const noRoom: FreedRoom = { events: 0, bytes: 0 };

/** What a supersession changes. */
export interface SupersessionOptions {
    readonly clock: Clock;
    readonly storesEvents: boolean;
    readonly index: LatestIndex;
    readonly waiting: WaitingEvents;
    readonly writer: GroupWriter;
    readonly lifecycle: EventLifecycle;
    commitDelayMs(): number;
}
