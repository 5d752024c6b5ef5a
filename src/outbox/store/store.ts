import type { GatewayError } from "../../errors";
import type { FileTime } from "../age-clock";
import type { OutboxEvent, Priority, SourceMessage, UndeliveredEvent } from "../event";

/** What a store holds when it has been opened. */
export interface StoreContents {
    /** The largest sequence number in the store; 0 when it is empty. */
    readonly lastSeq: number;
    readonly events: number;
    readonly bytes: number;
    /**
     * The file is the one that this store object had open before and nobody else has used it since: what was written then is still
     * there under the same numbers. False at the first opening, and when the file had to be set aside or was used by another process.
     */
    readonly isContinued: boolean;
    readonly time: FileTime;
    readonly undelivered: UndeliveredTotals;
}

/** Notified when the events of a store become reachable or stop being so. */
export interface EventStoreListener {
    opened(contents: StoreContents): void;
    /** Nothing can be read or written until `opened` is called again. */
    closed(): void;
    /** What the store is to hold of the clock by which events age: every write takes it along. */
    clockNote(): string;
}

/** The events of one priority with `after < seq <= upTo`, of one device or of all, in the order of their numbers. */
export interface ReadRange {
    readonly priority: Priority;
    readonly after: number;
    readonly upTo: number;
    readonly device?: string | undefined;
    readonly maxEvents: number;
    readonly maxBytes: number;
}

/** Some events of a range from its beginning. */
export interface ReadBatch {
    readonly events: readonly OutboxEvent[];
    /** Whether the range holds no more than these. */
    readonly isComplete: boolean;
}

/** What a store holds of one device and priority. */
export interface DeviceTotal {
    readonly device: string;
    readonly priority: Priority;
    readonly events: number;
    readonly bytes: number;
    /** The largest sequence number among them. */
    readonly lastSeq: number;
}

/** Some totals, and whether there are no more. */
export interface DeviceTotals {
    readonly totals: readonly DeviceTotal[];
    readonly isComplete: boolean;
}

/** An event in a store that newer ones of its node, device and event id supersede. */
export interface StoredLatest {
    readonly seq: number;
    readonly device: string;
    readonly priority: Priority;
    readonly bytes: number;
    readonly message: Pick<SourceMessage, "nodeId" | "eventId">;
}

/** Some of them in the order of their numbers, and whether there are no more. */
export interface LatestBatch {
    readonly events: readonly StoredLatest[];
    readonly isComplete: boolean;
}

/** The last event of an answer about expired ones. */
export interface ExpiredCursor {
    readonly expiresAt: number;
    readonly seq: number;
}

/** Events whose time was up, soonest first, and when the time of the next one will be. */
export interface ExpiredBatch {
    readonly events: readonly OutboxEvent[];
    readonly nextExpiresAt: number | undefined;
}

/**
 * Keeps events by sequence number. Requests are carried out in the order in which they are made, so a read sees every write asked for
 * before it. A request that fails has changed nothing and can be made again. Each request is answered once, possibly before it returns;
 * with an error the result is empty.
 */
export interface EventStore {
    /** When the oldest event in the store entered the outbox, as of the last answer; undefined when there is none. */
    readonly oldestCreatedAt: number | undefined;
    /** Starts reporting; the first `opened` or `closed` comes when opening has ended, possibly before this returns. */
    attach(listener: EventStoreListener): void;
    /**
     * Removes and stores in one transaction, in this order, together with the changes of the undelivered events: a number in both gets other
     * contents. Storing an event that is there, or removing a number that is not, changes nothing. Where another event has the number of one
     * to be stored, the commit fails, and the store is opened again with unknown contents.
     */
    commit(
        writes: readonly OutboxEvent[],
        removals: readonly number[],
        finished: (error: GatewayError | undefined, outcome?: UndeliveredOutcome) => void,
        undelivered?: UndeliveredChanges,
    ): void;
    /** Reads undelivered events that are to be handed over, after a number. */
    readUndelivered(
        after: number,
        max: { readonly events: number; readonly bytes: number },
        finished: (error: GatewayError | undefined, batch: UndeliveredBatch) => void,
    ): void;
    /** Lists undelivered events that are kept, the latest first, without their payloads. */
    listUndelivered(selection: KeptSelection, place: KeptPlace, finished: (error: GatewayError | undefined, page: KeptPage) => void): void;
    /** Reads undelivered events that are kept, by their numbers, after one. */
    readKept(
        selection: KeptSelection,
        after: number,
        max: { readonly events: number; readonly bytes: number },
        finished: (error: GatewayError | undefined, batch: UndeliveredBatch) => void,
    ): void;
    /** Calls once, possibly before this returns, when a commit would be carried out soon: when the commits of other files are over. */
    whenFree(next: () => void): void;
    read(range: ReadRange, finished: (error: GatewayError | undefined, batch: ReadBatch) => void): void;
    /**
     * Adds up what each device has of each priority, from an index: without reading the events. Begins after the last total of the answer
     * before, and at the beginning without one.
     */
    readDevices(
        after: DeviceTotal | undefined,
        maxTotals: number,
        finished: (error: GatewayError | undefined, totals: DeviceTotals) => void,
    ): void;
    /** Finds the events after a number that newer ones supersede, by an index, without their payloads. */
    readLatest(after: number, maxEvents: number, finished: (error: GatewayError | undefined, batch: LatestBatch) => void): void;
    /**
     * Finds the events whose time was up at `atMs`, at most `maxEvents` of them, after the last one of the answer before.
     * Removes nothing.
     */
    readExpired(
        atMs: number,
        after: ExpiredCursor | undefined,
        maxEvents: number,
        finished: (error: GatewayError | undefined, batch: ExpiredBatch) => void,
    ): void;
    /**
     * Moves the times of all events of this run, those after a number, because the clock by which they age was moved. When it fails, `closed`
     * follows: nothing can be read with the old times.
     */
    shiftTimes(afterSeq: number, byMs: number, finished: (error: GatewayError | undefined) => void): void;
}

