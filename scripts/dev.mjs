// npm run dev: Node-RED on the demo flow, restarted after each change; the compiler and a copier of forms run beside it.
import { spawn } from "node:child_process";
import { cpSync, existsSync, mkdirSync, watch } from "node:fs";
import { createRequire } from "node:module";
import path from "node:path";

const root = path.dirname(import.meta.dirname);
const require = createRequire(import.meta.url);
const userDirectory = path.join(root, ".node-red");
const demo = path.join(import.meta.dirname, "demo");
mkdirSync(userDirectory, { recursive: true });
if (!existsSync(path.join(userDirectory, "flows.json"))) cpSync(path.join(demo, "flows.json"), path.join(userDirectory, "flows.json"));

const start = (...args) => spawn(process.execPath, args, { stdio: "inherit", cwd: root });
const build = start("scripts/build.mjs");
build.on("exit", (code) => {
    if (code !== 0) process.exit(code ?? 1);
    const children = [
        start(
            require.resolve("typescript/package.json").replace("package.json", "bin/tsc"),
            "-p",
            "tsconfig.build.json",
            "--watch",
            "--preserveWatchOutput",
        ),
        start(
            "--watch",
            "--watch-path=dist",
            require.resolve("node-red/red.js"),
            "-u",
            userDirectory,
            "-s",
            path.join(demo, "settings.cjs"),
        ),
    ];
    const copiers = ["nodes", "plugins"].map((folder) =>
        watch(path.join(root, folder), { recursive: true }, (_event, name) => {
            if (!name || name.endsWith(".ts") || !existsSync(path.join(root, folder, name))) return;
            cpSync(path.join(root, folder, name), path.join(root, "dist", folder, name), { recursive: true });
        }),
    );
    for (const signal of ["SIGINT", "SIGTERM"]) {
        process.on(signal, () => {
            for (const copier of copiers) copier.close();
            for (const child of children) child.kill(signal);
        });
    }
});
