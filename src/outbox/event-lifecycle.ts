import type { Clock } from "../clock";
import type { GatewayError } from "../errors";
import { type CompletionCallbacks, type CompletionMode, type OutboxEvent, type Priority, priorities, type RefusalNote } from "./event";
import { EventCount } from "./event-count";
import { abandonedError, droppedError, expiredError, lostError, purgedError } from "./event-errors";
import type { LatestIndex, QueuedEvent } from "./queue/latest-index";
import { LatestState } from "./queue/latest-state";
import { OutboxEntry } from "./queue/outbox-entry";
import type { WaitingEvents } from "./queue/waiting-events";
import type { DeviceTotal } from "./store/store";
import type { StoredEvents } from "./storing/stored-events";
import type { UnsavedEvents } from "./storing/unsaved-events";
import type { UndeliveredListener } from "./undelivered/hand-over";
import type { EndedEvent, UndeliveredEvents } from "./undelivered/undelivered-events";

/** What becomes of each event: counts it, calls its sender back, and lets go of it when it is finished. */
export class EventLifecycle {
    /** Events not acknowledged, wherever they are, and their bytes. */
    events = 0;
    bytes = 0;
    /** The same by priority. What the store held when it was opened is among them as soon as that has been added up. */
    readonly classes: Readonly<Record<Priority, EventCount>> = { high: new EventCount(), normal: new EventCount(), low: new EventCount() };
    acknowledged = 0;
    recalledEvents = 0;
    expired = 0;
    dropped = 0;
    refused = 0;
    /** Events that were given up because the server closes the connection over them. */
    undeliverable = 0;
    /** Refused events that had been acknowledged before. */
    revoked = 0;
    superseded = 0;
    /** Events that the store held when it was opened, less those that it has lost since. */
    takenOver = 0;
    readonly #options: EventLifecycleOptions;
    #completions = 0;
    #supersededSenders = 0;

    constructor(options: EventLifecycleOptions) {
        this.#options = options;
    }

    /** Senders that wait until their event is acknowledged, because storing it does not complete it. */
    get waitingCompletions(): number {
        return this.#completions;
    }

    /** Senders whose events were superseded by one that is not safe yet. */
    get supersededSenders(): number {
        return this.#supersededSenders;
    }

