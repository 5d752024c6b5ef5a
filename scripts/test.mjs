// Runs every test layer and ends with one line: "N passed, N failed".
// Arguments name the layers to run (default: all), for example: npm test -- unit simulator
import { spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { tmpdir } from "node:os";
import path from "node:path";
import { layers } from "./test-layers.mjs";
import { provide } from "./test-tools.mjs";

const root = path.dirname(import.meta.dirname);
const require = createRequire(import.meta.url);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !layers.some((layer) => layer.name === name));
if (unknown.length > 0) {
    console.error(`No such test layer: ${unknown.join(", ")}. There are: ${layers.map((layer) => layer.name).join(", ")}.`);
    process.exit(2);
}

function run(command, args, env = {}) {
    return spawnSync(command, args, { cwd: root, stdio: "inherit", env: { ...process.env, ...env } }).status ?? 1;
}

const compilers = [
    [require.resolve("typescript/package.json").replace("package.json", "bin/tsc"), "-p", "tsconfig.json"],
    ["scripts/build.mjs"],
];
rmSync(path.join(root, ".build"), { recursive: true, force: true });
for (const args of compilers) {
    if (run(process.execPath, args) !== 0) {
        console.log("0 passed, 1 failed");
        process.exit(1);
    }
}

const reports = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-tests-"));
const totals = { passed: 0, failed: 0 };
const notRun = [];

for (const layer of layers) {
    if (wanted.length > 0 && !wanted.includes(layer.name)) continue;
    const directory = path.join(root, ".build", "test", layer.directory);
    if (!existsSync(directory) || !readdirSync(directory, { recursive: true }).some((name) => name.endsWith(".test.js"))) continue;
    const missing = provide(layer.needs ?? []);
    if (missing.length > 0) {
        notRun.push(`${layer.name}: ${missing.join("; ")}`);
        continue;
    }
    console.log(`\n=== ${layer.name}`);
    const report = path.join(reports, `${layer.name}.json`);
    const status = run(
        layer.node?.() ?? process.execPath,
        [
            "--enable-source-maps",
            require.resolve("mocha/bin/mocha.js"),
            "--reporter",
            path.join(root, "scripts", "test-reporter.cjs"),
            `${directory}/**/*.test.js`,
        ],
        { ...layer.env, TEST_REPORT: report },
    );
    if (existsSync(report)) {
        const { passed, failed } = JSON.parse(readFileSync(report, "utf8"));
        totals.passed += passed;
        // A run that fails outside a test (a crash, a test that never ends) is a failure as well.
        totals.failed += failed === 0 && status !== 0 ? 1 : failed;
    } else {
        console.error(`${layer.name}: ended with status ${status} and without a report`);
        totals.failed += 1;
    }
}
rmSync(reports, { recursive: true, force: true });

for (const line of notRun) console.log(`NOT RUN ${line}`);
if (notRun.length > 0 && process.env.CI === "true") totals.failed += notRun.length;
console.log(`\n${totals.passed} passed, ${totals.failed} failed`);
process.exit(totals.failed === 0 && totals.passed > 0 ? 0 : 1);
