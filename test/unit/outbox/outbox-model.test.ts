import assert from "node:assert/strict";
import fc from "fast-check";
import type { CompletionMode, OutboxEvent } from "../../../src/outbox/event";
import { Outbox } from "../../../src/outbox/outbox";
import { FakeClock } from "../../support/fake-clock";
import {
    Disk,
    ManualGate,
    ManualLink,
    newEvent,
    RecordedCompletion,
    RecordingListener,
    roomyLimits,
    SteppedStore,
} from "../../support/outbox";

const devices = ["t/a", "t/b", "t/c"];

/** What the naive reference knows of one event. */
interface Admitted {
    readonly device: string;
    readonly number: number;
    readonly text: string;
    readonly completion: RecordedCompletion;
    readonly mode: CompletionMode;
    /** Acknowledged by the platform (for a first contact: and confirmed). */
    isDelivered: boolean;
    /** A crash came before it was safe. */
    mayBeLost: boolean;
}

type Knowledge = "known" | "unknown" | "held";

/** A purge that was asked for. */
interface Purged {
    readonly device: string;
    /** Events with this number and larger ones were admitted afterwards. */
    readonly before: number;
    /** What was in flight then or was sent since may stay. */
    readonly mayStay: Set<string>;
    outcome: "open" | "done" | "failed";
}

/** The outbox between a store, a link and a gate that the generated steps drive, and the rules that must hold at every send. */
class World {
    readonly clock = new FakeClock();
    readonly listener = new RecordingListener();
    readonly events: Admitted[] = [];
    readonly #byText = new Map<string, Admitted>();
    readonly #knowledge = new Map<string, Knowledge>(devices.map((device) => [device, "unknown"]));
    /** Devices whose first contact is under way, with its event. */
    readonly #contacts = new Map<string, Admitted>();
    /** The last number sent for each device on this connection. */
    readonly #lastSent = new Map<string, number>();
    readonly #disk = new Disk();
    #purges: Purged[] = [];
    readonly #leftByPurges: string[] = [];
    readonly #checksOrder: boolean;
    link = new ManualLink();
    gate = new ManualGate();
    store: SteppedStore;
    outbox: Outbox;
    isUp = false;
    hasCrashed = false;
    hasLostStore = false;

    constructor(checksOrder: boolean) {
        this.#checksOrder = checksOrder;
        [this.store, this.outbox] = this.#start();
    }

