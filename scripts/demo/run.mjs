// Runs Node-RED with the demo flow on the built-in simulator until it is ended.
import { spawn } from "node:child_process";
import { whenCallerEnds } from "../caller.mjs";
import { prepareDemo } from "./prepare.mjs";

/** Runs the demo with its user directories in a folder; the process ends with it. */
export async function runDemo(folder) {
    const { args, env } = await prepareDemo(folder);
    console.log("Starting Node-RED with the demo. Open the address it prints below; Ctrl-C ends it.");
    // If this process is killed, the channel breaks, and Node-RED ends: see settings.cjs.
    const nodeRed = spawn(process.execPath, args, { stdio: ["inherit", "inherit", "inherit", "ipc"], env });
    for (const signal of ["SIGINT", "SIGTERM"]) {
        // On Ctrl-C the terminal signals Node-RED as well; it needs the time to disconnect cleanly.
        process.on(signal, () => nodeRed.kill(signal));
    }
    // Node-RED would end at once, without disconnecting.
    process.on("SIGHUP", () => nodeRed.kill("SIGTERM"));
    whenCallerEnds(() => nodeRed.kill("SIGTERM"));
    nodeRed.on("exit", (code, signal) => process.exit(code ?? (signal === "SIGINT" || signal === "SIGTERM" ? 0 : 1)));
}
