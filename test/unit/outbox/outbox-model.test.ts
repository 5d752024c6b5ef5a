import fc from "fast-check";
import { type CompletionMode, priorities } from "../../../src/outbox/event";
import { devices, type EventKind, type Knowledge, World, type WorldOptions } from "../../support/doubles/outbox-world";

const device = fc.constantFrom(...devices);
const ttl = fc.constantFrom(undefined, undefined, undefined, 3000);
const kind = fc.record({ priority: fc.constantFrom(...priorities), isLatest: fc.boolean() });
const mode = fc.constantFrom<CompletionMode>("safe", "acknowledged");

/** One step of a script, as data, so that a failing script can be read. */
type Step =
    | ["admit", device: string, mode: CompletionMode, count: number, ttlMs: number | undefined, kind: EventKind]
    | ["acknowledge" | "acknowledge, not settled", choice: number]
    | ["step store", count: number]
    | ["settle" | "fail store" | "close store" | "open store" | "interrupt store" | "link up" | "link down" | "crash"]
    | ["advance", ms: number]
    | ["decide", device: string, succeeds: boolean]
    | ["release", device: string, knowledge: Knowledge]
    | ["set clock", hours: number]
    | ["hold" | "purge" | "recall" | "refuse", device: string];

function perform(world: World, step: Step): void {
    if (step[0] === "admit") for (let count = 0; count < step[3]; count++) world.admit(step[1], step[2], step[4], step[5]);
    else if (step[0] === "acknowledge") world.acknowledge(step[1]);
    else if (step[0] === "acknowledge, not settled") world.acknowledge(step[1], true);
    else if (step[0] === "settle") world.settle();
    else if (step[0] === "step store") for (let count = 0; count < step[1]; count++) world.store.step();
    else if (step[0] === "fail store") world.failStore();
    else if (step[0] === "close store") world.closeStore();
    else if (step[0] === "open store") world.store.open();
    else if (step[0] === "interrupt store") world.interruptStore();
    else if (step[0] === "link up") world.linkUp();
    else if (step[0] === "link down") world.linkDown();
    else if (step[0] === "crash") world.crash();
    else if (step[0] === "advance") world.clock.advance(step[1]);
    else if (step[0] === "decide") world.decide(step[1], step[2]);
    else if (step[0] === "release") world.release(step[1], step[2]);
    else if (step[0] === "recall") world.recall(step[1]);
    else if (step[0] === "refuse") world.refuse(step[1]);
    else if (step[0] === "set clock") world.setClock(step[1] * 3_600_000);
    else if (step[0] === "hold") world.hold(step[1]);
    else if (step[0] === "purge") world.purge(step[1]);
    world.check();
}

function weighted(weight: number, arbitrary: fc.Arbitrary<Step>): fc.WeightedArbitrary<Step> {
    return { weight, arbitrary };
}

const steps = [
    weighted(8, fc.tuple(fc.constant("admit"), device, mode, fc.integer({ min: 1, max: 6 }), ttl, kind)),
    weighted(6, fc.tuple(fc.constant("acknowledge"), fc.nat(3))),
    weighted(2, fc.tuple(fc.constant("acknowledge, not settled"), fc.nat(3))),
    weighted(1, fc.constant(["settle"])),
    weighted(6, fc.tuple(fc.constant("step store"), fc.integer({ min: 1, max: 3 }))),
    weighted(3, fc.tuple(fc.constant("advance"), fc.constantFrom(1, 30, 300, 2000))),
    weighted(3, fc.constant(["link up"])),
    weighted(1, fc.constant(["link down"])),
    weighted(3, fc.tuple(fc.constant("decide"), device, fc.boolean())),
    weighted(2, fc.tuple(fc.constant("release"), device, fc.constantFrom<Knowledge>("known", "unknown"))),
    weighted(1, fc.tuple(fc.constant("hold"), device)),
    weighted(1, fc.tuple(fc.constant("recall"), device)),
    weighted(1, fc.tuple(fc.constant("refuse"), device)),
];
const failStore = weighted(1, fc.constant(["fail store"]));
const purge = weighted(1, fc.tuple(fc.constant("purge"), device));
const setClock = weighted(1, fc.tuple(fc.constant("set clock"), fc.constantFrom(-5000, -1, 1, 5000)));
const crash = weighted(1, fc.constant(["crash"]));
const storeLoss = [weighted(1, fc.constant(["close store"])), weighted(2, fc.constant(["open store"]))];

