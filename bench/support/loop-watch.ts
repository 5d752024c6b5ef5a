import { existsSync, readFileSync } from "node:fs";

const everyMs = 2;
/** The second number: nanoseconds that the main thread was ready to run while others had the processor. Linux only. */
const scheduling = `/proc/self/task/${process.pid}/schedstat`;
const isScheduled = existsSync(scheduling);

/** Measures how late the event loop gets by what this process does; what the rest of the machine does to it is taken off. */
export class LoopWatch {
    #timer: NodeJS.Timeout | undefined;
    #longestMs = 0;

    start(): void {
        this.stop();
        this.#longestMs = 0;
        let dueMs = performance.now() + everyMs;
        let waitedMs = readWaitedMs();
        this.#timer = setInterval(() => {
            const nowMs = performance.now();
            const nowWaitedMs = readWaitedMs();
            this.#longestMs = Math.max(this.#longestMs, nowMs - dueMs - (nowWaitedMs - waitedMs));
            dueMs = performance.now() + everyMs;
            waitedMs = nowWaitedMs;
        }, everyMs);
    }

    /** Ends, with the longest delay since `start`. */
    stop(): number {
        clearInterval(this.#timer);
        return this.#longestMs;
    }
}

function readWaitedMs(): number {
    return isScheduled ? Number(readFileSync(scheduling, "utf8").split(" ")[1]) / 1e6 : 0;
}
