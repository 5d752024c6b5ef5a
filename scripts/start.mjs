// npm start: builds the package and runs Node-RED with the demo flow on the built-in simulator. Ctrl-C ends it.
import { execFileSync, spawn } from "node:child_process";
import net from "node:net";
import path from "node:path";
import { prepareDemo } from "./demo/prepare.mjs";

execFileSync(process.execPath, [path.join(import.meta.dirname, "build.mjs")], { stdio: "inherit" });
const demoArguments = prepareDemo();
const port = await freePort(Number(process.env.PORT ?? 1880));
console.log("Starting Node-RED with the demo. Open the address it prints below; Ctrl-C ends it.");
const nodeRed = spawn(process.execPath, demoArguments, { stdio: "inherit", env: { ...process.env, PORT: String(port) } });
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
