import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";

/** How many histories a test run takes besides those of `failedBefore`. */
const usualCount = 24;
const range = 10_000;

/** Seeds whose histories have shown a fault once. Every run takes them. */
const failedBefore: readonly number[] = [3, 4, 202, 1001, 1079];

/** The seeds of a test run: other ones for each commit, and the same for the same one. */
export function seedsOfRun(): readonly number[] {
    const first = process.env.SIMULATION_SEED ?? 1 + (hashOf(nameOfSources()) % range);
    const count = Number(process.env.SIMULATION_SEEDS ?? usualCount);
    return [...failedBefore, ...Array.from({ length: count }, (_, index) => Number(first) + index)];
}

/** The commit; where there is none, the version. */
function nameOfSources(): string {
    try {
        return execFileSync("git", ["rev-parse", "HEAD"], { encoding: "utf8", stdio: ["ignore", "pipe", "ignore"] }).trim();
    } catch {
        return String(JSON.parse(readFileSync("package.json", "utf8")).version);
    }
}

function hashOf(text: string): number {
    return createHash("sha256").update(text).digest().readUInt32BE();
}
