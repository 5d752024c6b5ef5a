// The test layers. Two run at a time, so the two slowest come first. Each is a folder under test/.
import { spawnSync } from "node:child_process";
import { createRequire } from "node:module";

const require = createRequire(import.meta.url);
const nodeRed4 = { NODE_RED_PATH: require.resolve("node-red-4") };
const nodeRed5 = { NODE_RED_PATH: require.resolve("node-red") };

/** The oldest Node the package supports, when npm itself runs on it: the scripts run on the modern one of the devDependency. */
function oldNode() {
    const candidate = process.env.npm_node_execpath ?? process.execPath;
    const { stdout } = spawnSync(candidate, ["-p", "process.versions.node"], { encoding: "utf8" });
    return Number(stdout?.split(".")[0]) === 20 ? candidate : undefined;
}

export const layers = [
    { name: "reliability", directory: "reliability", needs: ["mosquitto"] },
    { name: "e2e", directory: "e2e", needs: ["chromium", "mosquitto"] },
    { name: "unit", directory: "unit" },
    { name: "unit-node20", directory: "unit", node: oldNode },
    { name: "simulator", directory: "simulator", needs: ["mosquitto"] },
    { name: "broker", directory: "broker", needs: ["mosquitto"] },
    { name: "nodes-red4-node20", directory: "nodes", node: oldNode, env: nodeRed4, needs: ["mosquitto"] },
    { name: "nodes-red4", directory: "nodes", env: nodeRed4, needs: ["mosquitto"] },
    { name: "nodes-red5", directory: "nodes", env: nodeRed5, needs: ["mosquitto"] },
    { name: "editor", directory: "editor" },
    { name: "package", directory: "package" },
];