    /** A new event, at this time of the monotonic clock. */
    admit(entry: OutboxEntry, nowMs: number): void {
        this.#count(entry, 1);
        if (entry.completion && this.#waitsForAcknowledgement(entry.completionMode)) this.#completions += 1;
        this.#options.unsaved.admitted(entry, nowMs);
        if (entry.latest) this.#options.latest.add(entry);
    }

    /** The event is on disk now. */
    stored(entry: OutboxEntry): void {
        if (entry.completionMode === "safe") this.#takeCompletion(entry)?.done();
        this.#endSuperseded(entry);
        const { covered } = entry;
        if (!covered) return;
        entry.covers([]);
        for (const older of covered) this.stored(older);
    }

    /** A newer event takes over from one that waited: that one is done as soon as the newer one is safe. */
    supersede(older: QueuedEvent, newer: OutboxEntry): void {
        const { unsaved, storesEvents } = this.#options;
        this.superseded += 1;
        this.#count(older, -1);
        const entry = older instanceof OutboxEntry ? older : undefined;
        const completion = entry ? this.#takeCompletion(entry) : this.#takeStoredCompletion(older.seq);
        if (completion) this.#supersededSenders += 1;
        newer.latest?.inherit(entry?.latest ?? new LatestState(), completion);
        entry?.finished();
        if (entry) unsaved.remove(entry);
        // The newer one may be safe already, and where nothing is durable, there is nothing to wait for.
        if (!storesEvents || newer.row === "stored") this.#endSuperseded(newer);
    }

    /** An event takes a more urgent place. */
    changeClass({ bytes }: OutboxEntry, from: Priority, to: Priority): void {
        this.classes[from].add(-1, -bytes);
        this.classes[to].add(1, bytes);
    }

    /** The same for two events of an earlier run: the newer one is safe already. */
    supersedeStored(older: QueuedEvent): void {
        this.superseded += 1;
        this.#count(older, -1);
    }

    /** An event comes back from a broken connection, although a newer one was delivered. */
    supersedeReturned(entry: OutboxEntry): void {
        this.superseded += 1;
        this.#end(entry);
        this.#takeCompletion(entry)?.done();
    }

    /** The event was delivered. */
    delivered(entry: OutboxEntry): void {
        this.#count(entry, -1);
        this.acknowledged += 1;
        this.#takeCompletion(entry)?.done();
        if (!entry.latest) return;
        this.#endSuperseded(entry);
        this.#overtakeOlder(entry);
    }

    /** An event that was delivered has not been after all, and is to be sent again. */
    recalled(entry: OutboxEntry): void {
        this.#count(entry, 1);
        this.recalledEvents += 1;
    }

    /** An event that was delivered will not be sent again. */
    settled(entry: OutboxEntry): void {
        this.#release(entry);
    }

    /** The event outlived its time. */
    expire(entry: OutboxEntry, ageMs: number): void {
        this.expired += 1;
        this.#endUndelivered(entry, expiredError(entry, ageMs));
    }

    /** The platform refuses the event for good, or it cannot be delivered. */
    refuse(entry: OutboxEntry, error: GatewayError): void {
        if (error.code === "GW_UNDELIVERABLE") this.undeliverable += 1;
        else this.refused += 1;
        this.#endUndelivered(entry, error);
    }

    /** The platform has acknowledged the event, and refuses it all the same. */
    revoke(entry: OutboxEntry, error: GatewayError, refusal: RefusalNote): void {
        this.refused += 1;
        this.revoked += 1;
        const completion = this.#takeCompletion(entry);
        this.#handOver(entry, error, { completion, refusal });
    }

    /** An operator gives the event up. For its sender, its time is over: it will not be delivered any more. */
    purge(entry: OutboxEntry): void {
        this.dropped += 1;
        this.#end(entry);
        this.#fail(entry, purgedError(entry));
    }

    /** The event gives way to a newer one. */
    drop(entry: OutboxEntry): void {
        this.dropped += 1;
        this.#endUndelivered(entry, droppedError(entry), true);
    }

    /** The outbox stops before the event could be sent, and nothing keeps it. */
    abandon(entry: OutboxEntry): void {
        this.#end(entry);
        this.#takeCompletion(entry)?.failed(abandonedError(entry));
    }

    /** The store holds other contents than before: `memory` is in memory only, `store` in the store. */
    restart(memory: Iterable<OutboxEntry>, store: { events: number; bytes: number }): void {
        const before = this.events;
        this.events = store.events;
        this.bytes = store.bytes;
        for (const priority of priorities) this.classes[priority].clear();
        for (const entry of memory) this.#count(entry, 1);
        this.takenOver += this.events - before;
        if (store.events > 0) return;
        for (const { completion, completionMode } of this.#options.stored.takeCompletions()) {
            if (this.#waitsForAcknowledgement(completionMode)) this.#completions -= 1;
            completion.failed(lostError());
        }
    }

    /** The store holds this of a device: it is among what `restart` was given. */
    addStored({ priority, events, bytes }: DeviceTotal): void {
        this.classes[priority].add(events, bytes);
    }

    #count({ priority, bytes }: QueuedEvent, sign: 1 | -1): void {
        this.events += sign;
        this.bytes += sign * bytes;
        this.classes[priority].add(sign, sign * bytes);
    }

    #waitsForAcknowledgement(mode: CompletionMode): boolean {
        return mode === "acknowledged" || !this.#options.storesEvents;
    }

