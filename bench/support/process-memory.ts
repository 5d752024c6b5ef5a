import type { Memory } from "./requests";
import { serve } from "./serve";

/** Answers what every subject is asked: its memory and its CPU time. The process needs `--expose-gc`. */
export function serveProcess(): void {
    serve("memory", async () => measure());
    serve("cpu", async () => {
        const { user, system } = process.cpuUsage();
        return user + system;
    });
}

async function measure(): Promise<Memory> {
    // Twice, and a turn later: what the first one finalises is freed by the second.
    for (let times = 0; times < 2; times++) {
        global.gc?.();
        await new Promise((resolve) => setTimeout(resolve, 50));
    }
    const { heapUsed, external, rss } = process.memoryUsage();
    return { liveBytes: heapUsed + external, residentBytes: rss, peakBytes: process.resourceUsage().maxRSS * 1024 };
}
