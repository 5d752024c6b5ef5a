// The demo in a user directory and on ports of its own, so that several can run beside each other.
import { cpSync, existsSync, mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";
import { root } from "../project.mjs";

const demo = import.meta.dirname;
// Several demos that start at one time find the same ports free, so each begins at others.
const firstEditorPort = 1880;
const firstSimulatorPort = 18830;
const lastSimulatorPort = 18990;

/**
 * Makes a directory with the demo flow, and finds free ports. Returns what Node.js is to run, and with which environment. What the user
 * changed in the demo is kept.
 */
export async function prepareDemo(folder = root) {
    const { directory: userDirectory, number } = claimDirectory(folder);
    const flows = path.join(userDirectory, "flows.json");
    if (!existsSync(flows)) cpSync(path.join(demo, "flows.json"), flows);
    const nodeRed = createRequire(import.meta.url).resolve("node-red/red.js");
    const port = await editorPort(Number(process.env.PORT ?? firstEditorPort + number - 1));
    const simulatorPort = await freeSimulatorPort(firstSimulatorPort + 2 * (number - 1));
    return {
        args: [nodeRed, "-u", userDirectory, "-s", path.join(demo, "settings.cjs")],
        env: { ...process.env, PORT: String(port), SIMULATOR_PORT: String(simulatorPort) },
    };
}

/** The first directory that no other demo uses, and its number; until the process ends it belongs to this one. */
function claimDirectory(folder) {
    for (let number = 1; ; number++) {
        const directory = path.join(folder, number === 1 ? ".node-red" : `.node-red-${number}`);
        const owner = path.join(directory, "running");
        mkdirSync(directory, { recursive: true });
        if (!claim(owner)) continue;
        process.on("exit", () => rmSync(owner, { force: true }));
        return { directory, number };
    }
}

function claim(owner) {
    if (existsSync(owner) && !isRunning(Number(readFileSync(owner, "utf8")))) rmSync(owner, { force: true });
    try {
        writeFileSync(owner, String(process.pid), { flag: "wx" });
        return true;
    } catch (error) {
        if (error.code === "EEXIST") return false;
        throw error;
    }
}

function isRunning(pid) {
    try {
        process.kill(pid, 0);
        return true;
    } catch (error) {
        return error.code === "EPERM";
    }
}

/** The wanted port, or one that the system chooses. */
async function editorPort(wanted) {
    if (await isFree(wanted)) return wanted;
    console.log(`Port ${wanted} is taken; Node-RED takes another one.`);
    return 0;
}

/** A free port for MQTT whose next one, for the HTTP API, is free as well. */
async function freeSimulatorPort(wanted) {
    for (let port = wanted; port <= lastSimulatorPort; port += 2) {
        if ((await isFree(port)) && (await isFree(port + 1))) {
            if (port !== wanted) console.log(`Port ${wanted} is taken; the simulator takes ${port}.`);
            return port;
        }
    }
    throw new Error(`The simulator finds no free port from ${wanted} to ${lastSimulatorPort}.`);
}

function isFree(port) {
    return new Promise((resolve) => {
        const probe = net.createServer();
        probe.once("error", () => resolve(false));
        probe.listen(port, "127.0.0.1", () => probe.close(() => resolve(true)));
    });
}
