import { overheadBytes } from "../outbox-limits";
import type { KeptPage, KeptPlace, KeptSelection, KeptSummary, UndeliveredBatch } from "../store/store";
import type { UndeliveredRecord } from "./undelivered-record";

/** The memory of the undelivered events where nothing is stored. */
const memoryBytes = 10_485_760;

/** Numbers above this one are in memory. A file of an earlier run numbers its own from 1 on, and never comes so far. */
const lastNumberOfFiles = 2 ** 52;

/** Whether the number of an undelivered event is one in memory, where nothing is stored. */
export function isNumberInMemory(id: number): boolean {
    return id > lastNumberOfFiles;
}

/** Where nothing is stored: the undelivered events that were handed over and are kept, and the memory that they share with those that wait. */
export class KeptInMemory {
    /** The oldest first. */
    readonly #records = new Set<UndeliveredRecord>();
    #bytes = 0;
    #lastId = lastNumberOfFiles;

    get count(): number {
        return this.#records.size;
    }

    get oldest(): UndeliveredRecord | undefined {
        const [oldest] = this.#records;
        return oldest;
    }

    /** Whether kept and waiting ones take more memory than they may. */
    get isOver(): boolean {
        return this.#bytes > memoryBytes;
    }

    /** The event takes memory, from its end on, and gets a number. */
    ended(record: UndeliveredRecord): void {
        record.numbered(++this.#lastId);
        this.#bytes += sizeOf(record);
    }

    /** The event was handed over, and is kept. */
    keep(record: UndeliveredRecord): void {
        this.#records.add(record);
    }

    /** The event, kept or waiting, takes no memory any more. */
    letGo(record: UndeliveredRecord): void {
        this.#records.delete(record);
        this.#bytes -= sizeOf(record);
    }

    /** Lets go of a kept event. */
    remove(id: number): void {
        for (const record of this.#records) {
            if (record.id !== id) continue;
            this.letGo(record);
            return;
        }
    }

    /** See `EventStore.listUndelivered`. */
    list(selection: KeptSelection, { offset, limit }: KeptPlace): KeptPage {
        const selected = [...this.#records].filter((record) => isSelected(selection, record)).reverse();
        return { events: selected.slice(offset, offset + limit).map(summaryOf), total: selected.length };
    }

    /** See `EventStore.readKept`. */
    read(selection: KeptSelection, after: number, maxEvents: number): UndeliveredBatch {
        const selected = [...this.#records].filter((record) => record.id > after && isSelected(selection, record));
        return { events: selected.slice(0, maxEvents), isComplete: selected.length <= maxEvents };
    }
}

function sizeOf({ event }: UndeliveredRecord): number {
    return event.bytes + overheadBytes;
}

function isSelected({ ids, search, includesCaught }: KeptSelection, { id, state, event }: UndeliveredRecord): boolean {
    if (state === "caught" && !includesCaught) return false;
    return (ids === undefined || ids.includes(id)) && event.device.toLowerCase().includes(search.toLowerCase());
}

function summaryOf({ id, state, event, error, enteredAt, endedAt }: UndeliveredRecord): KeptSummary {
    const { device, message, payload } = event;
    return {
        id,
        device,
        eventId: message.eventId,
        code: error.code,
        ...(error.rc !== undefined && { rc: error.rc }),
        reason: error.message,
        enteredAt,
        endedAt,
        size: Buffer.byteLength(payload),
        caught: state === "caught",
    };
}