/** Small facts that outlive a restart: known and held devices, filters of a durable session, firmware states. */
export interface StateStore {
    /** What the file held under this kind when it was opened, with the changes made since. Empty until the store is ready. */
    entries(kind: string): Iterable<[key: string, value: string]>;
    /** Notes a value; it is written with the next group. */
    put(kind: string, key: string, value: string): void;
    /** Forgets a value; the removal is written with the next group. */
    remove(kind: string, key: string): void;
    /** Resolves when everything noted before is durable; rejects with `GW_STORE` when it could not be written. */
    flush(): Promise<void>;
}

/** An undelivered event as a store holds it. */
export interface StoredUndelivered extends UndeliveredEvent {
    /** Grows with each one. */
    readonly id: number;
    readonly state: UndeliveredState;
}

/** To be handed over; handed over; or handed over, and a Catch node got it. */
export type UndeliveredState = "waiting" | "uncaught" | "caught";

/** What a commit changes of the undelivered events, besides. */
export interface UndeliveredChanges {
    /** New ones. One whose number is there already changes nothing. */
    readonly added: readonly StoredUndelivered[];
    /** Numbers of those that were handed over: they are kept, or removed where nothing is kept. */
    readonly caught: readonly number[];
    readonly uncaught: readonly number[];
    /** Numbers of those that are sent again, or deleted. */
    readonly removed: readonly number[];
    /** Events up to this number are with the flows: they give way to nobody. */
    readonly raisedUpTo: number;
    readonly limits: UndeliveredLimits;
}

/** How much of the undelivered events is stored; beyond that the oldest are forgotten. */
export interface UndeliveredLimits {
    readonly maxWaitingBytes: number;
    /** 0 = nothing is kept. */
    readonly maxKeptBytes: number;
}

/** What a store holds of undelivered events. */
export interface UndeliveredTotals {
    /** The largest number given so far. */
    readonly lastId: number;
    readonly waiting: number;
    readonly waitingBytes: number;
    readonly kept: number;
    readonly keptBytes: number;
}

/** The totals after a commit, and how many events gave way to others. */
export interface UndeliveredOutcome extends UndeliveredTotals {
    readonly forgottenWaiting: number;
    readonly forgottenKept: number;
    /** What gave way while it waited are all that waited after `raisedUpTo` and up to this number; 0 = none. */
    readonly forgottenUpTo: number;
}

/** Some undelivered events that are to be handed over, by their numbers. */
export interface UndeliveredBatch {
    readonly events: readonly StoredUndelivered[];
    readonly isComplete: boolean;
}

/** Which of the kept undelivered events are meant. */
export interface KeptSelection {
    /** Absent: all. */
    readonly ids?: readonly number[] | undefined;
    /** A part of `typeId/deviceId`, in any case; blank = any device. */
    readonly search: string;
    /** Whether those are meant too that a Catch node got. */
    readonly includesCaught: boolean;
}

/** A part of a list. */
export interface KeptPlace {
    readonly offset: number;
    readonly limit: number;
}

/** A kept event without its payload. */
export interface KeptSummary {
    readonly id: number;
    readonly device: string;
    readonly eventId: string;
    readonly code: string;
    readonly rc?: number;
    readonly reason: string;
    /** Wall-clock milliseconds. */
    readonly enteredAt: number;
    readonly endedAt: number;
    /** Bytes of the payload. */
    readonly size: number;
    readonly caught: boolean;
}

/** A part of the list of kept events, and how many are selected. */
export interface KeptPage {
    readonly events: readonly KeptSummary[];
    readonly total: number;
}
