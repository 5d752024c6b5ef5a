import type { OutboxEntry } from "./outbox-entry";

/** A doubly linked list through the entries themselves: each entry is in at most one list, and leaves it in constant time. */
export class EntryList {
    first: OutboxEntry | undefined = undefined;
    last: OutboxEntry | undefined = undefined;
    length = 0;
    bytes = 0;
    readonly #shared: MemoryUse | undefined;

    constructor(shared?: MemoryUse) {
        this.#shared = shared;
    }

    push(entry: OutboxEntry): void {
        entry.previous = this.last;
        if (this.last) this.last.next = entry;
        else this.first = entry;
        this.last = entry;
        this.#count(entry);
    }

    unshift(entry: OutboxEntry): void {
        entry.next = this.first;
        if (this.first) this.first.previous = entry;
        else this.last = entry;
        this.first = entry;
        this.#count(entry);
    }

    /** Puts an entry in its place in a list that is sorted by number; quick near the ends. */
    insert(entry: OutboxEntry): void {
        if (this.first && entry.seq < this.first.seq) {
            this.unshift(entry);
            return;
        }
        let previous = this.last;
        while (previous && previous.seq > entry.seq) previous = previous.previous;
        if (!previous?.next) {
            this.push(entry);
            return;
        }
        entry.previous = previous;
        entry.next = previous.next;
        previous.next.previous = entry;
        previous.next = entry;
        this.#count(entry);
    }

    /** The entry must be in this list. */
    remove(entry: OutboxEntry): void {
        if (entry.previous) entry.previous.next = entry.next;
        else this.first = entry.next;
        if (entry.next) entry.next.previous = entry.previous;
        else this.last = entry.previous;
        entry.previous = undefined;
        entry.next = undefined;
        entry.list = undefined;
        this.length -= 1;
        this.bytes -= entry.bytes;
        this.#shared?.add(-1, -entry.bytes);
    }

    /** Another entry, which is in no list, takes the place of one of this list. */
    replace(entry: OutboxEntry, by: OutboxEntry): void {
        const { previous, next } = entry;
        this.remove(entry);
        by.previous = previous;
        by.next = next;
        if (previous) previous.next = by;
        else this.first = by;
        if (next) next.previous = by;
        else this.last = by;
        this.#count(by);
    }

    /** Every entry from the first to the last; the one just yielded may be removed meanwhile. */
    *[Symbol.iterator](): Generator<OutboxEntry> {
        for (let entry = this.first; entry; ) {
            const next: OutboxEntry | undefined = entry.next;
            yield entry;
            entry = next;
        }
    }

    #count(entry: OutboxEntry): void {
        entry.list = this;
        this.length += 1;
        this.bytes += entry.bytes;
        this.#shared?.add(1, entry.bytes);
    }
}

/** What several lists hold together, to bound the sum. */
export class MemoryUse {
    events = 0;
    bytes = 0;

    /** Adds events; takes them away when the numbers are negative. */
    add(events: number, bytes: number): void {
        this.events += events;
        this.bytes += bytes;
    }
}
