import { FaultyDisk } from "../../test/support/doubles/faulty-disk";
import { waitFor } from "../../test/support/wait-for";
import { gatewayEvents } from "../support/flows";
import { type Extent, shown } from "../support/report";
import type { EventLoad } from "../support/requests";
import { startBroker } from "../support/station";
import { type Spread, spread } from "../support/statistics";
import { makeDirectory, Subject } from "../support/subject";
import type { Row } from "./row";

const flushMs = 50;
const ratePerS = 1000;

interface Stalls {
    readonly storing: Spread;
    readonly draining: Spread;
}

/**
 * The longest stalls of the event loop, one of each round, while events go to a disk that takes long for each flush and while they are
 * drained from it; and the same without a disk, because not every stall is the store's.
 */
export async function measureSlowDisk({ quick, rounds }: Extent): Promise<Row[]> {
    const seconds = quick ? 2 : 5;
    const slow = await longestStalls("disk", seconds, rounds);
    const none = await longestStalls("memory", seconds, rounds);
    const load = `at ${ratePerS} events/s, each flush to disk taking ${flushMs} ms`;
    return [
        { what: `longest stall of the event loop ${load}: while storing, ms`, measured: shown(slow.storing), target: "≤ 20" },
        { what: "– while draining, ms", measured: shown(slow.draining), target: "≤ 20" },
        { what: "– without a disk, while queueing, ms", measured: shown(none.storing), target: "" },
        { what: "– without a disk, while draining, ms", measured: shown(none.draining), target: "" },
    ];
}

async function longestStalls(outbox: "disk" | "memory", seconds: number, rounds: number): Promise<Stalls> {
    const disk = new FaultyDisk({ flushMs });
    const broker = await startBroker();
    const flow = gatewayEvents({ port: broker.port, outbox }, 1);
    const subject = await Subject.nodeRed(`outbox ${outbox}`, flow, makeDirectory(), disk.environment);
    const storing: number[] = [];
    const draining: number[] = [];
    try {
        // The devices become known, and the code warm.
        await subject.ask("publish", { ...load(5000), window: 100, ratePerS: 0 });
        for (let round = 0; round < rounds; round++) {
            await broker.halt();
            await subject.ask("watchLoop", undefined);
            await queue(subject, seconds * ratePerS);
            storing.push((await subject.ask("loopDelay", undefined)).longestMs);
            await subject.ask("watchLoop", undefined);
            await broker.resume();
            await subject.ask("drained", undefined);
            draining.push((await subject.ask("loopDelay", undefined)).longestMs);
        }
    } finally {
        await subject.stop();
        await broker.stop();
        disk.dispose();
    }
    return { storing: spread(storing), draining: spread(draining) };
}

/** Sends events at the rate until the outbox has all of them. Without a disk they are completed much later. */
async function queue(subject: Subject, messages: number): Promise<void> {
    subject.ask("publish", load(messages)).catch(() => undefined);
    const isQueued = async () => (await subject.ask("outbox", undefined)).events >= messages;
    await waitFor(isQueued, `${messages} events to be queued`, 120_000);
}

function load(messages: number): EventLoad {
    return { messages, devices: 1000, payloadBytes: 100, qos: 1, window: 1, ratePerS };
}
