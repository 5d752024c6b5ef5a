import {
    type CompletionCallbacks,
    type CompletionMode,
    type EventEncoding,
    type NewEvent,
    type OutboxEvent,
    type Priority,
    plainEncoding,
    type SourceMessage,
} from "../event";
import { LatestState } from "./latest-state";

/**
 * An event in memory, with its state. One object an event: this is the hot path.
 *
 * | state          | meaning                                                | left by                                   |
 * |----------------|--------------------------------------------------------|-------------------------------------------|
 * | `waiting`      | in a queue, or taken out of it to be sent or finished  | `sent`, `unloaded`, `finished`            |
 * | `inFlight`     | sent, not acknowledged                                 | `acknowledged`, `returned`, `finished`    |
 * | `acknowledged` | acknowledged, but it may still have to be sent again   | `returned`, `finished`                    |
 * | `unloaded`     | it waits in the store only; this object is void        | –                                         |
 * | `finished`     | delivered, expired, dropped or refused: nobody uses it | –                                         |
 *
 * Besides, `row` says what is known of its row in the store, whatever the state. Only this file assigns the state; the links belong to
 * `EntryList` and `UnsavedEvents`.
 */
export class OutboxEntry implements OutboxEvent {
    seq: number;
    readonly device: string;
    priority: Priority;
    readonly isLatest: boolean;
    readonly topic: string;
    readonly payload: string | Buffer;
    readonly bytes: number;
    readonly qos: 1 | 2;
    createdAt: number;
    expiresAt: number;
    readonly message: SourceMessage;
    readonly encoding: EventEncoding;
    readonly returns: number;
    readonly completionMode: CompletionMode;
    /** Absent unless newer ones supersede it. */
    readonly latest: LatestState | undefined;
    /** Older events in flight that are not stored, because this one is. */
    covered: readonly OutboxEntry[] | undefined = undefined;
    /** Until it is called; afterwards errors go to the listener. */
    completion: CompletionCallbacks | undefined;

    state: EntryState = "waiting";
    row: RowState = "none";
    /** Number of the transmission that is under way or was acknowledged, 0 when there is none: answers to earlier ones are ignored. */
    transmission = 0;
    /** Where it ends in what that connection has written; 0 if its bytes do not count. */
    sentUpTo = 0;
    /** Whether that transmission is the check of its device. */
    isCheck = false;
    /** Whether it was acknowledged, and the platform may still show that it dropped it: so with a check until its outcome is known. */
    isOpen = false;
    /** Whether the link has let go of the acknowledged check, whose outcome is not known yet. */
    isSettled = false;

    /** The list of a queue, or of what is in flight. */
    list: EntryOwner | undefined = undefined;
    next: OutboxEntry | undefined = undefined;
    previous: OutboxEntry | undefined = undefined;
    /** The list of what is not stored. */
    isUnsaved = false;
    nextUnsaved: OutboxEntry | undefined = undefined;
    previousUnsaved: OutboxEntry | undefined = undefined;
    /** Monotonic milliseconds from which it is to be stored. */
    storeFromMs = 0;
    /** Its number among the undelivered events, if it is sent again: it leaves them when it is stored, or finished. */
    readonly undeliveredId: number | undefined;

    constructor(seq: number, event: EventContent, createdAt: number, expiresAt: number, completion: CompletionCallbacks | undefined) {
        this.seq = seq;
        this.device = event.device;
        this.priority = event.priority ?? "normal";
        this.topic = event.topic;
        this.payload = event.payload;
        this.bytes = event.bytes;
        this.qos = event.qos;
        this.createdAt = createdAt;
        this.expiresAt = expiresAt;
        this.message = event.message;
        this.encoding = event.encoding ?? plainEncoding;
        this.returns = event.returns ?? 0;
        this.isLatest = event.isLatest ?? false;
        this.latest = this.isLatest ? new LatestState() : undefined;
        this.completionMode = event.completionMode ?? "safe";
        this.completion = completion;
        this.undeliveredId = event.undeliveredId;
    }