    #start(): [SteppedStore, Outbox] {
        const store = new SteppedStore(this.#disk);
        this.link = new ManualLink();
        this.link.onSend = (event) => this.#sent(event);
        this.gate = new ManualGate();
        this.gate.onAsk = (device) => {
            if (this.#knowledge.get(device) === "known") return "flow";
            if (this.#knowledge.get(device) === "held") return "hold";
            return this.#contacts.size < 2 ? "contact" : "wait";
        };
        const outbox = new Outbox({
            store,
            clock: this.clock,
            limits: { ...roomyLimits, maxInFlight: 4 },
            memory: { readyEvents: 4, laneEvents: 2, lanesEvents: 3, batchEvents: 3, unsavedEvents: 1000 },
            gate: this.gate,
            link: this.link,
            listener: this.listener,
        });
        return [store, outbox];
    }

    admit(device: string, mode: CompletionMode, ttlMs: number | undefined): void {
        const number = this.events.filter((event) => event.device === device).length;
        const text = `${device}#${number}`;
        const completion = new RecordedCompletion();
        const event: Admitted = { device, number, text, completion, mode, isDelivered: false, mayBeLost: false };
        this.events.push(event);
        this.#byText.set(text, event);
        this.outbox.admit(newEvent(device, text, { complete: mode, ttlMs }), completion);
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
        this.#contacts.clear();
        this.link.cut();
        this.outbox.linkDown();
    }

    acknowledge(choice: number): void {
        if (this.link.pending.length === 0) return;
        const index = choice % this.link.pending.length;
        const event = this.#find(this.link.pending[index]?.event);
        if (this.#contacts.get(event.device) !== event) event.isDelivered = true;
        this.link.acknowledge(index);
    }

    /** The outcome of a first contact that was acknowledged, or of one that is still on the wire. */
    decide(device: string, succeeds: boolean): void {
        const event = this.#contacts.get(device);
        if (!event) return;
        this.#contacts.delete(device);
        if (succeeds) {
            this.#knowledge.set(device, "known");
            if (!this.link.pending.some((pending) => pending.event.payload === event.text)) event.isDelivered = true;
            this.outbox.confirm(device);
        } else {
            this.#knowledge.set(device, "held");
            this.#lastSent.set(device, event.number - 1);
            const index = this.link.pending.findIndex((pending) => pending.event.payload === event.text);
            const [unanswered] = index < 0 ? [] : this.link.pending.splice(index, 1);
            this.outbox.requeue(device);
            // Its acknowledgement, coming late, must mean nothing any more: the next transmission is another one.
            unanswered?.settled();
        }
        this.#wakeWaiting();
    }

    release(device: string, knowledge: Knowledge): void {
        if (this.#contacts.has(device)) return;
        this.#knowledge.set(device, knowledge);
        this.outbox.wake(device);
    }

    hold(device: string): void {
        if (this.#contacts.has(device)) return;
        this.#knowledge.set(device, "held");
        this.outbox.hold(device);
    }

    failStore(): void {
        this.hasLostStore = true;
        this.store.fail();
    }

    closeStore(): void {
        this.hasLostStore = true;
        this.store.close();
    }

    purge(device: string): void {
        const sent = this.events.filter((event) => event.device === device && this.#isUnderWay(event));
        const before = this.events.filter((event) => event.device === device).length;
        const purge: Purged = { device, before, mayStay: new Set(sent.map(({ text }) => text)), outcome: "open" };
        this.#purges.push(purge);
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
            if (event.completion.outcome !== "done" && !event.isDelivered) event.mayBeLost = true;
        }
        this.isUp = false;
        this.#contacts.clear();
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
                this.outbox.wake(device);
            }
            this.acknowledge(0);
            if (round % 10 === 9) this.clock.advance(300);
        }
        this.linkUp();
        for (const device of devices) this.outbox.wake(device);
        for (let round = 0; round < 5; round++) {
            this.clock.advance(1000);
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
        for (const event of this.events) {
            const isAccountedFor = event.isDelivered || event.mayBeLost || this.#hasExpired(event);
            assert.ok(isAccountedFor, `${event.text} was forgotten`);
            if (!event.mayBeLost && !this.hasCrashed) assert.notEqual(event.completion.outcome, "open", event.text);
        }
        assert.equal(this.#disk.events, 0, "events left on disk");
        const late = this.listener.late.map(({ event }) => event.payload);
        if (!this.hasCrashed) assert.equal(new Set(late).size, late.length, "an event was told to have expired twice");
    }

    #isUnderWay(event: Admitted): boolean {
        return this.#contacts.get(event.device) === event || this.link.pending.some((pending) => pending.event.payload === event.text);
    }

    #purged(purge: Purged): void {
        purge.outcome = "done";
        if (!this.#purges.includes(purge)) return;
        for (const event of this.events) {
            if (event.device !== purge.device || event.number >= purge.before) continue;
            const isGone = event.isDelivered || event.mayBeLost || this.#hasExpired(event);
            if (!isGone && !purge.mayStay.has(event.text)) this.#leftByPurges.push(event.text);
        }
    }

    #hasExpired(event: Admitted): boolean {
        return event.completion.error?.code === "GW_EXPIRED" || this.listener.late.some((late) => late.event.payload === event.text);
    }

    #isQuiet(): boolean {
        return this.outbox.counters.queued === 0 && this.store.outstanding === 0 && this.link.pending.length === 0;
    }

    #wakeWaiting(): void {
        for (const device of devices) if (this.#knowledge.get(device) === "unknown") this.outbox.wake(device);
    }

    #sent(sent: OutboxEvent): void {
        const event = this.#find(sent);
        const isContact = this.#knowledge.get(event.device) === "unknown";
        assert.notEqual(this.#knowledge.get(event.device), "held", `${event.text} was sent for a held device`);
        assert.ok(!this.#contacts.has(event.device), `${event.text} overtook the outcome of the first contact`);
        if (isContact) this.#contacts.set(event.device, event);
        for (const purge of this.#purges) if (purge.device === event.device) purge.mayStay.add(event.text);
        assert.ok(this.hasCrashed || !this.#hasExpired(event), `${event.text} was sent although it was told to have expired`);
        assert.ok(this.hasCrashed || !event.isDelivered, `${event.text} was sent again after it was acknowledged`);
        assert.ok(!this.link.pending.some((pending) => pending.event === sent), `${event.text} was sent twice`);
        if (!this.#checksOrder) return;
        assert.ok(event.number > (this.#lastSent.get(event.device) ?? -1), `${event.text} was sent after a later one`);
        this.#lastSent.set(event.device, event.number);
        const onTheWire = new Set(this.link.pending.map((pending) => String(pending.event.payload)));
        for (const earlier of this.events) {
            if (earlier.device !== event.device || earlier.number >= event.number) continue;
            const isFinished = earlier.isDelivered || earlier.mayBeLost || this.#hasExpired(earlier);
            const isAccountedFor = isFinished || onTheWire.has(earlier.text);
            assert.ok(isAccountedFor, `${event.text} was sent before ${earlier.text}`);
        }
    }

    #find(event: OutboxEvent | undefined): Admitted {
        const found = this.#byText.get(String(event?.payload));
        assert.ok(found);
        return found;
    }
}

const device = fc.constantFrom(...devices);
const ttl = fc.constantFrom(undefined, undefined, undefined, 3000);
const mode = fc.constantFrom<CompletionMode>("safe", "acknowledged");

/** One step of a script, as data, so that a failing script can be read. */
type Step =
    | ["admit", device: string, mode: CompletionMode, count: number, ttlMs: number | undefined]
    | ["acknowledge", choice: number]
    | ["step store", count: number]
    | ["fail store" | "close store" | "open store" | "link up" | "link down" | "crash"]
    | ["advance", ms: number]
    | ["decide", device: string, succeeds: boolean]
    | ["release", device: string, knowledge: Knowledge]
    | ["hold" | "purge", device: string];

function perform(world: World, step: Step): void {
    if (step[0] === "admit") for (let count = 0; count < step[3]; count++) world.admit(step[1], step[2], step[4]);
    else if (step[0] === "acknowledge") world.acknowledge(step[1]);
    else if (step[0] === "step store") for (let count = 0; count < step[1]; count++) world.store.step();
    else if (step[0] === "fail store") world.failStore();
    else if (step[0] === "close store") world.closeStore();
    else if (step[0] === "open store") world.store.open();
    else if (step[0] === "link up") world.linkUp();
    else if (step[0] === "link down") world.linkDown();
    else if (step[0] === "crash") world.crash();
    else if (step[0] === "advance") world.clock.advance(step[1]);
    else if (step[0] === "decide") world.decide(step[1], step[2]);
    else if (step[0] === "release") world.release(step[1], step[2]);
    else if (step[0] === "hold") world.hold(step[1]);
    else if (step[0] === "purge") world.purge(step[1]);
}

function weighted(weight: number, arbitrary: fc.Arbitrary<Step>): fc.WeightedArbitrary<Step> {
    return { weight, arbitrary };
}

const steps = [
    weighted(8, fc.tuple(fc.constant("admit"), device, mode, fc.integer({ min: 1, max: 6 }), ttl)),
    weighted(6, fc.tuple(fc.constant("acknowledge"), fc.nat(3))),
    weighted(6, fc.tuple(fc.constant("step store"), fc.integer({ min: 1, max: 3 }))),
    weighted(3, fc.tuple(fc.constant("advance"), fc.constantFrom(1, 30, 300, 2000))),
    weighted(3, fc.constant(["link up"])),
    weighted(1, fc.constant(["link down"])),
    weighted(3, fc.tuple(fc.constant("decide"), device, fc.boolean())),
    weighted(2, fc.tuple(fc.constant("release"), device, fc.constantFrom<Knowledge>("known", "unknown"))),
    weighted(1, fc.tuple(fc.constant("hold"), device)),
    weighted(1, fc.constant(["fail store"])),
];
const purge = weighted(1, fc.tuple(fc.constant("purge"), device));
const crash = weighted(1, fc.constant(["crash"]));
const storeLoss = [weighted(1, fc.constant(["close store"])), weighted(2, fc.constant(["open store"]))];

function run(checksOrder: boolean, script: Step[]): void {
    const world = new World(checksOrder);
    if (checksOrder) world.store.open();
    for (const step of script) perform(world, step);
    world.finish();
}

/** The same where promises get their turn after each step. */
async function runWithTurns(checksOrder: boolean, script: Step[]): Promise<void> {
    const world = new World(checksOrder);
    if (checksOrder) world.store.open();
    else world.hasLostStore = true;
    for (const step of script) {
        perform(world, step);
        await turn();
    }
    world.store.open();
    for (let round = 0; round < 30; round++) {
        world.store.settle();
        world.clock.advance(1000);
        await turn();
    }
    world.finish();
    await turn();
}

function turn(): Promise<void> {
    return new Promise((resolve) => setImmediate(resolve));
}

describe("the outbox against a naive reference", () => {
    const numRuns = Number(process.env.MODEL_RUNS ?? 500);

    it("sends every event in order for its device, whatever is acknowledged, lost, held or crashes when", () => {
        const script = fc.array(fc.oneof(...steps, crash), { minLength: 5, maxLength: 150, size: "max" });
        fc.assert(
            fc.property(script, (generated) => run(true, generated)),
            { numRuns },
        );
    });

    it("forgets nothing while the store comes and goes", () => {
        const script = fc.array(fc.oneof(...steps, ...storeLoss), { minLength: 5, maxLength: 150, size: "max" });
        fc.assert(
            fc.property(script, (generated) => run(false, generated)),
            { numRuns },
        );
    });

    it("drops what waits for a device when it is purged, and nothing else", async () => {
        const script = fc.array(fc.oneof(...steps, purge, crash), { minLength: 5, maxLength: 150, size: "max" });
        await fc.assert(
            fc.asyncProperty(script, (generated) => runWithTurns(true, generated)),
            { numRuns },
        );
    });

    it("ends every purge while the store comes and goes", async () => {
        const script = fc.array(fc.oneof(...steps, ...storeLoss, purge), { minLength: 5, maxLength: 150, size: "max" });
        await fc.assert(
            fc.asyncProperty(script, (generated) => runWithTurns(false, generated)),
            { numRuns },
        );
    });
});
