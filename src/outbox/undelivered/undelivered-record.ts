import type { GatewayError } from "../../errors";
import type { CompletionCallbacks, OutboxEvent, RefusalNote, UndeliveredEvent } from "../event";
import type { StoredUndelivered, UndeliveredState } from "../store/store";

/** An undelivered event in memory. Only this file assigns its fields. */
export class UndeliveredRecord implements StoredUndelivered {
    readonly event: OutboxEvent;
    readonly error: GatewayError;
    readonly refusal: RefusalNote | undefined;
    readonly enteredAt: number;
    readonly endedAt: number;
    /** Its number in the store; 0 until it is to be written. */
    id = 0;
    state: UndeliveredState = "waiting";
    isStored = false;
    /** Whether it is in memory until it has been handed over. */
    isInLine = false;
    /** When it was raised last (monotonic). */
    raisedMs: number | undefined;
    /** The event's row in the outbox, which goes when this one is written. */
    row: LeavingRow | undefined;
    #completion: CompletionCallbacks | undefined;

    constructor(
        { event, error, refusal, enteredAt, endedAt }: UndeliveredEvent,
        completion: CompletionCallbacks | undefined,
        row?: LeavingRow,
    ) {
        this.event = event;
        this.error = error;
        this.refusal = refusal;
        this.enteredAt = enteredAt;
        this.endedAt = endedAt;
        this.row = row;
        this.#completion = completion;
    }

    /** From now on it keeps its place in memory. */
    lineUp(): void {
        this.isInLine = true;
    }

    /** It gets a number, and is written. */
    numbered(id: number): void {
        this.id = id;
    }

    /** The store holds it; `state` is as it was written. */
    stored(): void {
        this.isStored = true;
        this.row = undefined;
    }

    /** It was read from the store. */
    loaded(id: number): void {
        this.id = id;
        this.isStored = true;
    }

    /** The store holds other contents than before. */
    forgotten(): void {
        this.id = 0;
        this.isStored = false;
        this.row = undefined;
    }

    raised(atMs: number): void {
        this.raisedMs = atMs;
    }

    /** It has been handed over. */
    confirmed(isCaught: boolean): void {
        this.state = isCaught ? "caught" : "uncaught";
    }

    /** Gives out the completion, once. */
    takeCompletion(): CompletionCallbacks | undefined {
        const completion = this.#completion;
        this.#completion = undefined;
        return completion;
    }
}

/** A row of the outbox whose event has ended. */
export interface LeavingRow {
    readonly seq: number;
    /** Whether it is in the store for certain. */
    readonly isStored: boolean;
}
