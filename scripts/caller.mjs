// npm runs a script in a shell. A signal to npm ends the shell at most, so a script has to notice itself that npm is gone.
import { execFileSync } from "node:child_process";

const lookEveryMs = 500;

/** Calls `ended` once when the process that started this one, or the npm behind its shell, has ended. Does not keep the process alive. */
export function whenCallerEnds(ended) {
    const parent = process.ppid;
    const npm = process.env.npm_lifecycle_event === undefined ? undefined : parentOfShell(parent);
    const timer = setInterval(() => {
        if (process.ppid === parent && (npm === undefined || isRunning(npm))) return;
        clearInterval(timer);
        ended();
    }, lookEveryMs);
    timer.unref();
}

/** The process that started a shell; undefined if it is no shell, or where `ps` is missing. */
function parentOfShell(shell) {
    try {
        const said = execFileSync("ps", ["-o", "ppid=,comm=", "-p", String(shell)], {
            encoding: "utf8",
            stdio: ["ignore", "pipe", "ignore"],
        });
        const [pid, command] = said.trim().split(/\s+/, 2);
        return command?.endsWith("sh") ? Number(pid) : undefined;
    } catch {
        return undefined;
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
