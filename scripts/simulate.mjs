// Runs simulated histories of a gateway, beginning with a seed: npm run simulate -- --seeds=1000 --seed=1
// --trace shows every step and packet of the first; --mutants looks for the faults of test/simulation/mutants instead, in 1000 histories each.
import { execFileSync, spawnSync } from "node:child_process";
import path from "node:path";
import { parseArgs } from "node:util";
import { runMutants } from "./mutants.mjs";
import { compiler, root } from "./project.mjs";

const { values, positionals } = parseArgs({
    allowPositionals: true,
    options: {
        seeds: { type: "string" },
        seed: { type: "string", default: "1" },
        trace: { type: "boolean", default: false },
        mutants: { type: "boolean", default: false },
    },
});
if (values.mutants) process.exit(runMutants(Number(values.seeds ?? 1000), positionals));

execFileSync(process.execPath, [compiler, "-p", "tsconfig.json"], { cwd: root, stdio: "inherit" });
const program = path.join(root, ".build", "test", "simulation", "support", "program.js");
const options = [`--seeds=${values.trace ? 1 : (values.seeds ?? 100)}`, `--seed=${values.seed}`, ...(values.trace ? ["--trace"] : [])];
const run = spawnSync(process.execPath, ["--enable-source-maps", program, ...options], { cwd: root, stdio: "inherit" });
process.exitCode = run.status ?? 1;
