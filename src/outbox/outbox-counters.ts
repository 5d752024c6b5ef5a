/** What the outbox holds and has done, for statuses and tests. */
export interface OutboxCounters {
    /** Events not acknowledged yet, wherever they are, and their payload bytes. */
    readonly queued: number;
    readonly queuedBytes: number;
    readonly inFlight: number;
    /** Devices whose events wait for a first contact or for the end of a hold. */
    readonly waitingDevices: number;
    /** Payload bytes of held devices. */
    readonly heldBytes: number;
    readonly acknowledged: number;
    readonly expired: number;
    readonly dropped: number;
    readonly refused: number;
    /** Transactions of the store, and events written by them. */
    readonly groups: number;
    readonly writtenEvents: number;
    /** Whether the store cannot be used now: events are kept in memory only. */
    readonly isStoreFailing: boolean;
}
