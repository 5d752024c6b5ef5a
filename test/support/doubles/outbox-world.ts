import assert from "node:assert/strict";
import { GatewayError } from "../../../src/errors";
import type { CompletionMode, OutboxEvent } from "../../../src/outbox/event";
import { Outbox } from "../../../src/outbox/outbox";
import type { OutboxLimits } from "../../../src/outbox/outbox-limits";
import { FakeClock } from "./fake-clock";
import { Disk, ManualGate, ManualLink, newEvent, RecordedCompletion, RecordingListener, roomyLimits, SteppedStore } from "./outbox";

/** The devices of the world. */
export const devices = ["t/a", "t/b", "t/c"];

/** What the naive reference knows of one event. */
interface Admitted {
    readonly device: string;
    readonly number: number;
    readonly text: string;
    readonly completion: RecordedCompletion;
    readonly mode: CompletionMode;
    readonly bytes: number;
    readonly ttlMs: number;
    readonly admittedMs: number;
    /** Acknowledged by the platform (for a registration attempt: and confirmed). */
    isDelivered: boolean;
    /** It was acknowledged, and is sent again because the platform dropped it. */
    wasRecalled: boolean;
    /** A crash came before it was safe. */
    mayBeLost: boolean;
    /** A later one of its device was sent instead: it must have been dropped to make room. */
    isPresumedDropped: boolean;
    isToldExpired: boolean;
}

/** What the platform, and with it the gate, thinks of a device. */
export type Knowledge = "known" | "unknown" | "held";

