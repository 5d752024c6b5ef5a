import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import path from "node:path";

const folder = path.join("test", "simulation", "mutants");
const patches = readdirSync(folder);

describe("the faults that the simulation must find", () => {
    for (const patch of patches) {
        it(`can be brought back: ${patch}`, () => {
            const { status, stderr } = spawnSync("git", ["apply", "--check", path.join(folder, patch)], { encoding: "utf8" });
            assert.equal(status, 0, stderr);
        });
    }
});
