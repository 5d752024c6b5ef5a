import { GatewayError } from "../errors";
import { translate } from "../i18n";
import type { CompletionCallbacks, CompletionMode, OutboxEvent } from "./event";
import { OutboxEntry } from "./queue/outbox-entry";
import type { GroupWriter } from "./storing/group-writer";

/** What the lifecycle tells that no completion can be told any more. */
export interface EventLifecycleListener {
    /** An event whose message was completed, or came from an earlier run, will not be delivered after all. */
    lateError(error: GatewayError, event: OutboxEvent): void;
    /** Events were dropped to make room for newer ones; `sinceLast` counts those that had been reported done. At most every ten seconds. */
    dropped(error: GatewayError, event: OutboxEvent, sinceLast: number): void;
}

const dropsEveryMs = 10_000;

interface WaitingCompletion {
    readonly completion: CompletionCallbacks;
    readonly completionMode: CompletionMode;
    readonly device: string;
    readonly eventId: string;
}

/** Counts what the outbox holds and tells each sender the fate of its event. */
export class EventLifecycle {
    events = 0;
    bytes = 0;
    acknowledged = 0;
    expired = 0;
    dropped = 0;
    refused = 0;
    readonly #writer: () => GroupWriter;
    readonly #listener: EventLifecycleListener;
    readonly #isDurable: boolean;
    /** Completions of events that are in the store only, by sequence number. */
    readonly #waiting = new Map<number, WaitingCompletion>();
    #completions = 0;
    #unreportedDrops = 0;
    #lastUnreported: { error: GatewayError; event: OutboxEvent } | undefined;
    #lastDropReportedMs = Number.NEGATIVE_INFINITY;

    constructor(options: { listener: EventLifecycleListener; isDurable: boolean; writer: () => GroupWriter }) {
        this.#listener = options.listener;
        this.#isDurable = options.isDurable;
        this.#writer = options.writer;
    }

    /** Senders that wait until their event is acknowledged, because storing it does not complete it. */
    get waitingCompletions(): number {
        return this.#completions;
    }