/** A purge that was asked for. */
interface Purged {
    readonly device: string;
    /** Events with this number and larger ones were admitted afterwards. */
    readonly before: number;
    /** What was in flight then or was sent since may stay. */
    readonly mayStay: Set<string>;
    outcome: "open" | "done" | "failed";
}

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
    readonly events: Admitted[] = [];
    readonly #byText = new Map<string, Admitted>();
    readonly #knowledge = new Map<string, Knowledge>(devices.map((device) => [device, "unknown"]));
    /** Devices whose registration attempt is under way, with its event. */
    readonly #registering = new Map<string, Admitted>();
    /** The last number sent for each device on this connection. */
    readonly #lastSent = new Map<string, number>();
    readonly #disk = new Disk();
    #purges: Purged[] = [];
    readonly #wasPurged = new Set<string>();
    readonly #leftByPurges: string[] = [];
    readonly #options: WorldOptions;
    readonly #limits: OutboxLimits;
    /** Transmissions whose acknowledgement means nothing any more. */
    readonly #void = new Set<object>();
    readonly #numbers = new Map<string, number>();
    #cuts = 0;
    link = new ManualLink();
    gate = new ManualGate();
    store: SteppedStore;
    outbox: Outbox;
    isUp = false;
    hasCrashed = false;
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
            limits: this.#limits,
            memory: { readyEvents: 4, deviceEvents: 2, batchEvents: 3, unsavedEvents: 1000 },
            gate: this.gate,
            link: this.link,
            listener: this.listener,
        });
        return [store, outbox];
    }

    admit(device: string, mode: CompletionMode, ttlMs: number | undefined): void {
        const number = this.#numbers.get(device) ?? 0;
        const text = `${device}#${number} `.padEnd(10 + ((number * 37) % 90));
        const completion = new RecordedCompletion();
        const event: Admitted = {
            device,
            number,
            text,
            completion,
            mode,
            bytes: text.length,
            ttlMs: ttlMs ?? this.#limits.maxAgeMs,
            admittedMs: this.clock.monotonicMs(),
            isDelivered: false,
            mayBeLost: false,
            wasRecalled: false,
            isPresumedDropped: false,
            isToldExpired: false,
        };
        this.#numbers.set(device, number + 1);
        this.#byText.set(text, event);
        this.events.push(event);
        this.outbox.admit(newEvent(device, text, { completionMode: mode, ttlMs }), completion);
        if (completion.outcome === "failed") this.events.splice(this.events.indexOf(event), 1);
    }

    linkUp(): void {
        if (this.isUp) return;
        this.isUp = true;
        this.#lastSent.clear();
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
            this.#find(event).isDelivered = false;
            this.#find(event).wasRecalled = true;
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
        const event = this.#find(pending?.event);
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
            this.#lastSent.set(device, event.number - 1);
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
            const dropped = this.#find(event);
            dropped.isDelivered = false;
            dropped.wasRecalled = true;
            numbers.push(dropped.number);
        }
        if (numbers.length > 0) this.#lastSent.set(device, Math.min(...numbers) - 1);
        this.gate.verbs.recall(device);
        // What is reported of a sending that is over means nothing any more.
        for (const { transmission } of retained) transmission.settled();
    }

    /** Takes out what is acknowledged and not settled of some events: what is reported of it will mean nothing. */
    #takeRetained(concerns: (event: Admitted) => boolean): typeof this.link.retained {
        const { retained } = this.link;
        this.link.retained = retained.filter(({ event }) => !concerns(this.#find(event)));
        return retained.filter(({ event }) => concerns(this.#find(event)));
    }

    /** Acknowledgements of these events will mean nothing; returns their numbers. */
    #withdraw(concerns: (event: Admitted) => boolean): number[] {
        const withdrawn: number[] = [];
        for (const pending of this.link.pending) {
            const event = this.#find(pending.event);
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
        return this.#purges.some(({ outcome }) => outcome === "open");
    }

    purge(device: string): void {
        const retained = new Set(this.link.retained.map(({ event }) => String(event.payload)));
        const sent = this.events.filter((event) => event.device === device && (this.#isUnderWay(event) || retained.has(event.text)));
        const before = this.#numbers.get(device) ?? 0;
        const purge: Purged = { device, before, mayStay: new Set(sent.map(({ text }) => text)), outcome: "open" };
        this.#purges.push(purge);
        this.#wasPurged.add(device);
        this.outbox.purge(device).then(
            () => this.#purged(purge),
            () => {
                purge.outcome = "failed";
            },
        );
    }

    crash(): void {
        this.hasCrashed = true;
        this.#purges = [];
        for (const event of this.events) {
            if ((event.completion.outcome !== "done" || event.wasRecalled) && !event.isDelivered) event.mayBeLost = true;
        }
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
        for (let round = 0; round < 5; round++) {
            this.clock.advance(15_000);
            this.store.settle();
        }
        assert.ok(
            this.#purges.every(({ outcome }) => outcome === "done" || (outcome === "failed" && this.hasLostStore)),
            "a purge did not end",
        );
        assert.deepEqual(this.#leftByPurges, [], "events were left by a purge");
        const { queued, queuedBytes, waitingDevices, heldBytes } = this.outbox.counters;
        assert.deepEqual(
            { queued, queuedBytes, waitingDevices, heldBytes },
            { queued: 0, queuedBytes: 0, waitingDevices: 0, heldBytes: 0 },
        );
        let unaccounted = 0;
        for (const event of this.events) {
            const isAccountedFor = event.isDelivered || event.mayBeLost || this.#hasFailed(event);
            if (!isAccountedFor) unaccounted += 1;
            assert.ok(isAccountedFor || this.#limits.whenFull === "drop-oldest", `${event.text} was forgotten`);
            if (!event.mayBeLost && !this.hasCrashed) assert.notEqual(event.completion.outcome, "open", event.text);
        }
        if (this.#limits.whenFull === "drop-oldest" && !this.hasCrashed) {
            const toldTogether = this.listener.drops.reduce((sum, { sinceLast }) => sum + sinceLast, 0);
            assert.deepEqual(
                [this.#toldDrops + unaccounted, toldTogether],
                [this.outbox.counters.dropped, unaccounted],
                "drops are not told rightly",
            );
        }
        assert.equal(this.#disk.events, 0, "events left on disk");
        const late = this.listener.late.map(({ event }) => event.payload);
        if (!this.hasCrashed) assert.equal(new Set(late).size, late.length, "an event was told to have expired twice");
    }

    /** Nobody sends anything any more: what has outlived its time must be told all the same. */
    rest(): void {
        this.store.open();
        this.linkDown();
        for (let round = 0; round < 12; round++) {
            this.store.settle();
            this.clock.advance(15_000);
        }
        this.store.settle();
        for (const event of this.events) {
            const isOver = this.clock.monotonicMs() - event.admittedMs > event.ttlMs;
            const isFinished = event.isDelivered || event.mayBeLost || this.#hasFailed(event);
            assert.ok(isFinished || !isOver, `${event.text} has outlived its time, and nobody was told`);
        }
    }

    /** The outbox is closed with everything that is left: what it says of that must be true. */
    async close(): Promise<void> {
        const isWithStore = this.store.isOpen;
        let unsafe: number | undefined;
        const closed = this.outbox.close(3000).then((events) => {
            unsafe = events;
        });
        for (let round = 0; round < 40; round++) {
            if (isWithStore) this.store.settle();
            this.clock.advance(100);
            await new Promise((resolve) => setImmediate(resolve));
        }
        await closed;
        const left = this.events.filter((event) => !event.isDelivered && !this.#hasFailed(event));
        const stored = this.#disk.texts;
        const lost = left.filter(({ text }) => !stored.has(text));
        for (const event of lost)
            assert.ok(event.wasRecalled || event.completion.outcome !== "done", `${event.text} was reported done, and is lost`);
        if (!this.#options.isInMemory) assert.equal(unsafe, lost.length, "what could not be stored is not counted rightly");
        else
            assert.deepEqual(
                left.filter(({ wasRecalled }) => !wasRecalled),
                [],
                "not all were told that they are lost",
            );
        assert.equal(this.clock.timerCount, 0, "timers are left");
    }

    /** What must hold after every step. */
    check(): void {
        const { queued, queuedBytes, heldBytes, dropped } = this.outbox.counters;
        assert.ok(heldBytes >= 0 && heldBytes <= queuedBytes, `${heldBytes} of ${queuedBytes} bytes are held`);
        for (const event of this.events) if (this.#hasExpired(event)) this.#assertIsOldEnough(event);
        if (this.hasCrashed || this.#wasPurged.size > 0) return;
        const live = this.events.filter((event) => !event.isDelivered && !this.#hasFailed(event));
        if (dropped > 0) {
            assert.equal(queued, live.length - (dropped - this.#toldDrops), "events are not counted rightly");
            return;
        }
        assert.equal(queued, live.length, "events are not counted rightly");
        assert.equal(
            queuedBytes,
            live.reduce((sum, { bytes }) => sum + bytes, 0),
            "bytes are not counted rightly",
        );
    }

    /** Dropped events whose senders were told; of those reported done before only the number is told. */
    get #toldDrops(): number {
        return this.events.filter(({ completion }) => completion.error?.code === "GW_OUTBOX_FULL").length;
    }

    #assertIsOldEnough(event: Admitted): void {
        if (event.isToldExpired || this.#wasPurged.has(event.device)) return;
        event.isToldExpired = true;
        const ageMs = this.clock.monotonicMs() - event.admittedMs;
        assert.ok(ageMs >= event.ttlMs, `${event.text} was told to have expired after ${ageMs} ms`);
    }

    #isOnTheWire(event: Admitted): boolean {
        return this.link.pending.some((pending) => pending.event.payload === event.text && !this.#void.has(pending));
    }

    #isUnderWay(event: Admitted): boolean {
        return this.#registering.get(event.device) === event || this.#isOnTheWire(event);
    }

    #purged(purge: Purged): void {
        purge.outcome = "done";
        if (!this.#purges.includes(purge)) return;
        for (const event of this.events) {
            if (event.device !== purge.device || event.number >= purge.before) continue;
            const isGone = event.isDelivered || event.mayBeLost || this.#hasFailed(event);
            if (!isGone && !purge.mayStay.has(event.text)) this.#leftByPurges.push(event.text);
        }
    }

    #hasExpired(event: Admitted): boolean {
        const late = this.listener.late.find(({ event: { payload } }) => payload === event.text);
        return (event.completion.error ?? late?.error)?.code === "GW_EXPIRED";
    }

    /** Told to have failed, in whatever way. */
    #hasFailed(event: Admitted): boolean {
        return event.completion.outcome === "failed" || this.listener.late.some((late) => late.event.payload === event.text);
    }

    #isQuiet(): boolean {
        const { pending, retained } = this.link;
        return this.outbox.counters.queued === 0 && this.store.outstanding === 0 && pending.length === 0 && retained.length === 0;
    }

    #wakeWaiting(): void {
        for (const device of devices) if (this.#knowledge.get(device) === "unknown") this.gate.verbs.wake(device);
    }

    #sent(sent: OutboxEvent): void {
        const event = this.#find(sent);
        const isContact = this.#knowledge.get(event.device) === "unknown";
        assert.notEqual(this.#knowledge.get(event.device), "held", `${event.text} was sent for a held device`);
        assert.ok(!this.#registering.has(event.device), `${event.text} overtook the outcome of the registration attempt`);
        if (isContact) this.#registering.set(event.device, event);
        for (const purge of this.#purges) if (purge.device === event.device) purge.mayStay.add(event.text);
        assert.ok(this.hasCrashed || !this.#hasFailed(event), `${event.text} was sent although it was told to have failed`);
        assert.ok(!event.isPresumedDropped, `${event.text} was sent after a later one`);
        assert.ok(this.hasCrashed || !event.isDelivered, `${event.text} was sent again after it was acknowledged`);
        assert.ok(!this.#isOnTheWire(event), `${event.text} was sent twice`);
        if (!this.#options.checksOrder) return;
        assert.ok(event.number > (this.#lastSent.get(event.device) ?? -1), `${event.text} was sent after a later one`);
        this.#lastSent.set(event.device, event.number);
        const onTheWire = new Set(this.link.pending.filter((each) => !this.#void.has(each)).map((each) => String(each.event.payload)));
        for (const earlier of this.events) {
            if (earlier.device !== event.device || earlier.number >= event.number) continue;
            const isFinished = earlier.isDelivered || earlier.mayBeLost || this.#hasFailed(earlier);
            if (!isFinished && !onTheWire.has(earlier.text) && this.outbox.counters.dropped > 0) earlier.isPresumedDropped = true;
            const isAccountedFor = isFinished || onTheWire.has(earlier.text) || earlier.isPresumedDropped;
            assert.ok(isAccountedFor, `${event.text} was sent before ${earlier.text}`);
        }
    }

    #find(event: OutboxEvent | undefined): Admitted {
        const found = this.#byText.get(String(event?.payload));
        assert.ok(found);
        return found;
    }
}
