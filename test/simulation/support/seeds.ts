/** How many histories a test run takes besides those of `failedBefore`, and the first of them. */
const usualCount = 24;
const usualFirst = 9000;

/** Seeds whose histories have shown a fault once. Every run takes them. */
const failedBefore: readonly number[] = [3, 4, 202, 1001, 1079, 2018, 5092, 7126, 9188];

/** The seeds of a test run: the same ones each time, so that a change is compared with what was before. A long run takes others. */
export function seedsOfRun(): readonly number[] {
    const first = Number(process.env.SIMULATION_SEED ?? usualFirst);
    const count = Number(process.env.SIMULATION_SEEDS ?? usualCount);
    return [...failedBefore, ...Array.from({ length: count }, (_, index) => first + index)];
}
