import assert from "node:assert/strict";
import { World } from "./support/world";

const seeds = Number(process.env.SIMULATION_SEEDS ?? 8);
const firstSeed = Number(process.env.SIMULATION_SEED ?? 1);
const deviceCount = 20;
const hourMs = 3_600_000;

async function runSeed(seed: number): Promise<void> {
    const world = new World(seed);
    const { machine } = world;
    const { random } = machine;
    const faults = [
        () => world.cut(),
        () => world.goDead(),
        () => world.restartFrontEnd(),
        () => world.moveToOtherFrontEnd(),
        () => world.kill(),
        () => world.stop(),
        () => world.deploy(),
        () => world.operate(),
        () => world.troubleRegistration(),
        () => world.troubleAcknowledgements(),
        () => {
            world.diskMs = [1, 20, 2_000, 20_000][random.integer(0, 3)] ?? 5;
            world.note(`disk takes ${world.diskMs} ms`);
        },
        () => {
            world.isDiskFull = !world.isDiskFull;
            world.note(`disk full: ${world.isDiskFull}`);
        },
        () => {
            world.latencyMs = [1, 20, 300, 2_000][random.integer(0, 3)] ?? 20;
            world.note(`latency ${world.latencyMs} ms`);
        },
        () => {
            const clockMs = machine.clock.now() + random.integer(-100, 100) * hourMs;
            machine.clock.jump(clockMs);
            world.note("the wall clock jumps");
        },
    ];
    world.start();
    const endMs = machine.clock.monotonicMs() + 2 * hourMs;
    let nextFaultMs = machine.clock.monotonicMs() + random.integer(1, 900) * 1_000;
    while (machine.clock.monotonicMs() < endMs) {
        await machine.run(random.integer(0, 48_000));
        if (!world.isRunning) world.start();
        world.publish(`d${random.integer(0, deviceCount - 1)}`, (["high", "normal", "low"] as const)[random.integer(0, 2)] ?? "normal");
        if (random.next() < 0.1) world.command();
        if (machine.clock.monotonicMs() < nextFaultMs) continue;
        await faults[random.integer(0, faults.length - 1)]?.();
        nextFaultMs = machine.clock.monotonicMs() + random.integer(1, 900) * 1_000;
    }
    world.note("calm");
    world.isDiskFull = false;
    world.diskMs = 5;
    world.latencyMs = 20;
    if (!world.isRunning) world.start();
    const isOver = () => world.messages.every(({ outcomes, isOrphan }) => isOrphan || outcomes.length > 0);
    await machine.run(6 * hourMs, () => isOver() && world.gateway.gateway.state.queued === 0);
    await world.close();
    try {
        check(world);
    } catch (error) {
        throw new Error([`seed ${seed}: ${error instanceof Error ? error.message : error}`, ...world.trace].join("\n"));
    }
}

function check(world: World): void {
    const arrived = new Set([...world.taken.values()].flat());
    for (const { number, device, outcomes, late, isOrphan } of world.messages) {
        const what = `event ${number} of ${device}`;
        assert.ok(outcomes.length === 1 || (isOrphan && outcomes.length === 0), `${what}: ${outcomes.join() || "no outcome"}`);
        if (outcomes[0] === "done" && late.length === 0) assert.ok(arrived.has(number), `${what} was done and is lost`);
    }
    for (const command of world.expectedCommands) assert.ok(world.receivedCommands.has(command), `command ${command} is lost`);
    for (const [device, numbers] of world.taken) {
        for (const priority of ["high", "normal", "low"]) {
            const first = [...new Set(numbers)].filter((number) => world.messages[number]?.priority === priority);
            assert.deepEqual(
                first,
                [...first].sort((a, b) => a - b),
                `the order of ${device}, ${priority}`,
            );
        }
    }
}

describe("years of operation", function () {
    this.timeout(600_000 + seeds * 30_000);

    it(`lose nothing in ${seeds} histories of two hours`, async () => {
        for (let seed = firstSeed; seed < firstSeed + seeds; seed++) await runSeed(seed);
    });
});
