// Compiles nodes/ and src/ to dist/ and copies what Node-RED expects beside the compiled node files.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, rmSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const root = path.dirname(import.meta.dirname);
const dist = path.join(root, "dist");
const tsc = path.join(path.dirname(createRequire(import.meta.url).resolve("typescript/package.json")), "bin", "tsc");

rmSync(dist, { recursive: true, force: true });
execFileSync(process.execPath, [tsc, "-p", path.join(root, "tsconfig.build.json")], { stdio: "inherit" });
const nodes = path.join(root, "nodes");
if (existsSync(nodes)) cpSync(nodes, path.join(dist, "nodes"), { recursive: true, filter: (source) => !source.endsWith(".ts") });
cpSync(path.join(root, "plugins"), path.join(dist, "plugins"), { recursive: true });
// Node-RED looks for icons only in icons/ beside the compiled node file.
if (existsSync(path.join(root, "icons"))) {
    cpSync(path.join(root, "icons"), path.join(dist, "nodes", "icons"), { recursive: true });
}
