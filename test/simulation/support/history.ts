import { checkAtRest, checkHistory, checkNow } from "./invariants";
import { planMs, planOf, type Step } from "./plan";
import { shortest } from "./shortest";
import { World } from "./world";

/** Everything that waits must go out in this time when the faults are over. */
const calmMs = 4 * 3_600_000;

/** Runs the plan of a seed. Throws with the shortest part of it that still fails. */
export async function runSeed(seed: number): Promise<void> {
    const plan = planOf(seed);
    const failure = await runPlan(seed, plan);
    if (failure === undefined) return;
    const steps = await shortest(plan, async (some) => (await runPlan(seed, some)) !== undefined);
    const lines: string[] = [];
    const last = await runPlan(seed, steps, (line) => lines.push(line));
    throw new Error([`seed ${seed}: ${failure}`, `the shortest history, of ${steps.length} steps: ${last}`, ...lines].join("\n"));
}

/** Runs a plan. Resolves with what failed; undefined when everything holds. */
export async function runPlan(seed: number, steps: readonly Step[], note?: (line: string) => void): Promise<string | undefined> {
    const world = new World(seed, note ?? (() => undefined));
    if (note) world.tracePackets();
    try {
        await run(world, steps);
        return undefined;
    } catch (error) {
        return error instanceof Error ? error.message : String(error);
    } finally {
        await world.close();
    }
}

async function run(world: World, steps: readonly Step[]): Promise<void> {
    const { machine } = world;
    world.start();
    for (const step of steps) {
        await machine.run(step.atMs - machine.clock.monotonicMs());
        await world.execute(step);
        if (world.isRunning) checkNow(world);
    }
    world.start();
    await machine.run(planMs - machine.clock.monotonicMs());
    world.calm();
    const isOver = () => world.messages.every(({ outcomes, isOrphan }) => isOrphan || outcomes.length > 0);
    await machine.run(calmMs, () => isOver() && world.isAtRest);
    checkAtRest(world);
    await world.stop();
    checkHistory(world);
}
