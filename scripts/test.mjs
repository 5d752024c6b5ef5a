// Runs every test layer, three at a time where the machine has two cores, and ends with one line: "N passed, N failed".
// Arguments name the layers to run (default: all), for example: npm test -- unit simulator
import { spawn, spawnSync } from "node:child_process";
import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import { availableParallelism, tmpdir } from "node:os";
import path from "node:path";
import { compiler, root } from "./project.mjs";
import { layers } from "./test-layers.mjs";
import { provide, provideNode } from "./test-tools.mjs";

// Node-RED speaks the language of the environment, and the tests read what it says.
process.env.LC_ALL = "en_US.UTF-8";

const require = createRequire(import.meta.url);
const wanted = process.argv.slice(2);
const unknown = wanted.filter((name) => !layers.some((layer) => layer.name === name));
if (unknown.length > 0) {
    console.error(`No such test layer: ${unknown.join(", ")}. There are: ${layers.map((layer) => layer.name).join(", ")}.`);
    process.exit(2);
}

const compilers = [[compiler, "-p", "tsconfig.json"], ["scripts/build.mjs"]];
rmSync(path.join(root, ".build"), { recursive: true, force: true });
for (const args of compilers) {
    if (spawnSync(process.execPath, args, { cwd: root, stdio: "inherit" }).status !== 0) {
        console.log("0 passed, 1 failed");
        process.exit(1);
    }
}

const reports = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-tests-"));
/** What came of each layer that ran: `{ name, passed, failed, seconds }`. */
const results = [];
/** What was to run and did not; in CI each line is a failure. */
const notRun = [];
const failures = [];

/** What each version of Node.js that a layer asks for is run by. */
const nodes = new Map();

function findNode(version) {
    if (version === undefined) return process.execPath;
    if (!nodes.has(version)) nodes.set(version, provideNode(version));
    return nodes.get(version);
}

/** The chosen layers whose tools are there. */
const waiting = layers.filter((layer) => {
    if (wanted.length > 0 && !wanted.includes(layer.name)) return false;
    const missing = provide(layer.needs ?? []);
    if (!findNode(layer.node)) missing.push(`npm could not bring Node.js ${layer.node}`);
    if (missing.length > 0) notRun.push(`${layer.name}: ${missing.join("; ")}`);
    return missing.length === 0;
});

const isAlone = waiting.length === 1;

/** Runs one layer; resolves with its exit status and, unless it is the only one and shows it itself, its output. */
function runLayer(layer, report) {
    const compiled = path.join(root, ".build", "test");
    const args = [
        "--enable-source-maps",
        require.resolve("mocha/bin/mocha.js"),
        "--reporter",
        path.join(root, "scripts", "test-reporter.cjs"),
        `${path.join(compiled, layer.directory)}/**/${layer.tests ?? "*"}.test.js`,
        ...(layer.files ?? []).map((name) => `${path.join(compiled, name)}.test.js`),
    ];
    const env = { ...process.env, ...layer.env, TEST_REPORT: report };
    const child = spawn(findNode(layer.node), args, {
        cwd: root,
        env,
        stdio: isAlone ? "inherit" : ["ignore", "pipe", "pipe"],
    });
    const output = [];
    for (const stream of [child.stdout, child.stderr]) stream?.on("data", (chunk) => output.push(chunk));
    return new Promise((resolve) => {
        child.on("error", (error) => resolve({ output: String(error), status: 1 }));
        child.on("close", (status) => resolve({ output: Buffer.concat(output), status: status ?? 1 }));
    });
}

/** What came of a layer; remembers its failures. */
function outcome(layer, report, status) {
    if (!existsSync(report)) {
        failures.push(`${layer.name}: ended with status ${status} and without a report`);
        return { passed: 0, failed: 1 };
    }
    const { passed, failed, notRun: left, failures: texts } = JSON.parse(readFileSync(report, "utf8"));
    failures.push(...texts.map((text) => `${layer.name}: ${text}`));
    if (left > 0) notRun.push(`${layer.name}: ${left} tests, because what prepares or clears up for them failed`);
    // A run that fails outside a test (a crash, a test that never ends) is a failure as well.
    const isFailedOutside = failed === 0 && status !== 0;
    if (isFailedOutside) failures.push(`${layer.name}: every test passed, but the run ended with status ${status}`);
    return { passed, failed: isFailedOutside ? 1 : failed };
}

/** Takes one layer after the other, and shows what each wrote when it has ended. */
async function runLane() {
    for (let layer = waiting.shift(); layer; layer = waiting.shift()) {
        console.log(`=== ${layer.name} begins`);
        const report = path.join(reports, `${layer.name}.json`);
        const startMs = performance.now();
        const { output, status } = await runLayer(layer, report);
        const seconds = (performance.now() - startMs) / 1000;
        if (!isAlone) console.log(`\n=== ${layer.name}`);
        process.stdout.write(output);
        results.push({ name: layer.name, ...outcome(layer, report, status), seconds });
    }
}

// Most tests wait most of the time: two cores are busy for less than half of it. With more layers at once, the machine itself would be tested.
await Promise.all(Array.from({ length: Math.min(3, availableParallelism() + 1) }, runLane));
rmSync(reports, { recursive: true, force: true });

// Said once more at the end: in the output of the layers, thousands of lines long, a single failure is hard to find.
for (const text of failures) console.log(`\nFAILED ${text}`);

console.log(`\n${"layer".padEnd(20)}${"passed".padStart(8)}${"failed".padStart(8)}${"time".padStart(8)}`);
for (const { name, passed, failed, seconds } of results) {
    const time = `${Math.floor(seconds / 60)}:${String(Math.floor(seconds % 60)).padStart(2, "0")}`;
    console.log(`${name.padEnd(20)}${String(passed).padStart(8)}${String(failed).padStart(8)}${time.padStart(8)}`);
}
for (const line of notRun) console.log(`NOT RUN ${line}`);

const sum = (what) => results.reduce((total, result) => total + result[what], 0);
const passed = sum("passed");
const failed = sum("failed") + (process.env.CI === "true" ? notRun.length : 0);
console.log(`\n${passed} passed, ${failed} failed`);
process.exitCode = failed === 0 && passed > 0 ? 0 : 1;
