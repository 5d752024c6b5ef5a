import type { Clock } from "../clock";
import { GatewayError } from "../errors";
import { type DeviceGate, Dispatcher, type EventLink } from "./dispatcher";
import { DrainMeter, type DrainProgress } from "./drain-progress";
import { Entry } from "./entry";
import type { Completion, NewEvent, OutboxEvent } from "./event";
import { ExpirySweep } from "./expiry-sweep";
import { FreshEvents } from "./fresh-events";
import { GroupWriter } from "./group-writer";
import { Ledger, type LedgerListener } from "./ledger";
import { defaultMemoryLimits, heldShare, type MemoryLimits, maxEvents, type OutboxLimits } from "./limits";
import type { SpillContext } from "./spill-queue";
import type { EventStore, StoreContents } from "./store";
import { isFromUnsetClock, restartTimes, WallClock } from "./wall-clock";

/** What an outbox is made of. */
export interface OutboxOptions {
    readonly store: EventStore;
    readonly clock: Clock;
    readonly limits: OutboxLimits;
    readonly memory?: Partial<MemoryLimits>;
    readonly gate: DeviceGate;
    readonly link: EventLink;
    readonly listener: LedgerListener;
}

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

/**
 * Keeps every event from admission until the platform has acknowledged it: in memory while the link is healthy, on disk otherwise.
 * The events of a device are sent in the order of admission, each at least once; after a crash those that were reported safe.
 */
export class Outbox {
    readonly #options: OutboxOptions;
    readonly #memory: MemoryLimits;
    readonly #maxEvents: number;
    readonly #context: SpillContext;
    readonly #ledger: Ledger;
    readonly #writer: GroupWriter;
    readonly #dispatcher: Dispatcher;
    readonly #fresh: FreshEvents;
    readonly #sweep: ExpirySweep;
    readonly #wallClock: WallClock;
    readonly #meter: DrainMeter;
    #lastSeq = 0;
    /** Events with larger numbers were admitted by this process. */
    #runStartSeq = 0;
    #isClosed = false;
    /** While closing: told when an event was acknowledged or the connection ended. */
    #progressed: (() => void) | undefined;