    /** A new event, with whom to tell. */
    admit(entry: OutboxEntry, completion: CompletionCallbacks | undefined): void {
        this.events += 1;
        this.bytes += entry.bytes;
        entry.completion = completion;
        if (completion && this.#waitsForAcknowledgement(entry.completionMode)) this.#completions += 1;
    }

    /** The event is on disk now. */
    stored(entry: OutboxEntry): void {
        if (this.#isDurable && entry.completionMode === "safe") this.#takeCompletion(entry)?.done();
    }

    /** The event leaves memory and stays on disk. */
    spilled(entry: OutboxEntry): void {
        const { completion, completionMode, device } = entry;
        if (completion) this.#waiting.set(entry.seq, { completion, completionMode, device, eventId: entry.message.eventId });
    }

    /** The event comes back into memory. */
    loaded(event: OutboxEvent): OutboxEntry {
        const entry = new OutboxEntry(event.seq, event, event.createdAt, event.expiresAt);
        entry.saved = "yes";
        const waiting = this.#waiting.size > 0 ? this.#waiting.get(event.seq) : undefined;
        if (waiting) {
            this.#waiting.delete(event.seq);
            entry.completion = waiting.completion;
            entry.completionMode = waiting.completionMode;
        }
        return entry;
    }

    /** The event was delivered. */
    delivered(entry: OutboxEntry): void {
        this.acknowledged += 1;
        this.#finish(entry);
        this.#takeCompletion(entry)?.done();
    }

    /** The event outlived its time. */
    expire(entry: OutboxEntry, ageMs: number): void {
        this.expired += 1;
        this.#finish(entry);
        const seconds = Math.max(Math.round(ageMs / 1000), 0);
        this.#fail(
            entry,
            new GatewayError("GW_EXPIRED", translate("outbox.expired", { eventId: entry.message.eventId, device: entry.device, seconds })),
        );
    }

    /** The platform refuses the event for good. */
    refuse(entry: OutboxEntry, error: GatewayError): void {
        this.refused += 1;
        this.#finish(entry);
        this.#fail(entry, error);
    }

    /** An operator gives the event up. For whoever sent it, its time is over: it will not be delivered any more. */
    purge(entry: OutboxEntry): void {
        this.dropped += 1;
        this.#finish(entry);
        const text = translate("outbox.purged", { eventId: entry.message.eventId, device: entry.device });
        this.#fail(entry, new GatewayError("GW_EXPIRED", text));
    }

    /** The event gives way to a newer one. */
    drop(entry: OutboxEntry, nowMs: number): void {
        this.dropped += 1;
        this.#finish(entry);
        const completion = this.#takeCompletion(entry);
        const text = translate("outbox.dropped", { eventId: entry.message.eventId, device: entry.device });
        const error = new GatewayError("GW_OUTBOX_FULL", text);
        if (completion) {
            completion.failed(error);
            return;
        }
        this.#unreportedDrops += 1;
        this.#lastUnreported = { error, event: entry };
        this.reportDrops(nowMs);
    }

    /** Tells drops that were not told yet, if the last telling was long enough ago; returns in how many milliseconds it will be. */
    reportDrops(nowMs: number): number | undefined {
        if (!this.#lastUnreported) return undefined;
        const waitMs = this.#lastDropReportedMs + dropsEveryMs - nowMs;
        if (waitMs > 0) return waitMs;
        const { error, event } = this.#lastUnreported;
        const count = this.#unreportedDrops;
        this.#lastUnreported = undefined;
        this.#unreportedDrops = 0;
        this.#lastDropReportedMs = nowMs;
        this.#listener.dropped(error, event, count);
        return undefined;
    }

    /** The outbox stops before the event could be sent, and nothing keeps it. */
    abandon(entry: OutboxEntry): void {
        this.#finish(entry);
        this.#takeCompletion(entry)?.failed(abandoned(entry.message.eventId, entry.device));
    }

    /** The same for all events that are in the store only. */
    abandonStored(): void {
        for (const { completion, eventId, device } of this.#takeWaiting()) completion.failed(abandoned(eventId, device));
    }

    /** The store holds other contents than before: only `entries` are in memory, `stored` are in the store. */
    renumber(entries: Iterable<OutboxEntry>, stored: { events: number; bytes: number }): void {
        this.events = stored.events;
        this.bytes = stored.bytes;
        for (const entry of entries) {
            this.events += 1;
            this.bytes += entry.bytes;
        }
        if (stored.events > 0) return;
        for (const { completion } of this.#takeWaiting()) completion.failed(new GatewayError("GW_STORE", translate("outbox.lost")));
    }

    #takeWaiting(): WaitingCompletion[] {
        const taken = [...this.#waiting.values()];
        this.#waiting.clear();
        for (const { completionMode } of taken) if (this.#waitsForAcknowledgement(completionMode)) this.#completions -= 1;
        return taken;
    }

    #waitsForAcknowledgement(mode: CompletionMode): boolean {
        return mode === "acknowledged" || !this.#isDurable;
    }

    #finish(entry: OutboxEntry): void {
        entry.isFinished = true;
        entry.transmission = 0;
        entry.tailOf = undefined;
        this.events -= 1;
        this.bytes -= entry.bytes;
        entry.list?.remove(entry);
        entry.deviceQueue?.finished(entry);
        this.#writer().forget(entry);
    }

    #fail(entry: OutboxEntry, error: GatewayError): void {
        const completion = this.#takeCompletion(entry);
        if (completion) completion.failed(error);
        else this.#listener.lateError(error, entry);
    }

    #takeCompletion(entry: OutboxEntry): CompletionCallbacks | undefined {
        const completion = entry.completion;
        if (!completion) return undefined;
        entry.completion = undefined;
        if (this.#waitsForAcknowledgement(entry.completionMode)) this.#completions -= 1;
        return completion;
    }
}

function abandoned(eventId: string, device: string): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", translate("outbox.abandoned", { eventId, device }));
}