    /** It is handed to the connection. */
    sent(transmission: number, isCheck: boolean, sentUpTo: number): void {
        this.state = "inFlight";
        this.transmission = transmission;
        this.sentUpTo = sentUpTo;
        this.isCheck = isCheck;
    }

    /** Whether the store holds it, under its number or for a moment still under another. */
    get isStored(): boolean {
        return this.row === "stored" || (this.latest?.isInOutdatedRow ?? false);
    }

    /** Whether the platform has it, as far as its sender and the counters are concerned. */
    get isDelivered(): boolean {
        return this.state === "acknowledged" && !this.isOpen;
    }

    /** The platform acknowledged it. */
    acknowledged(isOpen: boolean): void {
        this.state = "acknowledged";
        this.isOpen = isOpen || this.isCheck;
    }

    /** The link lets go of it before the outcome of the check is known. */
    settledEarly(): void {
        this.isSettled = true;
    }

    /** The check of its device succeeded, or no sign came that it was dropped: from now on it is an event like any other. */
    confirmed(): void {
        this.isCheck = false;
        this.isOpen = false;
    }

    /** It is to be sent again. */
    returned(): void {
        this.state = "waiting";
        this.transmission = 0;
        this.isCheck = false;
        this.isOpen = false;
        this.isSettled = false;
        this.latest?.returned();
    }

    /** Its row is to be removed, although nothing is known of its own end: a newer one was delivered. */
    overtaken(): void {
        this.row = "none";
        this.latest?.overtaken();
    }

    /** A newer one is stored in the place of its row. */
    rowGiven(): void {
        this.row = "none";
        this.latest?.outdates(undefined);
    }

    /** Older ones in flight are not stored, but this one in their stead. */
    covers(older: readonly OutboxEntry[]): void {
        this.covered = older;
    }

    /** It supersedes what is in these rows, its own perhaps included: it is to be stored in their place. */
    outdates(rows: readonly number[]): void {
        this.latest?.outdates(rows, this.row === "stored");
        this.row = "none";
    }

    /** It takes the place of one that it supersedes. */
    takesPlace({ seq, priority }: Pick<OutboxEvent, "seq" | "priority">): void {
        this.seq = seq;
        this.priority = priority;
    }

    /** It leaves memory: from now on it is only stored. */
    unloaded(): void {
        this.state = "unloaded";
    }

    /** Nothing more happens to it. */
    finished(): void {
        this.state = "finished";
        this.transmission = 0;
    }

    /** Gives out the completion, once. */
    takeCompletion(): CompletionCallbacks | undefined {
        const { completion } = this;
        this.completion = undefined;
        return completion;
    }

    /** It is part of a commit. Whatever becomes of that, the row may be there from now on. */
    writing(): void {
        if (this.row === "none") this.row = "possible";
    }

    /** The store holds it. */
    stored(): void {
        this.row = "stored";
        this.latest?.outdates(undefined);
    }

    /** The store holds other contents than before: none of it, and other events under the lower numbers. */
    renumber(shift: number): void {
        this.seq += shift;
        this.row = "none";
        this.latest?.outdates(undefined);
        this.latest?.keepAtHand(false);
    }

    /** The clock that its times were taken from was moved. */
    moveTimes(byMs: number): void {
        this.createdAt += byMs;
        this.expiresAt += byMs;
    }
}

export type EntryState = "waiting" | "inFlight" | "acknowledged" | "unloaded" | "finished";

/** Whether the store holds the event: no; it was part of a commit that failed or is under way, so perhaps; or yes. */
export type RowState = "none" | "possible" | "stored";

/** What a new event and one from the store have in common. Of a stored one nobody knows how it was to be completed. */
export type EventContent = Pick<OutboxEvent, "device" | "topic" | "payload" | "bytes" | "qos" | "message"> &
    Partial<Pick<NewEvent, "priority" | "isLatest" | "completionMode" | "encoding" | "returns">> & {
        readonly undeliveredId?: number | undefined;
    };

/** The list that an entry is in. */
export interface EntryOwner {
    remove(entry: OutboxEntry): void;
    /** Another entry takes the place of one. */
    replace(entry: OutboxEntry, by: OutboxEntry): void;
}
