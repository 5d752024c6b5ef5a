import path from "node:path";
import { systemClock } from "../../src/clock";
import { SqliteStore } from "../../src/outbox/store/sqlite-store";
import { storeFileName } from "../../src/outbox/store/store-file";
import { waitFor } from "../../test/support/wait-for";
import { Application } from "../support/application";
import { gatewayEvents } from "../support/flows";
import { type Extent, shown } from "../support/report";
import type { Memory } from "../support/requests";
import { startBroker } from "../support/station";
import { type Spread, spread } from "../support/statistics";
import { type FlowNode, makeDirectory, Subject } from "../support/subject";
import type { Row } from "./row";

const payloadBytes = 200;
const opens = 5;

/** What a very long outage costs: memory while its events are stored, and time and memory at the next start. */
export async function measureBacklog({ quick }: Extent): Promise<Row[]> {
    const events = quick ? 50_000 : 1_000_000;
    const directory = makeDirectory();
    const broker = await startBroker();
    const flow = gatewayEvents({ port: broker.port, outboxMaxMb: 400 }, 1);
    await broker.halt();

    const { empty, full } = await store(flow, directory, events);
    const opened = await openTimes(directory);
    const started = await restart(flow, directory, events);
    await broker.resume();
    const { firstEventMs, drainingMb } = await firstEvent(broker.port, directory, flow);
    await broker.stop();
    return [
        row(`extra memory when ${events} events of ${payloadBytes} B have been stored: objects, MB`, liveMb(full, empty), "≤ 50"),
        row("– resident, MB", residentMb(full, empty), "≤ 50"),
        row("– after a restart with all of them: objects, MB", liveMb(started, empty), "≤ 50"),
        row("– after a restart: resident, MB", residentMb(started, empty), "≤ 50"),
        row("– while they are being drained: highest resident, MB", `${(drainingMb - empty.residentBytes / 2 ** 20).toFixed(0)}`, ""),
        row("open the file with all of them, ms", shown(opened, 0), "≤ 1000"),
        row("start of the flows to the first event at the application, ms", firstEventMs.toFixed(0), ""),
    ];
}

/** Memory before and after so many events have been stored. */
async function store(flow: readonly FlowNode[], directory: string, events: number): Promise<{ empty: Memory; full: Memory }> {
    const subject = await Subject.nodeRed("outage", flow, directory);
    try {
        const empty = await subject.ask("memory", undefined);
        const spent = await subject.ask("publish", { messages: events, devices: 1000, payloadBytes, qos: 1, window: 5000, ratePerS: 0 });
        if (spent.failed > 0) throw new Error(`${spent.failed} events were not stored, the first with: ${spent.firstError}`);
        return { empty, full: await subject.ask("memory", undefined) };
    } finally {
        await subject.stop({ keepsDirectory: true });
    }
}

/** Memory of a process that has found so many events. */
async function restart(flow: readonly FlowNode[], directory: string, events: number): Promise<Memory> {
    const subject = await Subject.nodeRed("after the outage", flow, directory);
    try {
        await waitFor(async () => (await subject.ask("outbox", undefined)).events === events, `${events} events to be found`);
        return await subject.ask("memory", undefined);
    } finally {
        await subject.stop({ keepsDirectory: true });
    }
}

/** Times of opening the file alone. */
async function openTimes(directory: string): Promise<Spread> {
    const file = path.join(directory, "wiotp-gateway", storeFileName({ orgId: "bench", typeId: "gateway", deviceId: "gateway-1" }));
    const timesMs: number[] = [];
    for (let count = 0; count < opens; count++) {
        const beganMs = performance.now();
        const listener = {
            failed: (error: Error) => {
                throw error;
            },
            recovered: () => undefined,
        };
        const store = new SqliteStore({ path: file, clock: systemClock, listener });
        await store.open();
        timesMs.push(performance.now() - beganMs);
        await store.close(10_000);
    }
    return spread(timesMs);
}

/** Starts Node-RED with a broker that is there, and lets it drain for a while. */
async function firstEvent(port: number, directory: string, flow: readonly FlowNode[]) {
    const application = await Application.start(port, "iot-2/type/+/id/+/evt/#");
    application.expect(50_000);
    const subject = await Subject.nodeRed("drain", flow, directory);
    try {
        const { startedAtMs } = await subject.ask("started", undefined);
        await application.allReceived();
        const { peakBytes } = await subject.ask("memory", undefined);
        return { firstEventMs: (application.receivedAtMs[0] ?? Number.NaN) - startedAtMs, drainingMb: peakBytes / 2 ** 20 };
    } finally {
        await subject.stop();
        application.stop();
    }
}

function row(what: string, measured: string, target: string): Row {
    return { what, measured, target };
}

function liveMb(now: Memory, before: Memory): string {
    return ((now.liveBytes - before.liveBytes) / 2 ** 20).toFixed(1);
}

function residentMb(now: Memory, before: Memory): string {
    return ((now.residentBytes - before.residentBytes) / 2 ** 20).toFixed(0);
}
