import { FaultyDisk } from "../../test/support/faulty-disk";
import { waitFor } from "../../test/support/wait-for";
import { gatewayEvents } from "../support/flows";
import type { Extent } from "../support/report";
import type { EventLoad } from "../support/requests";
import { startBroker } from "../support/station";
import { makeDirectory, Subject } from "../support/subject";
import type { Row } from "./row";

const flushMs = 50;
const ratePerS = 1000;

/** How late the event loop gets while events go to a disk that takes long for each flush, and while they are drained from it. */
export async function measureSlowDisk({ quick }: Extent): Promise<Row[]> {
    const seconds = quick ? 3 : 20;
    const slow = await longestDelay("disk", seconds);
    const none = await longestDelay("memory", seconds);
    return [
        {
            what: `longest stall of the event loop at ${ratePerS} events/s, each flush to disk taking ${flushMs} ms: storing / draining, ms`,
            measured: `${slow.storing.toFixed(1)} / ${slow.draining.toFixed(1)}`,
            target: "≤ 20",
        },
        {
            what: "– without a disk: queueing / draining, ms",
            measured: `${none.storing.toFixed(1)} / ${none.draining.toFixed(1)}`,
            target: "",
        },
    ];
}

async function longestDelay(outbox: "disk" | "memory", seconds: number): Promise<{ storing: number; draining: number }> {
    const disk = new FaultyDisk({ flushMs });
    const broker = await startBroker();
    const flow = gatewayEvents({ port: broker.port, outbox }, 1);
    await broker.halt();
    const subject = await Subject.nodeRed(`outbox ${outbox}`, flow, makeDirectory(), disk.environment);
    try {
        await queue(subject, 2 * ratePerS, 0);
        await subject.ask("watchLoop", undefined);
        await queue(subject, seconds * ratePerS, 2 * ratePerS);
        const storing = await subject.ask("loopDelay", undefined);
        await subject.ask("watchLoop", undefined);
        await broker.resume();
        await subject.ask("drained", undefined);
        const draining = await subject.ask("loopDelay", undefined);
        return { storing: storing.longestMs, draining: draining.longestMs };
    } finally {
        await subject.stop();
        await broker.stop();
        disk.dispose();
    }
}

/** Sends events at the rate until the outbox has all of them. Without a disk they are completed much later, some of them never. */
async function queue(subject: Subject, messages: number, before: number): Promise<void> {
    const load: EventLoad = { messages, devices: 1000, payloadBytes: 100, qos: 1, window: 1, ratePerS };
    subject.ask("publish", load).catch(() => undefined);
    const isQueued = async () => (await subject.ask("outbox", undefined)).events >= before + messages;
    await waitFor(isQueued, `${messages} events to be queued`, 120_000);
}
