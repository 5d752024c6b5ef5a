import type { OutboxEntry } from "./outbox-entry";

/** What several lists hold together, to bound the sum. */
export interface MemoryUse {
    events: number;
    bytes: number;
}

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

    shift(): OutboxEntry | undefined {
        const entry = this.first;
        if (entry) this.remove(entry);
        return entry;
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
        if (this.#shared) {
            this.#shared.events -= 1;
            this.#shared.bytes -= entry.bytes;
        }
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
        if (this.#shared) {
            this.#shared.events += 1;
            this.#shared.bytes += entry.bytes;
        }
    }
}
