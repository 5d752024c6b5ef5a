// npm run dev: Node-RED on the demo flow, restarted after each change. Beside it run the compiler, a copier of forms, and the script
// that writes the rules of the forms.
import { spawn } from "node:child_process";
import { cpSync, existsSync, watch } from "node:fs";
import path from "node:path";
import { whenCallerEnds } from "./caller.mjs";
import { prepareDemo } from "./demo/prepare.mjs";
import { compiler, root } from "./project.mjs";

const demo = await prepareDemo();
const start = (...args) => spawn(process.execPath, args, { stdio: "inherit", cwd: root, env: demo.env });
const build = start("scripts/build.mjs");
build.on("exit", (code) => {
    if (code !== 0) process.exit(code ?? 1);
    const children = [
        start(compiler, "-p", "tsconfig.build.json", "--watch", "--preserveWatchOutput"),
        start("--watch", "--watch-path=dist", ...demo.args),
    ];
    const copiers = ["nodes", "plugins"].map((folder) =>
        watch(path.join(root, folder), { recursive: true }, (_event, name) => {
            if (!name || name.endsWith(".ts") || !existsSync(path.join(root, folder, name))) return;
            cpSync(path.join(root, folder, name), path.join(root, "dist", folder, name), { recursive: true });
        }),
    );
    let writing;
    const ruleWriter = watch(path.join(root, "dist", "src"), { recursive: true }, () => {
        // The compiler writes many files at once.
        clearTimeout(writing);
        writing = setTimeout(() => start("--disable-warning=ExperimentalWarning", "scripts/form-rules.mjs"), 500);
    });
    const end = (signal) => {
        clearTimeout(writing);
        for (const watcher of [...copiers, ruleWriter]) watcher.close();
        for (const child of children) child.kill(signal);
    };
    for (const signal of ["SIGINT", "SIGTERM"]) process.on(signal, end);
    process.on("SIGHUP", () => end("SIGTERM"));
    whenCallerEnds(() => end("SIGTERM"));
});
