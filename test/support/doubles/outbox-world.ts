import assert from "node:assert/strict";
import { GatewayError } from "../../../src/errors";
import type { CompletionMode, OutboxEvent, Priority } from "../../../src/outbox/event";
import { Outbox } from "../../../src/outbox/outbox";
import type { OutboxLimits } from "../../../src/outbox/outbox-limits";
import { FakeClock } from "./fake-clock";
import { newEvent, RecordedCompletion, RecordingListener, roomyLimits } from "./outbox-events";
import { ManualGate, ManualLink } from "./outbox-ports";
import { type Admitted, OutboxReference } from "./outbox-reference";
import { Disk, SteppedStore } from "./stepped-store";

/** The devices of the world. */
export const devices = ["t/a", "t/b", "t/c"];

/** What the platform, and with it the gate, thinks of a device. */
export type Knowledge = "known" | "unknown" | "held";

/** What of an event decides its place in the queue. */
export interface EventKind {
    readonly priority: Priority;
    readonly isLatest: boolean;
}

const plain: EventKind = { priority: "normal", isLatest: false };

/** What a world is made of. */
export interface WorldOptions {
    /** Whether each device's events must be sent in order. */
    readonly checksOrder: boolean;
    readonly isInMemory?: boolean;
    readonly limits?: Partial<OutboxLimits>;
}

/** The outbox between a store, a link and a gate that the generated steps drive, and the rules that must hold at every send. */
export class World {
    readonly clock = new FakeClock();
    readonly listener = new RecordingListener();
    readonly reference = new OutboxReference(this.clock, this.listener);
    readonly #knowledge = new Map<string, Knowledge>(devices.map((device) => [device, "unknown"]));
    /** Devices whose registration attempt is under way, with its event. */
    readonly #registering = new Map<string, Admitted>();
    readonly #disk = new Disk();
    readonly #options: WorldOptions;
    readonly #limits: OutboxLimits;
    /** Transmissions whose acknowledgement means nothing any more. */
    readonly #void = new Set<object>();
    #cuts = 0;
    link = new ManualLink();
    gate = new ManualGate();
    store: SteppedStore;
    outbox: Outbox;
    isUp = false;
    hasLostStore = false;

    constructor(options: WorldOptions) {
        this.#options = options;
        this.#limits = { ...roomyLimits, maxInFlight: 4, ...options.limits };
        [this.store, this.outbox] = this.#start();
    }

