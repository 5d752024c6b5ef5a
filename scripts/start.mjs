// npm start: builds the package and runs Node-RED with the demo flow on the built-in simulator. Ctrl-C ends it.
import { execFileSync } from "node:child_process";
import path from "node:path";
import { runDemo } from "./demo/run.mjs";

execFileSync(process.execPath, [path.join(import.meta.dirname, "build.mjs")], { stdio: "inherit" });
await runDemo();
