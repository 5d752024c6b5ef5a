import type { Priority, SourceMessage } from "../event";
import type { StoredLatest } from "../store/store";
import { OutboxEntry } from "./outbox-entry";

/**
 * Which events can be superseded: of each node, device and event id those that are not finished, the oldest first. Nearly always it is one,
 * so memory grows with the devices. What is only stored takes no more room than `QueuedEvent` says.
 */
export class LatestIndex {
    readonly #events = new Map<string, QueuedEvent[]>();
    readonly #crowds = new Set<QueuedEvent[]>();
    /** Rows of finished events that the store may still hold, and whose they are. */
    readonly #leaving = new Map<string, Set<number>>();
    readonly #leavingKeys = new Map<number, string>();

    /** All events with the same node, device and event id, the oldest first. */
    of(event: LatestKey): readonly QueuedEvent[] {
        return this.#events.get(keyOf(event)) ?? none;
    }

    /** Where there is more than one. */
    get crowds(): readonly (readonly QueuedEvent[])[] {
        return [...this.#crowds];
    }

    /** A new event, or one that has been found in the store: that is older than all in memory. */
    add(event: OutboxEntry | StoredLatest): void {
        const key = keyOf(event);
        const events = this.#events.get(key);
        const { seq, device, priority, bytes } = event;
        const added = event instanceof OutboxEntry ? event : { seq, device, priority, bytes };
        if (!events) {
            this.#events.set(key, [added]);
            return;
        }
        if (event instanceof OutboxEntry) events.push(added);
        else events.unshift(added);
        this.#crowds.add(events);
    }

    /** Whether an event that is stored may leave memory. One with an older one before it may not: that may come back and be superseded. */
    mayLeave(entry: OutboxEntry): boolean {
        const events = this.#events.get(keyOf(entry));
        if (!events || events[0]?.seq !== entry.seq) return events === undefined;
        const { seq, device, priority, bytes } = entry;
        events[0] = { seq, device, priority, bytes };
        return true;
    }

    /** An event that was only stored has come into memory. */
    loaded(entry: OutboxEntry): void {
        const events = this.#events.get(keyOf(entry));
        if (events?.[0]?.seq === entry.seq) events[0] = entry;
    }

    /** An event is finished, or superseded by the last of these; returns what is the oldest now. */
    remove(event: QueuedEvent, message: LatestKey["message"]): QueuedEvent | undefined {
        const key = keyOf({ device: event.device, message });
        const events = this.#events.get(key);
        const index = events?.findIndex(({ seq }) => seq === event.seq) ?? -1;
        if (!events || index < 0) return undefined;
        events.splice(index, 1);
        if (events.length < 2) this.#crowds.delete(events);
        if (events.length === 0) this.#events.delete(key);
        return events[0];
    }

    /** A row of a finished event is to be removed. */
    rowLeaves(seq: number, entry: OutboxEntry): void {
        const key = keyOf(entry);
        this.#leavingKeys.set(seq, key);
        this.#leaving.set(key, (this.#leaving.get(key) ?? new Set()).add(seq));
    }

    /** Rows were removed. */
    rowsGone(numbers: readonly number[]): void {
        if (this.#leavingKeys.size === 0) return;
        for (const seq of numbers) {
            const key = this.#leavingKeys.get(seq);
            if (key === undefined) continue;
            this.#leavingKeys.delete(seq);
            const rows = this.#leaving.get(key);
            rows?.delete(seq);
            if (rows?.size === 0) this.#leaving.delete(key);
        }
    }

    /** Rows of older events that have been finished, which the store may still hold. */
    rowsLeaving(event: LatestKey): Iterable<number> {
        return this.#leaving.size > 0 ? (this.#leaving.get(keyOf(event)) ?? []) : [];
    }

    /** The store holds other events than before. */
    forgetStored(): void {
        this.#leaving.clear();
        this.#leavingKeys.clear();
        for (const [key, events] of this.#events) {
            while (events[0] && !(events[0] instanceof OutboxEntry)) events.shift();
            if (events.length < 2) this.#crowds.delete(events);
            if (events.length === 0) this.#events.delete(key);
        }
    }
}

/** An event that waits, wherever it is. */
export interface QueuedEvent {
    readonly seq: number;
    readonly device: string;
    readonly priority: Priority;
    readonly bytes: number;
}

/** What newer events have in common with those that they supersede. */
export interface LatestKey {
    readonly device: string;
    readonly message: Pick<SourceMessage, "nodeId" | "eventId">;
}

const none: readonly QueuedEvent[] = [];

function keyOf({ device, message }: LatestKey): string {
    return `${message.nodeId}\n${device}\n${message.eventId}`;
}