function run(options: WorldOptions, script: Step[]): void {
    const world = new World(options);
    if (options.checksOrder) world.store.open();
    for (const step of script) perform(world, step);
    world.finish();
}

/** The same where promises get their turn after each step. */
async function runWithTurns(checksOrder: boolean, script: Step[]): Promise<void> {
    const world = new World({ checksOrder });
    if (checksOrder) world.store.open();
    else world.hasLostStore = true;
    for (const step of script) {
        perform(world, step);
        await turn();
    }
    world.store.open();
    for (let round = 0; round < 30 || (world.isPurging && round < 1000); round++) {
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

    it("does not send a refused value after a newer one, although the process ends before the refusal is on disk", () => {
        const high = { priority: "high", isLatest: true } as const;
        run({ checksOrder: true }, [
            ["admit", "t/a", "safe", 1, undefined, high],
            ["advance", 1],
            ["link up"],
            ["refuse", "t/a"],
            ["admit", "t/a", "safe", 1, undefined, { priority: "high", isLatest: false }],
            ["decide", "t/a", true],
            ["step store", 1],
            ["admit", "t/a", "safe", 1, undefined, high],
            ["acknowledge, not settled", 2],
            ["crash"],
            ["link up"],
            ["release", "t/a", "known"],
        ]);
    });

    it("counts an event once that is stored in the place of one whose row is being removed", () => {
        const high = { priority: "high", isLatest: true } as const;
        run({ checksOrder: false }, [
            ["release", "t/b", "known"],
            ["link up"],
            ["admit", "t/b", "safe", 1, undefined, high],
            ["open store"],
            ["admit", "t/b", "safe", 4, 3000, high],
            ["advance", 2000],
            ["acknowledge, not settled", 3],
            ["advance", 2000],
            ["step store", 2],
            ["link down"],
            ["advance", 2000],
        ]);
    });

    it("sends what comes while it is found out what the store holds, behind what that holds", () => {
        const normal = { priority: "normal", isLatest: false } as const;
        run({ checksOrder: true }, [
            ["link up"],
            ["admit", "t/b", "safe", 3, undefined, { priority: "normal", isLatest: true }],
            ["advance", 1],
            ["link down"],
            ["release", "t/b", "known"],
            ["step store", 1],
            ["crash"],
            ["admit", "t/b", "safe", 1, undefined, { priority: "high", isLatest: false }],
            ["recall", "t/b"],
            ["admit", "t/b", "safe", 1, undefined, normal],
        ]);
    });

    it("sends the events of each device in order, whatever is acknowledged, lost or held, and whenever it crashes", () => {
        const script = fc.array(fc.oneof(...steps, failStore, crash), { minLength: 5, maxLength: 150, size: "max" });
        fc.assert(
            fc.property(script, (generated) => run({ checksOrder: true }, generated)),
            { numRuns },
        );
    });

    it("forgets nothing while the store comes and goes", () => {
        const script = fc.array(fc.oneof(...steps, failStore, ...storeLoss), { minLength: 5, maxLength: 150, size: "max" });
        fc.assert(
            fc.property(script, (generated) => run({ checksOrder: false }, generated)),
            { numRuns },
        );
    });

    it("lets nothing expire because the clock is set", () => {
        const script = fc.array(fc.oneof(...steps, setClock), { minLength: 5, maxLength: 150, size: "max" });
        fc.assert(
            fc.property(script, (generated) => run({ checksOrder: true }, generated)),
            { numRuns },
        );
    });

    it("sends in order while the store is interrupted for moments", () => {
        const interrupt = weighted(1, fc.constant(["interrupt store"]));
        const script = fc.array(fc.oneof(...steps, failStore, interrupt), { minLength: 5, maxLength: 150, size: "max" });
        fc.assert(
            fc.property(script, (generated) => run({ checksOrder: true }, generated)),
            { numRuns },
        );
    });

    it("lets nothing expire because the clock is set while the store comes and goes", () => {
        const script = fc.array(fc.oneof(...steps, failStore, ...storeLoss, setClock), { minLength: 5, maxLength: 150, size: "max" });
        fc.assert(
            fc.property(script, (generated) => run({ checksOrder: false }, generated)),
            { numRuns },
        );
    });

    it("drops the oldest when it is full, and counts each once", () => {
        const script = fc.array(fc.oneof(...steps, failStore), { minLength: 5, maxLength: 150, size: "max" });
        fc.assert(
            fc.property(script, (generated) => run({ checksOrder: true, limits: { maxBytes: 2000, whenFull: "drop-oldest" } }, generated)),
            { numRuns },
        );
    });

    it("reads a newer value in the place of one that was done with, instead of reading without end", () => {
        const script = fc.array(fc.oneof(...steps, failStore), { minLength: 5, maxLength: 150, size: "max" });
        const property = fc.property(script, (generated) =>
            run({ checksOrder: true, limits: { maxBytes: 2000, whenFull: "drop-oldest" } }, generated),
        );
        for (const seed of [4, 5, 8]) fc.assert(property, { numRuns: 500, seed });
    });

    it("keeps the same promises in memory", () => {
        const script = fc.array(fc.oneof(...steps, setClock), { minLength: 5, maxLength: 150, size: "max" });
        fc.assert(
            fc.property(script, (generated) => run({ checksOrder: true, isInMemory: true }, generated)),
            { numRuns },
        );
    });

    it("reports expired events although nothing can be sent", () => {
        const script = fc.array(fc.oneof(...steps, failStore, ...storeLoss), { minLength: 5, maxLength: 150, size: "max" });
        const rest = (generated: Step[], options: WorldOptions) => {
            const world = new World(options);
            for (const step of generated) perform(world, step);
            world.rest();
        };
        fc.assert(
            fc.property(script, fc.boolean(), (generated, isInMemory) => rest(generated, { checksOrder: false, isInMemory })),
            { numRuns },
        );
    });

    it("reports at its close exactly the events that were lost", async () => {
        const script = fc.array(fc.oneof(...steps, failStore, ...storeLoss), { minLength: 5, maxLength: 100, size: "max" });
        const close = async (generated: Step[], options: WorldOptions) => {
            const world = new World(options);
            for (const step of generated) perform(world, step);
            await world.close();
        };
        await fc.assert(
            fc.asyncProperty(script, fc.boolean(), (generated, isInMemory) => close(generated, { checksOrder: false, isInMemory })),
            { numRuns: numRuns / 2 },
        );
    });

    it("drops exactly the queue of a device that is purged", async () => {
        const script = fc.array(fc.oneof(...steps, failStore, purge, crash), { minLength: 5, maxLength: 150, size: "max" });
        await fc.assert(
            fc.asyncProperty(script, (generated) => runWithTurns(true, generated)),
            { numRuns },
        );
    });

    it("ends every purge while the store comes and goes", async () => {
        const script = fc.array(fc.oneof(...steps, failStore, ...storeLoss, purge), { minLength: 5, maxLength: 150, size: "max" });
        await fc.assert(
            fc.asyncProperty(script, (generated) => runWithTurns(false, generated)),
            { numRuns },
        );
    });
});