    #endUndelivered(entry: OutboxEntry, error: GatewayError, isDropped = false): void {
        this.#count(entry, -1);
        this.#handOver(entry, error, { completion: this.#takeCompletion(entry), isDropped });
    }

    /** Lets go of the event, which goes to the undelivered ones in one transaction. */
    #handOver(entry: OutboxEntry, error: GatewayError, details: Pick<EndedEvent, "completion" | "refusal" | "isDropped">): void {
        const { storesEvents, stored, undelivered, clock, now } = this.#options;
        this.#leave(entry);
        const isStored = entry.row === "stored";
        const seq = storesEvents ? stored.moving(entry) : undefined;
        if (!storesEvents) stored.finished(entry);
        const row = seq === undefined ? undefined : { seq, isStored };
        this.#finished(entry);
        const endedAt = clock.now();
        const enteredAt = endedAt - (now() - entry.createdAt);
        undelivered.add({ event: entry, error, enteredAt, endedAt, row, ...details });
    }

    #end(entry: OutboxEntry): void {
        this.#count(entry, -1);
        this.#release(entry);
    }

    /** Older ones under way are not sent again, in this run or the next: they would come after a newer one. */
    #overtakeOlder(entry: OutboxEntry): void {
        const { latest, stored, unsaved } = this.#options;
        for (const older of latest.of(entry)) {
            if (older.seq === entry.seq) return;
            if (!(older instanceof OutboxEntry) || older.state === "waiting" || older.latest?.isOvertaken) continue;
            unsaved.remove(older);
            stored.overtaken(older);
        }
    }

    #forget(entry: OutboxEntry): void {
        const { latest, stored } = this.#options;
        const first = latest.remove(entry, entry.message);
        // It was kept in memory because this one might have come back.
        if (first instanceof OutboxEntry && first.latest?.isAtHand && first.row === "stored") stored.unload(first);
    }

    #endSuperseded({ latest }: OutboxEntry): void {
        if (!latest?.senders) return;
        for (const completion of latest.takeSenders()) {
            this.#supersededSenders -= 1;
            completion.done();
        }
    }

    #takeStoredCompletion(seq: number): CompletionCallbacks | undefined {
        const taken = this.#options.stored.takeCompletion(seq);
        if (taken && this.#waitsForAcknowledgement(taken.completionMode)) this.#completions -= 1;
        return taken?.completion;
    }

    #release(entry: OutboxEntry): void {
        this.#leave(entry);
        this.#options.stored.finished(entry);
        this.#finished(entry);
    }

    #finished(entry: OutboxEntry): void {
        if (entry.latest) this.#forget(entry);
        entry.finished();
        this.#endSuperseded(entry);
        for (const older of entry.covered ?? []) {
            if (older.state === "inFlight" && !older.latest?.isOvertaken) this.#options.unsaved.storeNow(older);
        }
    }

    #leave(entry: OutboxEntry): void {
        const { waiting, unsaved } = this.#options;
        if (entry.state === "waiting") waiting.remove(entry);
        else entry.list?.remove(entry);
        unsaved.remove(entry);
        if (entry.undeliveredId !== undefined && entry.row !== "stored") this.#options.undelivered.moved(entry.undeliveredId);
    }

    #fail(entry: OutboxEntry, error: GatewayError): void {
        const completion = this.#takeCompletion(entry);
        if (completion) completion.failed(error);
        else this.#options.listener.lateError(error, entry);
    }

    #takeCompletion(entry: OutboxEntry): CompletionCallbacks | undefined {
        const completion = entry.takeCompletion();
        if (completion && this.#waitsForAcknowledgement(entry.completionMode)) this.#completions -= 1;
        return completion;
    }
}

/** Called for what no completion can be called for any more. */
export interface EventLifecycleListener extends UndeliveredListener {
    /** An event whose message was completed, or came from an earlier run, was ended by an operator. */
    lateError(error: GatewayError, event: OutboxEvent): void;
}

/** What an event leaves when it is finished, and who is called back. */
export interface EventLifecycleOptions {
    readonly clock: Clock;
    readonly listener: EventLifecycleListener;
    /** Whether storing an event makes it safe. */
    readonly storesEvents: boolean;
    readonly latest: LatestIndex;
    readonly waiting: WaitingEvents;
    readonly stored: StoredEvents;
    readonly unsaved: UnsavedEvents;
    readonly undelivered: UndeliveredEvents;
    /** Milliseconds of the clock by which events age. */
    now(): number;
}
