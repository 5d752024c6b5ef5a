// Compiles nodes/ and src/ to dist/, with declarations for what users import, copies what Node-RED expects beside the compiled node files, and writes the rules of the forms.
import { execFileSync } from "node:child_process";
import { cpSync, existsSync, rmSync } from "node:fs";
import path from "node:path";
import { compiler, root } from "./project.mjs";

const dist = path.join(root, "dist");

rmSync(dist, { recursive: true, force: true });
for (const project of ["tsconfig.build.json", "tsconfig.declarations.json"]) {
    execFileSync(process.execPath, [compiler, "-p", path.join(root, project)], { stdio: "inherit" });
}
const nodes = path.join(root, "nodes");
if (existsSync(nodes)) cpSync(nodes, path.join(dist, "nodes"), { recursive: true, filter: (source) => !source.endsWith(".ts") });
cpSync(path.join(root, "plugins"), path.join(dist, "plugins"), { recursive: true });
// Node-RED looks for icons only in icons/ beside the compiled node file.
if (existsSync(path.join(root, "icons"))) {
    cpSync(path.join(root, "icons"), path.join(dist, "nodes", "icons"), { recursive: true });
}
execFileSync(process.execPath, ["--disable-warning=ExperimentalWarning", path.join(root, "scripts", "form-rules.mjs")], {
    stdio: "inherit",
});
