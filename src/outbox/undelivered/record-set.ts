import type { UndeliveredRecord } from "./undelivered-record";

/** Records in the order in which they were added, and the bytes of their events. */
export class RecordSet implements Iterable<UndeliveredRecord> {
    readonly #records = new Set<UndeliveredRecord>();
    #bytes = 0;

    constructor(records: Iterable<UndeliveredRecord> = []) {
        for (const record of records) this.add(record);
    }

    get size(): number {
        return this.#records.size;
    }

    get bytes(): number {
        return this.#bytes;
    }

    [Symbol.iterator](): Iterator<UndeliveredRecord> {
        return this.#records[Symbol.iterator]();
    }

    add(record: UndeliveredRecord): void {
        if (this.#records.has(record)) return;
        this.#records.add(record);
        this.#bytes += record.event.bytes;
    }

    delete(record: UndeliveredRecord): void {
        if (this.#records.delete(record)) this.#bytes -= record.event.bytes;
    }
}
