import type { Priority } from "./event";

/** What the user chose for one outbox. */
export interface OutboxLimits {
    /** Bytes of payloads and ids kept at most, sent or not, until they are acknowledged. */
    readonly maxBytes: number;
    /** The part of the outbox, from 0 to 1, that only events of high priority may use. */
    readonly reservedShare: number;
    /** Events older than this expire. */
    readonly maxAgeMs: number;
    /** Bytes of undelivered events that are kept after they were handed over; 0 = none. */
    readonly maxKeptBytes: number;
    /** What gives way when a limit is reached: the new event, or the oldest one. */
    readonly whenFull: "reject" | "drop-oldest";
    /** Events sent each second at most; 0 = no limit. */
    readonly maxRate: number;
    /** Unacknowledged publishes at most. */
    readonly maxInFlight: number;
    /** Whether events are taken while there is no connection. */
    readonly acceptsOffline: boolean;
}

/** How much the outbox keeps in memory; the rest lives in the store. Tests make these small to reach every limit. */
export interface MemoryLimits {
    /** Events ready to be sent, and their bytes. */
    readonly readyEvents: number;
    readonly readyBytes: number;
    /** Events of one device that are read at a time when its turn comes. */
    readonly deviceEvents: number;
    /** Events, and their bytes, that wait to be stored because they do not fit in memory otherwise. */
    readonly unsavedEvents: number;
    readonly unsavedBytes: number;
    /** Events, and their bytes, of one transaction and of one read. */
    readonly batchEvents: number;
    readonly batchBytes: number;
    /** Senders that wait for an acknowledgement. */
    readonly waitingCompletions: number;
    /** Devices that have something waiting: a new one beyond them is not taken. */
    readonly waitingDevices: number;
}

const mebibyte = 1024 * 1024;

/** The limits of memory in use: some 30 MB in the worst case, a few in practice. */
export const defaultMemoryLimits: MemoryLimits = {
    readyEvents: 4000,
    readyBytes: 4 * mebibyte,
    deviceEvents: 32,
    unsavedEvents: 50_000,
    unsavedBytes: 16 * mebibyte,
    batchEvents: 500,
    batchBytes: mebibyte,
    waitingCompletions: 10_000,
    waitingDevices: 250_000,
};

/** Up to this number, events count for no more than their bytes. */
const smallNumber = 10_000;
/** What an event takes of the heap beside its payload and ids: measured, some 560 bytes. */
export const overheadBytes = 500;

/**
 * Whether an outbox may not hold so much. Empty payloads have hardly any bytes to count, so the number is bounded as well: one event for each
 * 50 bytes of the limit. Of events that are kept in memory only, each counts 500 bytes more than its own, or a flood of small ones
 * would take several times the memory that the user allowed. The first 10 000 are free of both. `share` is the part of all this that may be
 * used.
 */
export function isBeyond(limits: OutboxLimits, isDurable: boolean, events: number, bytes: number, share: number): boolean {
    const maxBytes = limits.maxBytes * share;
    const freeEvents = smallNumber * share;
    if (bytes > maxBytes) return true;
    if (events <= freeEvents) return false;
    return isDurable ? events > maxBytes / 50 : bytes + (events - freeEvents) * overheadBytes > maxBytes;
}

/** The part of the outbox that events of a priority may fill. */
export function shareOf(priority: Priority, { reservedShare }: OutboxLimits): number {
    return priority === "high" ? 1 : 1 - reservedShare;
}

/** Held devices together may use this part of `maxBytes`, so that they cannot stop the others. */
export const heldShare = 0.5;
