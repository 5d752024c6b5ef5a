import type { Clock, Timer } from "../clock";
import type { GatewayError } from "../errors";
import { AcknowledgementTime } from "./acknowledgement-time";
import { DeviceLane, type HeldBytes } from "./device-lane";
import type { Entry } from "./entry";
import { EntryList, type MemoryUse } from "./entry-list";
import type { OutboxEvent } from "./event";
import type { Ledger } from "./ledger";
import type { MemoryLimits, OutboxLimits } from "./limits";
import { type SpillContext, SpillQueue } from "./spill-queue";
import { TokenBucket } from "./token-bucket";

/**
 * `flow`: send. `contact`: send this one event as the first contact of its device; the others wait behind it for the outcome.
 * `wait`: nothing of this device until it is woken. `hold`: the same, because the platform refused the device.
 */
export type GateAnswer = "flow" | "contact" | "wait" | "hold";

/** Decides which devices may be sent for. Asked for each event about to be sent, so that the answer must be a map look-up. Must not throw. */
export interface DeviceGate {
    ask(device: string): GateAnswer;
    /** The first contact is about to be handed to the connection. */
    contactSent(device: string, event: OutboxEvent): void;
    /** The platform acknowledged it; the event stays unsettled until the outbox is told to confirm, requeue or drop it. */
    contactAcknowledged(device: string): void;
}

/** The connection, as the outbox sees it. Must not throw. */
export interface EventLink {
    /** Sends an event; `settled` is called once: without an error when it is acknowledged, with one when the connection ended first. */
    send(event: OutboxEvent, settled: (error?: Error) => void): void;
    /** Whether the connection takes more now; when it does again, the outbox's `resume` is to be called. */
    isWritable(): boolean;
}

/** What the dispatcher works with. */
export interface DispatcherOptions {
    readonly clock: Clock;
    readonly limits: OutboxLimits;
    readonly memory: MemoryLimits;
    readonly gate: DeviceGate;
    readonly link: EventLink;
    readonly ledger: Ledger;
    readonly context: SpillContext;
    /** Wall-clock milliseconds, corrected for jumps. */
    now(): number;
    /** The largest number given to an event so far. */
    lastSeq(): number;
    /** Whether an event delivered just now leaves something to tidy up. */
    delivered(): void;
    /** Events came back into memory. */
    loaded(): void;
}

/** Events moved aside before the dispatcher lets others have their turn. */
const movesAtOnce = 2000;
const readRetryMs = 1000;

/** Sends what may be sent, in order for each device: through the window, at the rate, as far as the gate lets each device flow. */
export class Dispatcher {
    readonly main: SpillQueue;
    readonly held: HeldBytes = { bytes: 0 };
    readonly acknowledgementTime = new AcknowledgementTime();
    readonly #options: DispatcherOptions;
    readonly #lanes = new Map<string, DeviceLane>();
    readonly #lanesUse: MemoryUse = { events: 0, bytes: 0 };
    /** Lanes whose turn to ask the gate will come, in that order. */
    readonly #awake = new Set<DeviceLane>();
    /** Lanes with a first contact under way. */
    readonly #contacts = new Set<DeviceLane>();
    readonly #inFlight = new EntryList();
    readonly #bucket: TokenBucket | undefined;
    #pumpTimer: Timer | undefined;
    #readTimer: Timer | undefined;
    #isOnline = false;
    #isPumping = false;
    #isStopped = false;
    #isLaneTurn = false;
    #transmissions = 0;

    constructor(options: DispatcherOptions) {
        const { context, memory, ledger } = options;
        this.#options = options;
        this.#bucket = options.limits.maxRate > 0 ? new TokenBucket(options.limits.maxRate, options.clock.monotonicMs()) : undefined;
        this.main = new SpillQueue(context, {
            passedSeq: 0,
            maxEvents: memory.readyEvents,
            batchEvents: memory.batchEvents,
            batchBytes: memory.batchBytes,
            hasRoom: (head) => head.length < memory.readyEvents && head.bytes < memory.readyBytes,
            reloaded: (event) => {
                const entry = ledger.reloaded(event);
                const lane = this.laneOf(event.device);
                if (lane?.counts(event.seq)) entry.lane = lane;
                return entry;
            },
            loaded: (error) => this.#loaded(error),
        });
    }

