import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";

setFlagsFromString("--expose-gc");
const collectGarbage: unknown = runInNewContext("gc");

/** Bytes in use by this process after a garbage collection, buffers included. */
export function usedBytes(): number {
    if (typeof collectGarbage === "function") collectGarbage();
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
}
