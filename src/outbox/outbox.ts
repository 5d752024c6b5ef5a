import type { Clock } from "../clock";
import type { GatewayError } from "../errors";
import { Admission } from "./admission";
import { AgeClock } from "./age-clock";
import { Closing } from "./closing";
import { DeviceOutcomes } from "./device-outcomes";
import type { CompletionCallbacks, NewEvent } from "./event";
import { EventLifecycle, type EventLifecycleListener } from "./event-lifecycle";
import { Eviction } from "./eviction";
import { ExpirySweep } from "./expiry-sweep";
import type { MachineBoot } from "./machine-boot";
import type { OutboxCounters } from "./outbox-counters";
import { defaultMemoryLimits, type MemoryLimits, type OutboxLimits } from "./outbox-limits";
import type { DeviceGate, EventLink } from "./ports";
import { Purge } from "./purge";
import { LatestIndex } from "./queue/latest-index";
import { OutboxEntry } from "./queue/outbox-entry";
import { WaitingEvents } from "./queue/waiting-events";
import { Dispatcher } from "./sending/dispatcher";
import { type BacklogProgress, DrainEstimate } from "./sending/drain-estimate";
import { InFlightWindow } from "./sending/in-flight-window";
import type { EventStore } from "./store/store";
import { GroupWriter } from "./storing/group-writer";
import { StoreSession } from "./storing/store-session";
import { noRoom, Supersession } from "./supersession";
import { KeptEvents, type SentAgainEvent } from "./undelivered/kept-events";
import { UndeliveredEvents } from "./undelivered/undelivered-events";

/**
 * Keeps every event from admission until the platform has acknowledged it: in memory while the link is healthy, on disk otherwise.
 * The events of a device are sent in the order of admission, each at least once; after a crash those that were reported safe.
 */
export class Outbox {
    readonly #options: OutboxOptions;
    readonly #memory: MemoryLimits;
    readonly #session: StoreSession;
    readonly #lifecycle: EventLifecycle;
    readonly #undelivered: UndeliveredEvents;
    readonly #supersession: Supersession;
    readonly #kept: KeptEvents;
    readonly #writer: GroupWriter;
    readonly #waiting: WaitingEvents;
    readonly #dispatcher: Dispatcher;
    readonly #admission: Admission;
    readonly #sweep: ExpirySweep;
    readonly #closing: Closing;
    readonly #ageClock: AgeClock;
    readonly #drainEstimate: DrainEstimate;
    #rejected = 0;

