// Brings back known faults, one at a time, in a copy of the sources, and counts the histories until the simulation finds each.
import { execFileSync, spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readdirSync, readFileSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { compiler, root } from "./project.mjs";

const folder = path.join(root, "test", "simulation", "mutants");

/** Looks for each mutant, or those of these names, in at most that number of histories, and prints a table. Returns the exit status: 1 if one was not found. */
export function runMutants(maxSeeds, names) {
    const copy = mkdtempSync(path.join(tmpdir(), "wiotp-mutants-"));
    try {
        for (const name of ["src", "nodes", "test/simulation", "test/support", "package.json", "tsconfig.json"]) {
            cpSync(path.join(root, name), path.join(copy, name), { recursive: true });
        }
        symlinkSync(path.join(root, "node_modules"), path.join(copy, "node_modules"));
        const include = ["src", "test/simulation"];
        // A fault may leave something unused.
        const compilerOptions = { noUnusedLocals: false, noUnusedParameters: false };
        writeFileSync(path.join(copy, "tsconfig.mutants.json"), JSON.stringify({ extends: "./tsconfig.json", include, compilerOptions }));
        compile(copy);
        const withoutFault = firstFailure(copy, 10);
        if (withoutFault !== undefined) throw new Error(`without any fault, history ${withoutFault.history} fails: ${withoutFault.text}`);
        let missed = 0;
        console.log("| fault | histories until it was found |\n|---|---|");
        for (const name of readdirSync(folder).sort()) {
            if (names.length > 0 && !names.includes(path.basename(name, ".patch"))) continue;
            const patch = path.join(folder, name);
            execFileSync("git", ["apply", patch], { cwd: copy });
            compile(copy);
            const found = firstFailure(copy, maxSeeds);
            if (found === undefined) missed += 1;
            console.log(`| ${readFileSync(patch, "utf8").split("\n")[0]} | ${found?.history ?? `not within ${maxSeeds}`} |`);
            execFileSync("git", ["apply", "--reverse", patch], { cwd: copy });
        }
        return missed === 0 ? 0 : 1;
    } finally {
        rmSync(copy, { recursive: true, force: true });
    }
}

function compile(copy) {
    execFileSync(process.execPath, [compiler, "-p", "tsconfig.mutants.json"], { cwd: copy, stdio: "inherit" });
}

/** The first history that fails, or ends the process, or never ends, and what it said; undefined when all hold. */
function firstFailure(copy, maxSeeds) {
    const program = path.join(copy, ".build", "test", "simulation", "support", "program.js");
    for (let seed = 1; seed <= maxSeeds; seed += 10) {
        const run = spawnSync(process.execPath, [program, "--first-failure", "--seeds=10", `--seed=${seed}`], {
            cwd: copy,
            encoding: "utf8",
            timeout: 240_000,
        });
        if (run.status === 0) continue;
        const text = run.stdout + run.stderr;
        const history = /^seed (\d+):/m.exec(text)?.[1] ?? `${seed} to ${seed + 9}, which end the process or never end`;
        return { history, text };
    }
    return undefined;
}
