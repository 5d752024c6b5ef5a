// Runs the simulated histories of test/simulation, beginning with a seed: npm run simulate -- --seeds=1000 --seed=1
import { execFileSync, spawnSync } from "node:child_process";
import { createRequire } from "node:module";
import path from "node:path";
import { parseArgs } from "node:util";
import { compiler, root } from "./project.mjs";

const { values } = parseArgs({ options: { seeds: { type: "string", default: "100" }, seed: { type: "string", default: "1" } } });
execFileSync(process.execPath, [compiler, "-p", "tsconfig.json"], { cwd: root, stdio: "inherit" });
const mocha = createRequire(import.meta.url).resolve("mocha/bin/mocha.js");
const tests = path.join(root, ".build", "test", "simulation", "*.test.js");
const run = spawnSync(process.execPath, ["--enable-source-maps", mocha, tests], {
    cwd: root,
    stdio: "inherit",
    env: { ...process.env, SIMULATION_SEEDS: values.seeds, SIMULATION_SEED: values.seed },
});
process.exitCode = run.status ?? 1;