    constructor(options: OutboxOptions) {
        const { store, storesEvents, clock, boot, limits, gate, link, listener } = options;
        const ageClock = new AgeClock({ clock, boot });
        const memory = { ...defaultMemoryLimits, ...options.memory };
        const now = () => ageClock.now();
        const readEnded = (isFailed: boolean) => this.#readEnded(isFailed);
        const window = new InFlightWindow({ clock, maxInFlight: limits.maxInFlight });
        const commitDelayMs = () => window.acknowledgementTime.commitDelayMs;
        const committed = (entry: OutboxEntry) => this.#stored(entry);
        const latest = new LatestIndex();
        const writer = new GroupWriter({
            store,
            latest,
            clock,
            memory,
            storesEvents,
            commitDelayMs,
            stored: committed,
            failed: () => this.#dispatcher.pump(),
            undelivered: () => this.#undelivered,
        });
        const { stored, unsaved } = writer;
        const waiting = new WaitingEvents({ gate, memory, stored, unsaved, storesEvents, readEnded });
        const undelivered = new UndeliveredEvents({
            clock,
            store,
            storesEvents,
            memory,
            limits: { maxWaitingBytes: limits.maxBytes, maxKeptBytes: limits.maxKeptBytes },
            listener,
            wanted: (dueMs) => writer.undeliveredWanted(dueMs),
            forgetRow: (seq) => stored.removeLater(seq),
        });
        const lifecycle = new EventLifecycle({ clock, listener, storesEvents, latest, waiting, stored, unsaved, undelivered, now });
        const supersession = new Supersession({ clock, storesEvents, index: latest, waiting, writer, lifecycle, commitDelayMs });
        const common = { clock, limits, memory, gate, link, window, lifecycle, waiting, stored, unsaved, supersession, undelivered, now };
        const dispatcher = new Dispatcher({ ...common, progressed: () => this.#closing.progressed() });
        const sweep = new ExpirySweep({ ...common, store });
        const eviction = new Eviction({ ...common, read: () => readEnded(false) });
        const admission = new Admission({ ...common, storesEvents, writer, dispatcher, eviction, sweep });
        this.#options = options;
        this.#memory = memory;
        this.#ageClock = ageClock;
        this.#drainEstimate = new DrainEstimate(clock);
        this.#lifecycle = lifecycle;
        this.#undelivered = undelivered;
        this.#supersession = supersession;
        this.#kept = new KeptEvents({ clock, store, undelivered, sendAgain: (event) => this.#sendAgain(event) });
        this.#writer = writer;
        this.#waiting = waiting;
        this.#dispatcher = dispatcher;
        this.#admission = admission;
        this.#sweep = sweep;
        this.#closing = new Closing({ clock, storesEvents, lifecycle, writer, dispatcher });
        this.#session = new StoreSession({ ...common, ageClock, store, writer, latest, dispatcher, admission, sweep });
        gate.attach(new DeviceOutcomes({ gate, waiting, dispatcher, lifecycle }));
        this.#session.start();
    }

    /**
     * Takes an event, or rejects it through `completion` at once: `GW_OUTBOX_FULL` beyond a limit, `GW_NOT_CONNECTED` when the outbox is
     * closed, or offline and may not queue. Where nothing is durable and ten thousand senders wait already, the event is kept and sent
     * but its completion is never called.
     */
    admit(event: NewEvent, completion?: CompletionCallbacks): void {
        const rejection = this.#admission.admit(event, this.#supersession.roomFor(event));
        if (rejection) {
            this.#rejected += 1;
            completion?.failed(rejection);
            return;
        }
        const { maxAgeMs } = this.#options.limits;
        // Each reading of a clock is a part of what an event costs.
        const monotonicMs = this.#options.clock.monotonicMs();
        const createdAt = this.#ageClock.at(monotonicMs);
        const expiresAt = createdAt + (event.ttlMs === undefined ? maxAgeMs : Math.min(event.ttlMs, maxAgeMs));
        const called = this.#admission.canWait ? completion : undefined;
        const entry = new OutboxEntry(this.#session.nextSeq(), event, createdAt, expiresAt, called);
        this.#lifecycle.admit(entry, monotonicMs);
        this.#sweep.admitted(expiresAt);
        this.#dispatcher.admit(entry);
        if (entry.latest && entry.state === "waiting") this.#supersession.settle(entry);
    }

    /** What was not delivered and is kept, for an operator. */
    get kept(): KeptEvents {
        return this.#kept;
    }

    /** Takes an undelivered event once more, with a new time to live and its old age; returns why it stays where it is. */
    #sendAgain({ id, event, enteredAt }: SentAgainEvent): GatewayError | undefined {
        const rejection = this.#admission.admit({ ...event, completionMode: "safe" }, noRoom, false);
        if (rejection) return rejection;
        const { clock, limits } = this.#options;
        const monotonicMs = clock.monotonicMs();
        const nowMs = this.#ageClock.at(monotonicMs);
        const createdAt = nowMs - Math.max(clock.now() - enteredAt, 0);
        const expiresAt = nowMs + Math.min(event.expiresAt - event.createdAt, limits.maxAgeMs);
        // What has come since is newer.
        const content = { ...event, isLatest: false, completionMode: "safe", returns: 0, undeliveredId: id } as const;
        const entry = new OutboxEntry(this.#session.nextSeq(), content, createdAt, expiresAt, undefined);
        this.#undelivered.moving(id);
        this.#lifecycle.admit(entry, monotonicMs);
        this.#sweep.admitted(expiresAt);
        this.#dispatcher.admit(entry);
        return undefined;
    }

    /** The connection can take events. */
    linkUp(): void {
        this.#dispatcher.linkUp();
    }

    /** The connection ended: what is not settled counts as not sent and is sent again, in order, by the next one. */
    linkDown(): void {
        this.#dispatcher.linkDown();
    }

    /** The connection takes more again. */
    resume(): void {
        this.#dispatcher.resume();
    }

    /**
     * Drops every event of the device that is not in flight, in memory and on disk: each fails with `GW_EXPIRED` and counts as dropped.
     * Events admitted afterwards are kept. Resolves with the number of events dropped; rejects with `GW_STORE` when the store cannot be
     * read: then what was in memory only has been dropped all the same.
     */
    purge(device: string): Promise<number> {
        const { store, clock } = this.#options;
        const parts = { waiting: this.#waiting, lifecycle: this.#lifecycle, writer: this.#writer, session: this.#session };
        return new Purge(device, this.#session.lastSeq, { store, clock, memory: this.#memory, ...parts }).run();
    }

    /** The flows run: what could not be delivered is handed over. */
    flowsStarted(): void {
        this.#undelivered.resume();
    }

    /** The flows stop: nothing is handed over. */
    flowsStopping(): void {
        this.#undelivered.pause();
    }

    /** Whether a QoS 0 publish, which does not pass the outbox, may be sent now; takes its place in the rate. */
    takeRate(): boolean {
        return this.#dispatcher.takeRate();
    }

    get counters(): OutboxCounters {
        return {
            queued: this.#lifecycle.events,
            queuedBytes: this.#lifecycle.bytes,
            inFlight: this.#dispatcher.window.length,
            waitingDevices: this.#waiting.devices.stoppedCount,
            heldBytes: this.#waiting.devices.heldBytes,
            high: this.#lifecycle.classes.high.events,
            normal: this.#lifecycle.classes.normal.events,
            low: this.#lifecycle.classes.low.events,
            oldestAt: this.#oldestAt,
            unsentHigh: this.#waiting.devices.waitingHigh,
            acknowledged: this.#lifecycle.acknowledged,
            recalled: this.#lifecycle.recalledEvents,
            expired: this.#lifecycle.expired,
            dropped: this.#lifecycle.dropped,
            refused: this.#lifecycle.refused,
            revoked: this.#lifecycle.revoked,
            undeliverable: this.#lifecycle.undeliverable,
            undelivered: this.#undelivered.count,
            undeliveredForgotten: this.#undelivered.forgotten,
            superseded: this.#lifecycle.superseded,
            takenOver: this.#lifecycle.takenOver,
            rejected: this.#rejected,
            groups: this.#writer.groups,
            writtenEvents: this.#writer.writtenEvents,
            isStoreFailing: this.#admission.isStoreFailing,
        };
    }

    /** How a backlog goes down; to be looked at about once a second. */
    progress(): BacklogProgress {
        return this.#drainEstimate.evaluate(this.#lifecycle.events, this.#lifecycle.acknowledged);
    }

    /**
     * Takes no more events and makes safe what is not. With a durable store, nothing more is sent: everything unacknowledged is written, and
     * what is in flight gets half the time for its acknowledgement, so that it need not be sent again. Otherwise goes on sending until
     * nothing is left; at the deadline the rest fails with `GW_NOT_CONNECTED`. Resolves with the number of events that are neither
     * acknowledged nor stored nor handed over. The store itself stays open.
     */
    async close(deadlineMs: number): Promise<number> {
        this.#admission.close();
        this.#undelivered.pause();
        const unsafe = (await this.#closing.close(deadlineMs)) + this.#undelivered.dispose();
        this.#session.dispose();
        this.#sweep.dispose();
        this.#supersession.dispose();
        return unsafe;
    }

    get #oldestAt(): number | undefined {
        if (this.#lifecycle.events === 0) return undefined;
        const { unsaved, stored } = this.#writer;
        const oldest = Math.min(unsaved.oldestCreatedAt ?? Number.POSITIVE_INFINITY, stored.oldestCreatedAt ?? Number.POSITIVE_INFINITY);
        return Number.isFinite(oldest) ? this.#ageClock.wallTimeMs(oldest) : undefined;
    }

    #stored(entry: OutboxEntry): void {
        this.#lifecycle.stored(entry);
        if (entry.state !== "waiting" || entry.row !== "stored") return;
        this.#waiting.committed(entry);
        // It may have waited for this alone.
        if (entry.latest) this.#dispatcher.pump();
    }

    #readEnded(isFailed: boolean): void {
        if (isFailed) {
            this.#dispatcher.retryLater();
            return;
        }
        this.#admission.trim();
        this.#dispatcher.pump();
    }
}

/** What an outbox is made of. */
export interface OutboxOptions {
    /** Absent: everything is kept in memory. */
    readonly store: EventStore | undefined;
    /** Whether new events are stored. Otherwise the store's events are sent and removed, but new ones are kept in memory. */
    readonly storesEvents: boolean;
    readonly clock: Clock;
    /** What tells a restart of the process from one of the machine. */
    readonly boot: MachineBoot;
    readonly limits: OutboxLimits;
    readonly memory?: Partial<MemoryLimits>;
    readonly gate: DeviceGate;
    readonly link: EventLink;
    readonly listener: EventLifecycleListener;
}
