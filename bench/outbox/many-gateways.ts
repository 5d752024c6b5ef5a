import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemClock } from "../../src/clock";
import { thisBoot } from "../../src/outbox/machine-boot";
import { Outbox } from "../../src/outbox/outbox";
import { SqliteStore } from "../../src/outbox/store/sqlite-store";
import { FaultyDisk } from "../../test/support/doubles/faulty-disk";
import { newEvent, RecordingListener, roomyLimits } from "../../test/support/doubles/outbox-events";
import { ManualGate, ManualLink } from "../../test/support/doubles/outbox-ports";
import { waitFor } from "../../test/support/wait-for";
import { type Extent, shown } from "../support/report";
import { spread } from "../support/statistics";
import type { Row } from "./row";

const gateways = 40;
const eventsPerS = 10;
const flushMs = 20;

/** How long an event of many gateways in one process takes to be safe on a slow disk that they share. */
export async function measureManyGateways({ quick }: Extent): Promise<Row[]> {
    const events = (quick ? 3 : 20) * eventsPerS;
    const directory = mkdtempSync(path.join(tmpdir(), "many-gateways-"));
    const disk = new FaultyDisk();
    const stores: SqliteStore[] = [];
    const safeMs: number[] = [];
    try {
        const outboxes = await disk.under(() => Promise.all([...Array(gateways).keys()].map((index) => open(directory, index, stores))));
        disk.set({ flushMs });
        for (let index = 0; index < events; index++) {
            for (const outbox of outboxes) {
                const admittedMs = performance.now();
                const done = () => safeMs.push(performance.now() - admittedMs);
                outbox.admit(newEvent("meter/m1", `${index}`.padEnd(100)), { done, failed: fail });
                await new Promise((resolve) => setTimeout(resolve, 1000 / eventsPerS / gateways));
            }
        }
        await waitFor(() => safeMs.length === events * gateways, "every event to be safe", 30_000);
    } finally {
        disk.set({});
        await Promise.all(stores.map((store) => store.close(10_000)));
        disk.dispose();
        rmSync(directory, { recursive: true });
    }
    const load = `${gateways} gateways at ${eventsPerS} events/s, each flush to disk taking ${flushMs} ms`;
    return [
        { what: `${load}: an event is safe after, ms (median)`, measured: shown(spread(safeMs), 0), target: "" },
        { what: "– the longest time, ms", measured: Math.max(...safeMs).toFixed(0), target: "≤ 500" },
    ];
}

async function open(directory: string, index: number, stores: SqliteStore[]): Promise<Outbox> {
    const listener = { failed: fail, recovered: () => undefined };
    const store = new SqliteStore({ path: path.join(directory, `${index}.sqlite`), clock: systemClock, listener });
    stores.push(store);
    await store.open();
    return new Outbox({
        store,
        storesEvents: true,
        clock: systemClock,
        boot: thisBoot,
        limits: roomyLimits,
        gate: new ManualGate(),
        link: new ManualLink(),
        listener: new RecordingListener(),
    });
}

function fail(error: Error): never {
    throw error;
}
