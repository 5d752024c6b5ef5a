import { randomUUID } from "node:crypto";
import type { SimulatorClock } from "./timers";

/** The clock of the machine. */
export const machineClock: SimulatorClock = {
    now: () => Date.now(),
    monotonicMs: () => performance.now(),
    setTimer(delayMs, action) {
        const timeout = setTimeout(action, delayMs);
        timeout.unref();
        return { cancel: () => clearTimeout(timeout) };
    },
};

/** Makes up an id, never the same twice. */
export const createMachineId: () => string = randomUUID;
