import type { Gateway } from "../../src/gateway/gateway";
import { machineMs } from "./feeder";
import { LoopWatch } from "./loop-watch";
import { serve } from "./serve";

const lookEveryMs = 5;

/** Answers what is asked of the outbox of a gateway, and of the event loop that it shares. */
export function watchGateway(gateway: () => Gateway): void {
    const loop = new LoopWatch();

    serve("outbox", async () => {
        const { events, storedTotal } = gateway().monitor.overview.outbox;
        return { events, storedEvents: storedTotal };
    });
    serve("drained", () => drained(gateway()));
    serve("watchLoop", async () => loop.start());
    serve("loopDelay", async () => ({ longestMs: loop.stop() }));
}

/** Resolves when the outbox is empty, with the time at which events could first be sent. */
function drained(gateway: Gateway): Promise<{ onlineAtMs: number; emptyAtMs: number }> {
    return new Promise((resolve) => {
        let onlineAtMs: number | undefined;
        const timer = setInterval(() => {
            const { connection, outbox } = gateway.monitor.overview;
            if (connection.phase === "online") onlineAtMs ??= machineMs();
            if (onlineAtMs === undefined || outbox.events > 0) return;
            clearInterval(timer);
            resolve({ onlineAtMs, emptyAtMs: machineMs() });
        }, lookEveryMs);
    });
}
