// Compiles the package and the benchmarks and runs those that are named: npm run bench -- events --quick
import { execFileSync, spawnSync } from "node:child_process";
import path from "node:path";
import { compiler, root } from "./project.mjs";
import { provide } from "./test-tools.mjs";

// Node-RED speaks the language of the environment, and the benchmarks read what it says.
process.env.LC_ALL = "en_US.UTF-8";

const missing = provide(["mosquitto"]);
if (missing.length > 0) {
    console.error(`mosquitto: ${missing.join("; ")}`);
    process.exit(1);
}
for (const args of [[compiler, "-p", "tsconfig.json"], ["scripts/build.mjs"]]) {
    execFileSync(process.execPath, args, { cwd: root, stdio: "inherit" });
}
const bench = spawnSync(process.execPath, [path.join(root, ".build", "bench", "main.js"), ...process.argv.slice(2)], {
    cwd: root,
    stdio: "inherit",
});
process.exit(bench.status ?? 1);