    constructor(options: OutboxOptions) {
        const { store, clock, limits } = options;
        this.#options = options;
        this.#memory = { ...defaultMemoryLimits, ...options.memory };
        this.#maxEvents = maxEvents(limits);
        this.#wallClock = new WallClock(clock, (byMs) => this.#clockJumped(byMs));
        this.#meter = new DrainMeter(clock);
        this.#ledger = new Ledger({ listener: options.listener, isDurable: store.isDurable, writer: () => this.#writer });
        this.#writer = new GroupWriter({ store, clock, memory: this.#memory, saved: (entry) => this.#saved(entry) });
        this.#context = {
            store,
            access: "opening",
            isOutOfOrder: false,
            unsaved: { events: 0, bytes: 0 },
            save: (entry) => this.#writer.save(entry),
            isForgotten: (seq) => this.#writer.isForgotten(seq),
            unloaded: (entry) => this.#ledger.unloaded(entry),
        };
        this.#dispatcher = new Dispatcher({
            clock,
            limits,
            memory: this.#memory,
            gate: options.gate,
            link: options.link,
            ledger: this.#ledger,
            context: this.#context,
            now: () => this.#wallClock.now(),
            lastSeq: () => this.#lastSeq,
            delivered: () => this.#delivered(),
            loaded: () => this.#trim(0, 0),
        });
        this.#fresh = new FreshEvents({
            clock,
            delayMs: () => this.#dispatcher.acknowledgementTime.commitDelayMs,
            late: (entry) => this.#writer.save(entry),
        });
        this.#sweep = new ExpirySweep({
            clock,
            store,
            now: () => this.#wallClock.now(),
            expireInMemory: (nowMs) => this.#expireInMemory(nowMs),
            expireStored: (event) => this.#expireStored(event),
        });
        store.attach({ opened: (contents) => this.#opened(contents), closed: () => this.#storeClosed() });
    }

    /**
     * Takes an event, or refuses it through `completion` at once: `GW_OUTBOX_FULL` beyond a limit, `GW_NOT_CONNECTED` when the outbox is
     * closed, or offline and may not queue. Where nothing is durable and ten thousand senders wait already, the event is kept and sent
     * but its completion is never called.
     */
    admit(event: NewEvent, completion?: Completion): void {
        const refusal = this.#refusal(event);
        if (refusal) {
            completion?.failed(refusal);
            return;
        }
        const nowMs = this.#wallClock.now();
        const { maxAgeMs } = this.#options.limits;
        const ttlMs = event.ttlMs === undefined ? maxAgeMs : Math.min(event.ttlMs, maxAgeMs);
        const entry = new Entry(++this.#lastSeq, event, nowMs, nowMs + ttlMs);
        entry.complete = event.complete;
        this.#ledger.admit(entry, this.#canWait ? completion : undefined);
        this.#dispatcher.laneOf(event.device)?.admitted(entry);
        this.#sweep.admitted(entry.expiresAt);
        this.#dispatcher.main.push(entry);
        this.#dispatcher.pump();
        if (this.#options.store.isDurable && entry.saved === "no" && !entry.isFinished) this.#saveLater(entry);
    }

    /** The connection can take events. */
    linkUp(): void {
        this.#dispatcher.linkUp();
    }

    /** The connection ended: what is in flight counts as not sent and is sent again, in order, by the next one. */
    linkDown(): void {
        this.#dispatcher.linkDown();
        this.#progressed?.();
    }

    /** The connection takes more again. */
    resume(): void {
        this.#dispatcher.resume();
    }

    /** The first contact of the device succeeded: its event is settled and the device flows. */
    confirm(device: string): void {
        this.#dispatcher.confirm(device);
    }

    /** The first contact failed for now: its event goes back to the head of the device's queue, which waits, held, until it is woken. */
    requeue(device: string): void {
        this.#dispatcher.requeue(device);
    }

    /** The first contact failed for good: its event fails with this error and the device's next one may try. */
    drop(device: string, error: GatewayError): void {
        this.#dispatcher.refuse(device, error);
    }

    /**
     * What is in flight of this device, which was flowing, is known to be dropped by the platform: it goes back to the head, and nothing
     * is sent until the device is woken. Acknowledgements that still come for it are ignored.
     */
    recall(device: string): void {
        this.#dispatcher.recall(device);
    }

    /** Nothing of this device is to be sent until it is woken, and what it queues counts as held. For devices known to be held at start. */
    hold(device: string): void {
        this.#dispatcher.hold(device);
    }

    /** The gate may answer differently for this device now; does nothing for a device with a first contact under way. */
    wake(device: string): void {
        this.#dispatcher.wake(device);
    }

    /** Whether a QoS 0 publish, which does not pass the outbox, may be sent now; takes its place in the rate. */
    takeRate(): boolean {
        return this.#dispatcher.takeRate();
    }

    get counters(): OutboxCounters {
        return {
            queued: this.#ledger.events,
            queuedBytes: this.#ledger.bytes,
            inFlight: this.#dispatcher.inFlight,
            waitingDevices: this.#dispatcher.lanes,
            heldBytes: this.#dispatcher.held.bytes,
            acknowledged: this.#ledger.acknowledged,
            expired: this.#ledger.expired,
            dropped: this.#ledger.dropped,
            refused: this.#ledger.refused,
            groups: this.#writer.groups,
            writtenEvents: this.#writer.writtenEvents,
            isStoreFailing: this.#context.access === "closed" || this.#writer.isFailing,
        };
    }

    /** How a backlog goes down; to be looked at about once a second. */
    progress(): DrainProgress {
        return this.#meter.look(this.#ledger.events, this.#ledger.acknowledged);
    }

    /**
     * Takes no more events and makes safe what is not. With a durable store, nothing more is sent: everything unacknowledged is written, and
     * what is in flight gets half the time for its acknowledgement, so that it need not be sent again. Otherwise goes on sending until
     * nothing is left; at the deadline the rest fails with `GW_NOT_CONNECTED`. Resolves with the number of events that are neither
     * acknowledged nor stored. The store itself stays open.
     */
    async close(deadlineMs: number): Promise<number> {
        this.#isClosed = true;
        if (this.#options.store.isDurable) {
            this.#dispatcher.stopSending();
            for (const entry of this.#all()) this.#writer.save(entry);
            const settled = this.#within(deadlineMs / 2, () => this.#dispatcher.inFlight === 0);
            await this.#flush(deadlineMs / 2);
            await settled;
            await this.#flush(deadlineMs / 2);
        } else {
            await this.#within(deadlineMs, () => this.#ledger.events === 0 || !this.#dispatcher.isOnline);
        }
        this.#dispatcher.dispose();
        this.#sweep.dispose();
        this.#fresh.dispose();
        this.#writer.dispose();
        return this.#abandonUnsaved();
    }

    get #canWait(): boolean {
        return this.#options.store.isDurable || this.#ledger.waitingCompletions < this.#memory.waitingCompletions;
    }

    #refusal(event: NewEvent): GatewayError | undefined {
        const { limits } = this.#options;
        if (this.#isClosed) return new GatewayError("GW_NOT_CONNECTED", "The gateway is being stopped and takes no more events.");
        if (!limits.acceptsOffline && !this.#dispatcher.isOnline) {
            return new GatewayError(
                "GW_NOT_CONNECTED",
                "The event was not sent: there is no connection and the outbox is off. Switch the outbox on to keep events while offline.",
            );
        }
        if (event.complete === "acknowledged" && this.#ledger.waitingCompletions >= this.#memory.waitingCompletions) {
            return full(`${this.#memory.waitingCompletions} messages wait for their acknowledgement already, the most that may wait`);
        }
        const held =
            this.#dispatcher.laneOf(event.device)?.isHeld && this.#dispatcher.held.bytes + event.bytes > limits.maxBytes * heldShare;
        if (held)
            return full(`the device ${event.device} is held, and held devices may use half of ${megabytes(limits.maxBytes)} together`);
        if (limits.whenFull === "drop-oldest") {
            this.#trim(1, event.bytes);
            this.#trimUnsaved(event.bytes);
        }
        if (this.#isUnsavedOver(event.bytes)) {
            return full("events arrive faster than they can be written to the outbox file, or it cannot be written at all");
        }
        if (!this.#isOver(1, event.bytes)) return undefined;
        // What is about to be read from disk and dropped makes room soon.
        if (limits.whenFull === "drop-oldest" && this.#dispatcher.oldest().isLoading) return undefined;
        return full(
            `it holds ${this.#ledger.events} events with ${megabytes(this.#ledger.bytes)}, of at most ${megabytes(limits.maxBytes)}`,
        );
    }

    /** Drops the oldest events until so much more fits, as far as they are in memory. */
    #trim(events: number, bytes: number): void {
        if (this.#options.limits.whenFull !== "drop-oldest") return;
        while (this.#isOver(events, bytes)) {
            const { entry } = this.#dispatcher.oldest();
            if (!entry) return;
            this.#ledger.drop(entry, this.#options.clock.monotonicMs());
        }
    }

    /** While the store cannot be written, the oldest events in memory give way to new ones. */
    #trimUnsaved(bytes: number): void {
        while (this.counters.isStoreFailing && this.#isUnsavedOver(bytes)) {
            const { entry } = this.#dispatcher.oldest();
            if (!entry) return;
            this.#ledger.drop(entry, this.#options.clock.monotonicMs());
            this.#dispatcher.main.fill();
        }
    }

    #isUnsavedOver(bytes: number): boolean {
        const { unsaved } = this.#context;
        return unsaved.events >= this.#memory.unsavedEvents || unsaved.bytes + bytes > this.#memory.unsavedBytes;
    }

    #isOver(events: number, bytes: number): boolean {
        return this.#ledger.bytes + bytes > this.#options.limits.maxBytes || this.#ledger.events + events > this.#maxEvents;
    }

    #saveLater(entry: Entry): void {
        if (!this.#dispatcher.isOnline) {
            this.#writer.save(entry);
            return;
        }
        entry.admittedMs = this.#options.clock.monotonicMs();
        this.#fresh.add(entry);
    }

    #saved(entry: Entry): void {
        this.#ledger.stored(entry);
        entry.tailOf?.stored();
    }

    #delivered(): void {
        this.#fresh.skipFinished();
        this.#progressed?.();
    }

    *#all(): Generator<Entry> {
        yield* this.#dispatcher.underWay();
        yield* this.#dispatcher.queued();
    }

    #opened(contents: StoreContents): void {
        const isContinued = contents.isContinued;
        if (!isContinued) this.#rebase(contents);
        this.#context.access = "open";
        this.#writer.resume();
        this.#sweep.check();
        this.#trim(0, 0);
        this.#dispatcher.resume();
    }

    #storeClosed(): void {
        this.#context.access = "closed";
        this.#writer.pause();
        this.#dispatcher.resume();
    }

    /** The store holds events of an earlier run, or lost what it held: the events in memory get numbers behind them and are all unsaved. */
    #rebase(contents: StoreContents): void {
        const shift = contents.lastSeq;
        const entries = [...this.#all()];
        for (const entry of entries) {
            entry.seq += shift;
            entry.saved = "no";
        }
        this.#lastSeq += shift;
        this.#runStartSeq = shift;
        this.#ledger.rebase(entries, contents);
        this.#writer.reset();
        this.#dispatcher.rebase(shift, contents.lastSeq);
        for (const entry of entries) entry.lane?.recount(entry);
        if (this.#options.store.isDurable) for (const entry of entries) this.#writer.save(entry);
        else for (const entry of entries) if (entry.tailOf) this.#writer.save(entry);
    }

    #expireInMemory(nowMs: number): number {
        this.#ledger.tellDrops(this.#options.clock.monotonicMs());
        let nextMs = Number.POSITIVE_INFINITY;
        for (const entry of this.#dispatcher.queued()) {
            if (entry.expiresAt <= nowMs) this.#ledger.expire(entry, nowMs - entry.createdAt);
            else nextMs = Math.min(nextMs, entry.expiresAt);
        }
        for (const entry of this.#dispatcher.underWay()) nextMs = Math.min(nextMs, Math.max(entry.expiresAt, nowMs));
        return nextMs;
    }

    #expireStored(event: OutboxEvent): void {
        if (!this.#dispatcher.isOnlyStored(event) || this.#writer.isForgotten(event.seq)) return;
        const nowMs = this.#wallClock.now();
        const entry = this.#ledger.reloaded(event);
        entry.lane = this.#dispatcher.laneOf(event.device);
        this.#ledger.expire(entry, nowMs - entry.createdAt);
    }

    /** Events of this process keep their age; those of earlier ones are true already, unless their clock had not been set at all. */
    #clockJumped(byMs: number): void {
        const nowMs = this.#options.clock.now();
        for (const entry of this.#all()) {
            if (entry.seq > this.#runStartSeq) {
                entry.createdAt += byMs;
                entry.expiresAt += byMs;
            } else if (isFromUnsetClock(entry.expiresAt, nowMs)) {
                restartTimes(entry, nowMs);
            }
        }
        if (this.#context.access === "open") this.#options.store.shiftTimes(this.#runStartSeq, byMs, () => this.#sweep.check());
    }

    /** Resolves when everything asked for is written, or at the deadline. */
    #flush(deadlineMs: number): Promise<void> {
        return new Promise((resolve) => {
            const timer = this.#options.clock.setTimer(deadlineMs, resolve);
            this.#writer.flush(() => {
                timer.cancel();
                resolve();
            });
        });
    }

    /** Resolves when the condition holds after some event has left, or at the deadline. */
    #within(deadlineMs: number, isReached: () => boolean): Promise<void> {
        if (isReached()) return Promise.resolve();
        return new Promise((resolve) => {
            const timer = this.#options.clock.setTimer(deadlineMs, resolve);
            this.#progressed = () => {
                if (!isReached()) return;
                timer.cancel();
                resolve();
            };
        });
    }

    #abandonUnsaved(): number {
        let unsaved = 0;
        const { isDurable } = this.#options.store;
        for (const entry of [...this.#all()]) {
            if (isDurable && entry.saved === "yes") continue;
            unsaved += 1;
            if (!isDurable) this.#ledger.abandon(entry);
        }
        return unsaved;
    }
}

function full(reason: string): GatewayError {
    return new GatewayError("GW_OUTBOX_FULL", `The outbox takes no more events: ${reason}. Send less, or give the outbox more room.`);
}

function megabytes(bytes: number): string {
    return `${(bytes / 1_000_000).toFixed(1)} MB`;
}