    #start(): [SteppedStore, Outbox] {
        const store = new SteppedStore(this.#disk);
        this.link = new ManualLink();
        this.link.onSend = (event) => this.#sent(event);
        this.gate = new ManualGate();
        this.gate.onAsk = (device) => {
            if (this.#knowledge.get(device) === "known") return "flow";
            if (this.#knowledge.get(device) === "held") return "wait";
            return this.#registering.size < 2 ? "check" : "wait";
        };
        this.gate.onIsHeld = (device) => this.#knowledge.get(device) === "held";
        const outbox = new Outbox({
            store: this.#options.isInMemory ? undefined : store,
            storesEvents: !this.#options.isInMemory,
            clock: this.clock,
            boot: this.clock,
            limits: this.#limits,
            memory: { readyEvents: 4, deviceEvents: 2, batchEvents: 3, unsavedEvents: 1000 },
            gate: this.gate,
            link: this.link,
            listener: this.listener,
        });
        outbox.flowsStarted();
        return [store, outbox];
    }

    admit(device: string, mode: CompletionMode, ttlMs: number | undefined, kind: EventKind = plain): void {
        const completion = new RecordedCompletion();
        const event = this.reference.admit(device, { completion, mode, ttlMs: ttlMs ?? this.#limits.maxAgeMs, ...kind });
        const message = { messageId: "message", nodeId: kind.isLatest ? "latest" : "node", eventId: "status" };
        this.outbox.admit(newEvent(device, event.text, { completionMode: mode, ttlMs, message, ...kind }), completion);
        if (completion.outcome === "failed") this.reference.forget(event);
    }

    linkUp(): void {
        if (this.isUp) return;
        this.isUp = true;
        this.reference.connected();
        this.outbox.linkUp();
    }

    linkDown(): void {
        if (!this.isUp) return;
        this.isUp = false;
        this.#registering.clear();
        this.#void.clear();
        // The link may let go of what is acknowledged, or not: then it is sent again.
        this.#cuts += 1;
        if (this.#cuts % 2 === 0) this.link.settle();
        for (const { event } of this.#takeRetained(() => true)) {
            this.reference.find(event).isDelivered = false;
            this.reference.find(event).wasRecalled = true;
        }
        this.link.cut();
        this.outbox.linkDown();
    }

    /** Nothing can be held against what is acknowledged. */
    settle(): void {
        this.link.settle();
    }

    /** Acknowledges an event on the wire; one that is retained may still have to be sent again until it is settled. */
    acknowledge(choice: number, isRetained = false): void {
        if (this.link.pending.length === 0) return;
        const index = choice % this.link.pending.length;
        const pending = this.link.pending[index];
        const event = this.reference.find(pending?.event);
        const counts = pending !== undefined && !this.#void.delete(pending);
        if (counts && this.#registering.get(event.device) !== event) event.isDelivered = true;
        this.link.retains = isRetained && counts;
        this.link.acknowledge(index);
    }

    /** The outcome of a registration attempt that was acknowledged, or of one that is still on the wire. */
    decide(device: string, succeeds: boolean): void {
        const event = this.#registering.get(device);
        if (!event) return;
        this.#registering.delete(device);
        if (succeeds) {
            this.#knowledge.set(device, "known");
            if (!this.#isOnTheWire(event)) event.isDelivered = true;
            this.gate.verbs.confirm(device);
        } else {
            this.#knowledge.set(device, "held");
            this.reference.sendsAgainFrom(device, event.number);
            const index = this.link.pending.findIndex((pending) => pending.event.payload === event.text && !this.#void.has(pending));
            const [unanswered] = index < 0 ? [] : this.link.pending.splice(index, 1);
            this.gate.verbs.requeue(device);
            // Its acknowledgement, coming late, must mean nothing any more: the next transmission is another one.
            unanswered?.transmission.settled();
            for (const { transmission } of this.#takeRetained((retained) => retained === event)) transmission.settled();
        }
        this.#wakeWaiting();
    }

    /** The platform refuses the event of a registration attempt for good, before or after its acknowledgement. */
    refuse(device: string): void {
        const event = this.#registering.get(device);
        if (!event) return;
        this.#registering.delete(device);
        this.#withdraw((pending) => pending === event);
        this.#takeRetained((retained) => retained === event);
        // It is reported when it can be stored as undelivered; the next event need not wait for that.
        event.isRefused = true;
        this.gate.verbs.drop(device, new GatewayError("GW_REFUSED", "refused, says the test"));
        this.#wakeWaiting();
    }

    /** The platform turns out to drop what is in flight of a device that it knew. */
    recall(device: string): void {
        if (this.#knowledge.get(device) !== "known" || this.#registering.has(device)) return;
        this.#knowledge.set(device, "held");
        const numbers = this.#withdraw((pending) => pending.device === device);
        const retained = this.#takeRetained((event) => event.device === device);
        for (const { event } of retained) {
            const dropped = this.reference.find(event);
            dropped.isDelivered = false;
            dropped.wasRecalled = true;
            numbers.push(dropped.number);
        }
        if (numbers.length > 0) this.reference.sendsAgainFrom(device, Math.min(...numbers));
        this.gate.verbs.recall(device);
        // What is reported of a sending that is over means nothing any more.
        for (const { transmission } of retained) transmission.settled();
    }

    /** Takes out what is acknowledged and not settled of some events: what is reported of it will mean nothing. */
    #takeRetained(concerns: (event: Admitted) => boolean): typeof this.link.retained {
        const { retained } = this.link;
        this.link.retained = retained.filter(({ event }) => !concerns(this.reference.find(event)));
        return retained.filter(({ event }) => concerns(this.reference.find(event)));
    }

    /** Acknowledgements of these events will mean nothing; returns their numbers. */
    #withdraw(concerns: (event: Admitted) => boolean): number[] {
        const withdrawn: number[] = [];
        for (const pending of this.link.pending) {
            const event = this.reference.find(pending.event);
            if (this.#void.has(pending) || !concerns(event)) continue;
            this.#void.add(pending);
            withdrawn.push(event.number);
        }
        return withdrawn;
    }

    /** The wall clock is set, and somebody looks at it soon. */
    setClock(byMs: number): void {
        this.clock.jump(this.clock.now() + byMs);
    }

    release(device: string, knowledge: Knowledge): void {
        if (this.#registering.has(device)) return;
        this.#knowledge.set(device, knowledge);
        this.gate.verbs.wake(device);
    }

    hold(device: string): void {
        if (this.#registering.has(device)) return;
        this.#knowledge.set(device, "held");
    }

    failStore(): void {
        this.hasLostStore = true;
        this.store.fail();
    }

    closeStore(): void {
        this.hasLostStore = true;
        this.store.close();
    }

    /** The store is gone for some seconds. */
    interruptStore(): void {
        this.store.close();
        for (const device of devices) this.admit(device, "safe", undefined);
        for (const _ of devices) this.acknowledge(0);
        this.clock.advance(5000);
        this.check();
        this.store.open();
    }

    /** Whether a purge goes on. */
    get isPurging(): boolean {
        return this.reference.isPurging;
    }

    purge(device: string): void {
        const retained = new Set(this.link.retained.map(({ event }) => String(event.payload)));
        const purge = this.reference.purge(device, (event) => this.#isUnderWay(event) || retained.has(event.text));
        this.outbox.purge(device).then(
            () => this.reference.purged(purge),
            () => {
                purge.outcome = "failed";
            },
        );
    }

    crash(): void {
        this.reference.crash(this.hasLostStore);
        this.isUp = false;
        this.#registering.clear();
        // The timers of the process that is gone still run on the clock.
        this.link.onSend = undefined;
        [this.store, this.outbox] = this.#start();
        this.store.open();
    }

    /** Everything comes good: the rules that must hold in the end are then checked. */
    finish(): void {
        this.store.open();
        for (const device of devices) this.#knowledge.set(device, "known");
        for (let round = 0; round < 1000 && !this.#isQuiet(); round++) {
            this.linkUp();
            this.store.settle();
            for (const device of devices) {
                this.decide(device, true);
                this.gate.verbs.wake(device);
            }
            this.acknowledge(0);
            this.settle();
            if (round % 10 === 9) this.clock.advance(300);
        }
        this.linkUp();
        for (const device of devices) this.gate.verbs.wake(device);
        for (let round = 0; round < 5 || (round < 500 && !this.#isWrittenOff()); round++) {
            this.clock.advance(15_000);
            this.store.settle();
        }
        const dropsOldest = this.#limits.whenFull === "drop-oldest";
        this.reference.checkEnd(this.outbox.counters, { dropsOldest, hasLostStore: this.hasLostStore });
        assert.equal(this.#disk.events, 0, "events left on disk");
        assert.equal(this.#disk.data.undeliveredTotals.waiting, 0, "events were not handed over");
    }

    /** Nothing is sent for long: what has outlived its time must be reported all the same. */
    rest(): void {
        this.store.open();
        this.linkDown();
        for (let round = 0; round < 12; round++) {
            this.store.settle();
            this.clock.advance(15_000);
        }
        this.store.settle();
        this.reference.checkExpiry();
    }

    /** The outbox is closed with everything that is left: what it says of that must be true. */
    async close(): Promise<void> {
        const isWithStore = this.store.isOpen;
        let unsafe = -1;
        const closed = this.outbox.close(3000).then((events) => {
            unsafe = events;
        });
        for (let round = 0; round < 40; round++) {
            if (isWithStore) this.store.settle();
            this.clock.advance(100);
            await new Promise((resolve) => setImmediate(resolve));
        }
        await closed;
        this.reference.checkClosed(this.#disk.texts, unsafe, this.outbox.counters, this.#options.isInMemory ?? false);
        assert.equal(this.clock.timerCount, 0, "timers are left");
    }

    /** What must hold after every step. */
    check(): void {
        this.reference.check(this.outbox.counters);
    }

    #isOnTheWire(event: Admitted): boolean {
        return this.link.pending.some((pending) => pending.event.payload === event.text && !this.#void.has(pending));
    }

    #isUnderWay(event: Admitted): boolean {
        return this.#registering.get(event.device) === event || this.#isOnTheWire(event);
    }

    #isQuiet(): boolean {
        const { pending, retained } = this.link;
        return this.outbox.counters.queued === 0 && this.store.outstanding === 0 && pending.length === 0 && retained.length === 0;
    }

    /** Whether the disk holds nothing that is still to be done. */
    #isWrittenOff(): boolean {
        return this.#disk.events === 0 && this.#disk.data.undeliveredTotals.waiting === 0;
    }

    #wakeWaiting(): void {
        for (const device of devices) if (this.#knowledge.get(device) === "unknown") this.gate.verbs.wake(device);
    }

    #sent(sent: OutboxEvent): void {
        const event = this.reference.find(sent);
        const isContact = this.#knowledge.get(event.device) === "unknown";
        assert.notEqual(this.#knowledge.get(event.device), "held", `${event.text} was sent for a held device`);
        assert.ok(!this.#registering.has(event.device), `${event.text} overtook the outcome of the registration attempt`);
        if (isContact) this.#registering.set(event.device, event);
        const isOnTheWire = (each: Admitted) => this.#isOnTheWire(each);
        this.reference.sent(event, isOnTheWire);
        if (this.#options.checksOrder) this.reference.checkOrder(event, isOnTheWire, this.outbox.counters.dropped > 0);
    }
}
