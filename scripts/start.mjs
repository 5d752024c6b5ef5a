// npm start: builds the package and runs Node-RED with the demo flow on the built-in simulator. Ctrl-C ends it.
import { execFileSync, spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync } from "node:fs";
import { createRequire } from "node:module";
import net from "node:net";
import path from "node:path";

const root = path.dirname(import.meta.dirname);
const userDirectory = path.join(root, ".node-red");
const demo = path.join(import.meta.dirname, "demo");

execFileSync(process.execPath, [path.join(import.meta.dirname, "build.mjs")], { stdio: "inherit" });
mkdirSync(userDirectory, { recursive: true });
// What the user changed in the demo is kept.
if (!existsSync(path.join(userDirectory, "flows.json"))) cpSync(path.join(demo, "flows.json"), path.join(userDirectory, "flows.json"));

const port = await freePort(Number(process.env.PORT ?? 1880));
console.log("Starting Node-RED with the demo. Open the address it prints below; Ctrl-C ends it.");
const nodeRed = spawn(
    process.execPath,
    [createRequire(import.meta.url).resolve("node-red/red.js"), "-u", userDirectory, "-s", path.join(demo, "settings.cjs")],
    { stdio: "inherit", env: { ...process.env, PORT: String(port) } },
);
for (const signal of ["SIGINT", "SIGTERM"]) {
    // On Ctrl-C the terminal signals Node-RED as well; it needs the time to disconnect cleanly.
    process.on(signal, () => nodeRed.kill(signal));
}
nodeRed.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" || signal === "SIGTERM" ? 0 : 1)));

/** The wanted port, or one the system chooses when it is taken. */
function freePort(wanted) {
    return new Promise((resolve) => {
        const probe = net.createServer();
        probe.once("error", () => {
            console.log(`Port ${wanted} is taken; Node-RED takes another one.`);
            resolve(0);
        });
        probe.listen(wanted, "127.0.0.1", () => probe.close(() => resolve(wanted)));
    });
}