    get isOnline(): boolean {
        return this.#isOnline;
    }

    get inFlight(): number {
        return this.#inFlight.length;
    }

    /** Devices that may not simply flow now. */
    get lanes(): number {
        return this.#lanes.size;
    }

    laneOf(device: string): DeviceLane | undefined {
        return this.#lanes.size > 0 ? this.#lanes.get(device) : undefined;
    }

    linkUp(): void {
        if (this.#isOnline) return;
        this.#isOnline = true;
        for (const lane of this.#lanes.values()) this.#wake(lane);
        this.pump();
    }

    /** Everything in flight is unacknowledged again and goes back before all that was not sent yet. */
    linkDown(): void {
        if (!this.#isOnline) return;
        this.#isOnline = false;
        this.#cancelTimers();
        this.acknowledgementTime.forget();
        for (const lane of this.#contacts) {
            if (lane.state === "confirming" && lane.contact) this.#giveBack(lane.contact);
            lane.contact = undefined;
            lane.state = "parked";
        }
        this.#contacts.clear();
        for (let entry = this.#inFlight.last; entry; entry = this.#inFlight.last) this.#giveBack(entry);
    }

    /** Sends as much as may be sent now. */
    pump(): void {
        if (this.#isPumping || this.#isStopped) return;
        this.#isPumping = true;
        try {
            const { limits, link, clock } = this.#options;
            while (this.#isOnline && this.#inFlight.length < limits.maxInFlight && link.isWritable()) {
                if (this.#bucket && !this.#bucket.take(clock.monotonicMs())) {
                    this.#pumpLater(this.#bucket.delayMs(clock.monotonicMs()));
                    break;
                }
                const entry = this.#next();
                if (!entry) {
                    this.#bucket?.giveBack();
                    break;
                }
                this.#send(entry);
            }
        } finally {
            this.#isPumping = false;
        }
    }

    /** Whether one more publish that does not pass the outbox fits the rate; takes its place in it. */
    takeRate(): boolean {
        return this.#bucket?.take(this.#options.clock.monotonicMs()) ?? true;
    }

    /** The first contact succeeded: its event is settled and the device flows. */
    confirm(device: string): void {
        const lane = this.#lanes.get(device);
        const entry = lane && this.#endContact(lane);
        if (!entry) return;
        lane.isHeld = false;
        entry.isContact = false;
        if (entry.transmission === 0) this.#delivered(entry);
        this.#wake(lane);
        this.pump();
    }

    /** The first contact failed for now: its event goes back to the head and the device waits, held, until it is woken. */
    requeue(device: string): void {
        const lane = this.#lanes.get(device);
        const entry = lane && this.#endContact(lane);
        if (entry) this.#giveBack(entry);
        this.hold(device);
        this.pump();
    }

    /** The device, which was flowing, is refused from now on: what is in flight goes back, and it waits, held, until it is woken. */
    recall(device: string): void {
        this.hold(device);
        const lane = this.#lanes.get(device);
        for (let entry = this.#inFlight.last; entry; ) {
            const { previous } = entry;
            if (entry.device === device && !entry.isContact) {
                lane?.adopt(entry);
                this.#giveBack(entry);
            }
            entry = previous;
        }
        this.pump();
    }

    /** The first contact failed for good: its event is given up and the next one may try. */
    refuse(device: string, error: GatewayError): void {
        const lane = this.#lanes.get(device);
        const entry = lane && this.#endContact(lane);
        if (!entry) return;
        this.#options.ledger.refuse(entry, error);
        this.#wake(lane);
        this.pump();
    }

    /** Nothing more of the device is sent until it is woken, and what it queues counts as held. */
    hold(device: string): void {
        const lane = this.#lanes.get(device) ?? this.#createLane(device, this.main.passedSeq + 1);
        if (!lane.contact) this.#park(lane);
        lane.isHeld = true;
    }

    /** The gate may answer differently for this device now. */
    wake(device: string): void {
        const lane = this.#lanes.get(device);
        if (lane?.state !== "parked") return;
        this.#wake(lane);
        this.pump();
    }

    /** The oldest event that is not under way, if there is one in memory; `isLoading` tells that there are others. */
    oldest(): { entry: Entry | undefined; isLoading: boolean } {
        const entry = this.main.peek();
        if (entry || !this.main.isEmpty) return { entry, isLoading: !entry };
        let isLoading = false;
        for (const lane of this.#lanes.values()) {
            const first = lane.queue.peek();
            if (first) return { entry: first, isLoading: false };
            isLoading ||= !lane.queue.isEmpty;
        }
        return { entry: undefined, isLoading };
    }

    /** Every event in memory that is not in flight, nor an acknowledged first contact. */
    *queued(): Generator<Entry> {
        yield* this.main.inMemory();
        for (const lane of this.#lanes.values()) yield* lane.queue.inMemory();
    }

    /** Every event in flight, and the acknowledged first contacts. */
    *underWay(): Generator<Entry> {
        for (const lane of this.#contacts) if (lane.state === "confirming" && lane.contact) yield lane.contact;
        yield* this.#inFlight;
    }

    /** Whether an event is on disk only and not being read. */
    isOnlyStored(event: OutboxEvent): boolean {
        return this.main.isOnlyStored(event.seq) || (this.#lanes.get(event.device)?.queue.isOnlyStored(event.seq) ?? false);
    }

    /** The numbers in memory have grown by `shift`; the store holds others, up to `lastSeq`. */
    rebase(shift: number, lastSeq: number): void {
        this.main.rebase(shift, lastSeq);
        for (const lane of this.#lanes.values()) lane.rebase(shift);
    }

    /** Sends nothing more; what is in flight may still be acknowledged. */
    stopSending(): void {
        this.#isStopped = true;
    }

    dispose(): void {
        this.#isStopped = true;
        this.#isOnline = false;
        this.#cancelTimers();
    }

    #next(): Entry | undefined {
        const nowMs = this.#options.now();
        if (this.#awake.size === 0) return this.#nextOfMain(nowMs);
        this.#isLaneTurn = !this.#isLaneTurn;
        if (this.#isLaneTurn) return this.#nextOfLanes(nowMs) ?? this.#nextOfMain(nowMs);
        return this.#nextOfMain(nowMs) ?? this.#nextOfLanes(nowMs);
    }

    #nextOfMain(nowMs: number): Entry | undefined {
        const { gate } = this.#options;
        for (let moves = 0; moves < movesAtOnce; moves++) {
            const entry = this.main.shift();
            if (!entry) return undefined;
            if (this.#expire(entry, nowMs)) continue;
            const known = this.laneOf(entry.device);
            if (known) {
                known.take(entry);
                continue;
            }
            const answer = gate.ask(entry.device);
            if (answer === "flow") return entry;
            if (answer === "contact") {
                const lane = this.#createLane(entry.device, entry.seq + 1);
                lane.adopt(entry);
                return this.#startContact(lane, entry);
            }
            const lane = this.#createLane(entry.device, entry.seq);
            lane.take(entry);
            lane.isHeld = answer === "hold";
        }
        this.#pumpLater(0);
        return undefined;
    }

    #nextOfLanes(nowMs: number): Entry | undefined {
        for (const lane of this.#awake) {
            const entry = lane.queue.peek();
            this.#awake.delete(lane);
            if (!entry) {
                this.#removeIfEmpty(lane);
                continue;
            }
            if (entry.expiresAt <= nowMs) {
                lane.queue.shift();
                this.#expire(entry, nowMs);
                this.#awake.add(lane);
                continue;
            }
            const answer = this.#options.gate.ask(lane.device);
            if (answer === "contact") {
                lane.queue.shift();
                return this.#startContact(lane, entry);
            }
            if (answer === "flow") {
                lane.queue.shift();
                lane.isHeld = false;
                this.#awake.add(lane);
                this.#removeIfEmpty(lane);
                return entry;
            }
            lane.state = "parked";
            if (answer === "hold") lane.isHeld = true;
        }
        return undefined;
    }

    #expire(entry: Entry, nowMs: number): boolean {
        if (entry.expiresAt > nowMs) return false;
        this.#options.ledger.expire(entry, nowMs - entry.createdAt);
        return true;
    }

    #send(entry: Entry): void {
        const { clock, gate, link } = this.#options;
        const transmission = ++this.#transmissions;
        entry.transmission = transmission;
        this.#inFlight.push(entry);
        if (!this.acknowledgementTime.isTiming) this.acknowledgementTime.sent(transmission, clock.monotonicMs());
        if (entry.isContact) gate.contactSent(entry.device, entry);
        link.send(entry, (error) => this.#settled(entry, transmission, error));
    }

    #settled(entry: Entry, transmission: number, error: Error | undefined): void {
        // After an error the end of the connection is reported too: then everything in flight goes back together, in order.
        if (entry.transmission !== transmission || error) return;
        if (this.acknowledgementTime.isTimed(transmission)) this.acknowledgementTime.acknowledged(this.#options.clock.monotonicMs());
        entry.transmission = 0;
        if (entry.isContact) {
            entry.list?.remove(entry);
            const lane = this.#lanes.get(entry.device);
            if (lane) lane.state = "confirming";
            this.#options.gate.contactAcknowledged(entry.device);
        } else {
            this.#delivered(entry);
        }
        this.pump();
    }

    #delivered(entry: Entry): void {
        this.#options.ledger.delivered(entry);
        this.#options.delivered();
    }

    #giveBack(entry: Entry): void {
        entry.list?.remove(entry);
        entry.transmission = 0;
        entry.isContact = false;
        (this.laneOf(entry.device)?.queue ?? this.main).unshift(entry);
    }

    #createLane(device: string, firstSeq: number): DeviceLane {
        const { context, memory, ledger } = this.#options;
        const lane = new DeviceLane({
            device,
            context,
            memory,
            use: this.#lanesUse,
            held: this.held,
            firstSeq,
            lastSeq: this.#options.lastSeq(),
            reloaded: (event) => ledger.reloaded(event),
            loaded: (of, error) => this.#laneLoaded(of, error),
        });
        this.#lanes.set(device, lane);
        return lane;
    }

    #startContact(lane: DeviceLane, entry: Entry): Entry {
        entry.isContact = true;
        lane.state = "contact";
        lane.contact = entry;
        this.#contacts.add(lane);
        return entry;
    }

    #endContact(lane: DeviceLane): Entry | undefined {
        const entry = lane.contact;
        lane.contact = undefined;
        this.#contacts.delete(lane);
        if (entry) lane.state = "parked";
        return entry;
    }

    #park(lane: DeviceLane): void {
        lane.state = "parked";
        this.#awake.delete(lane);
    }

    #wake(lane: DeviceLane): void {
        lane.state = "awake";
        this.#awake.add(lane);
        this.#removeIfEmpty(lane);
    }

    #removeIfEmpty(lane: DeviceLane): void {
        if (!lane.queue.isEmpty) return;
        this.#awake.delete(lane);
        this.#lanes.delete(lane.device);
        lane.dispose();
        if (this.#lanes.size === 0 && this.main.isEmpty) this.#options.context.isOutOfOrder = false;
    }

    #laneLoaded(lane: DeviceLane, error: boolean): void {
        if (!error && lane.state === "awake") this.#awake.add(lane);
        this.#loaded(error);
    }

    #loaded(error: boolean): void {
        if (error) {
            this.#readTimer ??= this.#options.clock.setTimer(readRetryMs, () => {
                this.#readTimer = undefined;
                this.resume();
            });
            return;
        }
        this.#options.loaded();
        this.pump();
    }

    /** Tries again whatever waited for the store or for the connection. */
    resume(): void {
        for (const lane of this.#lanes.values()) if (lane.state === "awake") this.#awake.add(lane);
        this.pump();
    }

    #pumpLater(delayMs: number): void {
        this.#pumpTimer ??= this.#options.clock.setTimer(delayMs, () => {
            this.#pumpTimer = undefined;
            this.pump();
        });
    }

    #cancelTimers(): void {
        this.#pumpTimer?.cancel();
        this.#pumpTimer = undefined;
        this.#readTimer?.cancel();
        this.#readTimer = undefined;
    }
}
