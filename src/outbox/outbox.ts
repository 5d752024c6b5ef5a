import type { Clock } from "../clock";
import type { GatewayError } from "../errors";
import { Admission } from "./admission";
import { Closing } from "./closing";
import { DeviceOutcomes } from "./device-outcomes";
import type { CompletionCallbacks, NewEvent } from "./event";
import { EventLifecycle, type EventLifecycleListener } from "./event-lifecycle";
import { ExpirySweep } from "./expiry-sweep";
import { defaultMemoryLimits, type MemoryLimits, type OutboxLimits } from "./outbox-limits";
import type { DeviceGate, DeviceVerbs, EventLink } from "./ports";
import { Purge, type PurgeOptions } from "./purge";
import { OutboxEntry } from "./queue/outbox-entry";
import type { SpillContext } from "./queue/spill-queue";
import { WaitingEvents } from "./queue/waiting-events";
import { Dispatcher } from "./sending/dispatcher";
import { type BacklogProgress, DrainEstimate } from "./sending/drain-estimate";
import type { EventStore } from "./store/store";
import { GroupWriter } from "./storing/group-writer";
import { StoreSession } from "./storing/store-session";
import { WriteDelay } from "./storing/unsaved-events";
import { WallClock } from "./wall-clock";

/** What an outbox is made of. */
export interface OutboxOptions {
    readonly store: EventStore;
    readonly clock: Clock;
    readonly limits: OutboxLimits;
    readonly memory?: Partial<MemoryLimits>;
    readonly gate: DeviceGate;
    readonly link: EventLink;
    readonly listener: EventLifecycleListener;
}

/**
 * Keeps every event from admission until the platform has acknowledged it: in memory while the link is healthy, on disk otherwise.
 * The events of a device are sent in the order of admission, each at least once; after a crash those that were reported safe.
 */
export class Outbox implements DeviceVerbs {
    readonly #options: OutboxOptions;
    readonly #session: StoreSession;
    readonly #lifecycle: EventLifecycle;
    readonly #writer: GroupWriter;
    readonly #waiting: WaitingEvents;
    readonly #dispatcher: Dispatcher;
    readonly #devices: DeviceOutcomes;
    readonly #admission: Admission;
    readonly #writeDelay: WriteDelay;
    readonly #sweep: ExpirySweep;
    readonly #closing: Closing;
    readonly #purging: PurgeOptions;
    readonly #wallClock: WallClock;
    readonly #drainEstimate: DrainEstimate;

