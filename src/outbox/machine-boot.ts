import { readFileSync } from "node:fs";
import { uptime } from "node:os";

/** The boot of the machine that the process runs in: what tells a restart of the process from one of the machine. */
export interface MachineBoot {
    /** Different for each boot; undefined where the system names none. */
    readonly id: string | undefined;
    /** Milliseconds since the machine was started, with the time it slept. Setting the wall clock does not change them. */
    uptimeMs(): number;
}

/** The boot that this process runs in. */
export const thisBoot: MachineBoot = {
    id: readBootId(),
    uptimeMs: () => Math.round(uptime() * 1000),
};

function readBootId(): string | undefined {
    try {
        return readFileSync("/proc/sys/kernel/random/boot_id", "utf8").trim() || undefined;
    } catch {
        return undefined;
    }
}
