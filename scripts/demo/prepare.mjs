// Node-RED with the demo, in a user directory of its own.
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";
import { root } from "../project.mjs";

const demo = import.meta.dirname;
const userDirectory = path.join(root, ".node-red");

/** Makes the directory with the demo flow, and returns what Node.js is to run. What the user changed in the demo is kept. */
export function prepareDemo() {
    mkdirSync(userDirectory, { recursive: true });
    const flows = path.join(userDirectory, "flows.json");
    if (!existsSync(flows)) cpSync(path.join(demo, "flows.json"), flows);
    const nodeRed = createRequire(import.meta.url).resolve("node-red/red.js");
    return [nodeRed, "-u", userDirectory, "-s", path.join(demo, "settings.cjs")];
}