    constructor(options: OutboxOptions) {
        const { store, clock, limits, gate, link } = options;
        const { isDurable } = store;
        const memory = { ...defaultMemoryLimits, ...options.memory };
        const now = () => this.#wallClock.now();
        this.#options = options;
        this.#wallClock = new WallClock(clock, (byMs) => this.#session.clockJumped(byMs, clock.now()));
        this.#drainEstimate = new DrainEstimate(clock);
        const lifecycle = new EventLifecycle({ listener: options.listener, isDurable, writer: () => this.#writer });
        const writer = new GroupWriter({ store, clock, memory, saved: (entry) => this.#saved(entry) });
        const context: SpillContext = {
            store,
            access: "opening",
            isOutOfOrder: false,
            unsaved: { events: 0, bytes: 0 },
            save: (entry) => writer.save(entry),
            isForgotten: (seq) => writer.isForgotten(seq),
            spilled: (entry) => lifecycle.spilled(entry),
        };
        const lastSeq = () => this.#session.lastSeq;
        const waiting = new WaitingEvents({ memory, lifecycle, context, lastSeq, readEnded: (error) => this.#readEnded(error) });
        const dispatcher = new Dispatcher({ clock, limits, gate, link, lifecycle, waiting, now, delivered: () => this.#delivered() });
        const admission = new Admission({ clock, limits, memory, context, lifecycle, writer, waiting, dispatcher });
        const sweep = new ExpirySweep({ clock, store, waiting, dispatcher, lifecycle, now });
        this.#lifecycle = lifecycle;
        this.#writer = writer;
        this.#waiting = waiting;
        this.#dispatcher = dispatcher;
        this.#admission = admission;
        this.#sweep = sweep;
        this.#devices = new DeviceOutcomes({ waiting, dispatcher, lifecycle, gate });
        this.#closing = new Closing({ clock, store, lifecycle, writer, dispatcher });
        this.#purging = { clock, store, memory, waiting, lifecycle, writer };
        this.#writeDelay = new WriteDelay({
            clock,
            delayMs: () => dispatcher.window.acknowledgementTime.commitDelayMs,
            late: (entry) => writer.save(entry),
        });
        this.#session = new StoreSession({ clock, context, lifecycle, writer, waiting, dispatcher, admission, sweep });
        gate.attach(this);
        this.#session.start();
    }

    /**
     * Takes an event, or rejects it through `completion` at once: `GW_OUTBOX_FULL` beyond a limit, `GW_NOT_CONNECTED` when the outbox is
     * closed, or offline and may not queue. Where nothing is durable and ten thousand senders wait already, the event is kept and sent
     * but its completion is never called.
     */
    admit(event: NewEvent, completion?: CompletionCallbacks): void {
        const rejection = this.#admission.admit(event);
        if (rejection) {
            completion?.failed(rejection);
            return;
        }
        const nowMs = this.#wallClock.now();
        const { maxAgeMs } = this.#options.limits;
        const ttlMs = event.ttlMs === undefined ? maxAgeMs : Math.min(event.ttlMs, maxAgeMs);
        const entry = new OutboxEntry(this.#session.nextSeq(), event, nowMs, nowMs + ttlMs);
        entry.completionMode = event.completionMode;
        this.#lifecycle.admit(entry, this.#admission.canWait ? completion : undefined);
        this.#sweep.admitted(entry.expiresAt);
        this.#waiting.push(entry);
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
        this.#closing.progressed();
    }

    /** The connection takes more again. */
    resume(): void {
        this.#dispatcher.resume();
    }

    /** The registration attempt of the device succeeded: its event is settled and the device flows. */
    confirm(device: string): void {
        this.#devices.confirm(device);
    }

    /** The registration attempt failed for now: its event returns to the head of the queue, which waits, held, until it is woken. */
    requeue(device: string): void {
        this.#devices.requeue(device);
    }

    /** The registration attempt failed for good: its event fails with this error and the device's next one may try. */
    drop(device: string, error: GatewayError): void {
        this.#devices.drop(device, error);
    }

    /**
     * What is in flight of this device, which was flowing, is known to be dropped by the platform: it goes back to the head, and nothing
     * is sent until the device is woken. Acknowledgements that still come for it are ignored.
     */
    recall(device: string): void {
        this.#devices.recall(device);
    }

    /** Nothing of this device is to be sent until it is woken, and what it queues counts as held. For devices known to be held at start. */
    hold(device: string): void {
        this.#devices.hold(device);
    }

    /** The gate may answer differently for this device now; does nothing for a device with a registration attempt under way. */
    wake(device: string): void {
        this.#devices.wake(device);
    }

    /**
     * Drops every event of the device that is not in flight, in memory and on disk: each fails with `GW_EXPIRED` and counts as dropped.
     * Events admitted afterwards are kept. Resolves with the number of events dropped; rejects with `GW_STORE` when the store cannot be
     * read: then what was in memory only has been dropped all the same.
     */
    purge(device: string): Promise<number> {
        return new Purge(device, this.#session.lastSeq, this.#purging).run();
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
            waitingDevices: this.#waiting.deviceQueues.size,
            heldBytes: this.#waiting.deviceQueues.held.bytes,
            acknowledged: this.#lifecycle.acknowledged,
            expired: this.#lifecycle.expired,
            dropped: this.#lifecycle.dropped,
            refused: this.#lifecycle.refused,
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
     * acknowledged nor stored. The store itself stays open.
     */
    async close(deadlineMs: number): Promise<number> {
        this.#admission.close();
        const unsafe = await this.#closing.close(deadlineMs);
        this.#lifecycle.reportDrops(Number.POSITIVE_INFINITY);
        this.#session.dispose();
        this.#sweep.dispose();
        this.#writeDelay.dispose();
        return unsafe;
    }

    #saveLater(entry: OutboxEntry): void {
        if (!this.#dispatcher.isOnline) {
            this.#writer.save(entry);
            return;
        }
        entry.admittedMs = this.#options.clock.monotonicMs();
        this.#writeDelay.add(entry);
    }

    #saved(entry: OutboxEntry): void {
        this.#lifecycle.stored(entry);
        entry.tailOf?.stored();
    }

    #delivered(): void {
        this.#writeDelay.skipFinished();
        this.#closing.progressed();
    }

    #readEnded(error: boolean): void {
        if (error) {
            this.#dispatcher.retryLater();
            return;
        }
        this.#admission.trim();
        this.#dispatcher.pump();
    }
}

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
