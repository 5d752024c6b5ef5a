// Runs simulated histories of a gateway, beginning with a seed: npm run simulate -- --seeds=1000 --seed=1
// --trace shows every step and packet of the first.
import { execFileSync, spawnSync } from "node:child_process";
import path from "node:path";
import { parseArgs } from "node:util";
import { compiler, root } from "./project.mjs";

const { values } = parseArgs({
    options: {
        seeds: { type: "string", default: "100" },
        seed: { type: "string", default: "1" },
        trace: { type: "boolean", default: false },
    },
});
execFileSync(process.execPath, [compiler, "-p", "tsconfig.json"], { cwd: root, stdio: "inherit" });
const program = path.join(root, ".build", "test", "simulation", "support", "program.js");
const options = [`--seeds=${values.trace ? 1 : values.seeds}`, `--seed=${values.seed}`, ...(values.trace ? ["--trace"] : [])];
const run = spawnSync(process.execPath, ["--enable-source-maps", program, ...options], { cwd: root, stdio: "inherit" });
process.exitCode = run.status ?? 1;
