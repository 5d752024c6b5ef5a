/** What the user chose for one outbox. */
export interface OutboxLimits {
    /** Payload bytes kept at most, sent or not, until they are acknowledged. */
    readonly maxBytes: number;
    /** Events older than this expire. */
    readonly maxAgeMs: number;
    /** What gives way when a limit is reached: the new event, or the oldest one. */
    readonly whenFull: "reject" | "drop-oldest";
    /** Events sent each second at most; 0 = no limit. */
    readonly maxRate: number;
    /** Unacknowledged publishes at most. */
    readonly maxInFlight: number;
    /** Whether events are taken while there is no connection. */
    readonly acceptsOffline: boolean;
}

/** How much the outbox keeps in memory; the rest lives in the store. Tests make these small to reach every hand-over. */
export interface MemoryLimits {
    /** Events ready to be sent, and their bytes. */
    readonly readyEvents: number;
    readonly readyBytes: number;
    /** Events of one device that may not be sent now. */
    readonly laneEvents: number;
    /** Events, and their bytes, of all such devices together. */
    readonly lanesEvents: number;
    readonly lanesBytes: number;
    /** Events, and their bytes, that wait to be stored because they do not fit in memory otherwise. */
    readonly unsavedEvents: number;
    readonly unsavedBytes: number;
    /** Events, and their bytes, of one transaction and of one read. */
    readonly batchEvents: number;
    readonly batchBytes: number;
    /** Senders that wait for an acknowledgement. */
    readonly waitingCompletions: number;
}

const mebibyte = 1024 * 1024;

/** The limits of memory in use: some 30 MB in the worst case, a few in practice. */
export const defaultMemoryLimits: MemoryLimits = {
    readyEvents: 4000,
    readyBytes: 4 * mebibyte,
    laneEvents: 16,
    lanesEvents: 4000,
    lanesBytes: 4 * mebibyte,
    unsavedEvents: 50_000,
    unsavedBytes: 16 * mebibyte,
    batchEvents: 500,
    batchBytes: mebibyte,
    waitingCompletions: 10_000,
};

/**
 * Events kept at most. Empty payloads have no bytes to count, so that the number is bounded as well: one event for each 50 bytes of the
 * limit, and never fewer than 10 000.
 */
export function maxEvents(limits: OutboxLimits): number {
    return Math.max(10_000, Math.floor(limits.maxBytes / 50));
}

/** Held devices together may use this part of `maxBytes`, so that they cannot stop the others. */
export const heldShare = 0.5;
