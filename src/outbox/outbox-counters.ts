/** What the outbox holds and has done, for statuses and tests. */
export interface OutboxCounters {
    /** Events not acknowledged yet, wherever they are, and their payload bytes. */
    readonly queued: number;
    readonly queuedBytes: number;
    readonly inFlight: number;
    /** Devices whose events wait for a registration attempt or for the end of a hold. */
    readonly waitingDevices: number;
    /** Payload bytes of held devices. */
    readonly heldBytes: number;
    /** `queued` by priority. For a moment after the file was opened, what it holds is not among them. */
    readonly high: number;
    readonly normal: number;
    readonly low: number;
    /** When the oldest of them entered the outbox (wall clock). It may be an event that has been acknowledged a moment ago. */
    readonly oldestAt: number | undefined;
    /** Events of high priority that are not in flight. */
    readonly unsentHigh: number;
    readonly acknowledged: number;
    /** Acknowledged events that had to be sent again, because the platform dropped them. */
    readonly recalled: number;
    readonly expired: number;
    readonly dropped: number;
    readonly refused: number;
    /** Refused events that had been acknowledged before. */
    readonly revoked: number;
    /** Events that were given up because the server closed the connection over them. */
    readonly undeliverable: number;
    /** Events that ended without delivery: to be handed over, and kept. */
    readonly undelivered: number;
    /** Those of them that gave way to others. */
    readonly undeliveredForgotten: number;
    /** Events whose place a newer one took; they are done. */
    readonly superseded: number;
    /** Events of earlier runs, less those that were lost with their file. */
    readonly takenOver: number;
    /** Events that were not taken. */
    readonly rejected: number;
    /** Transactions of the store, and events written by them. */
    readonly groups: number;
    readonly writtenEvents: number;
    /** Whether the store cannot be used now: events are kept in memory only. */
    readonly isStoreFailing: boolean;
}
