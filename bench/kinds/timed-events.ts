import type { Mosquitto } from "../../test/support/drivers/mosquitto";
import type { Row } from "../outbox/row";
import { gatewayEvents } from "../support/flows";
import type { EventLoad } from "../support/requests";
import { percentile } from "../support/statistics";
import { makeDirectory, Subject } from "../support/subject";

export const payloadBytes = 200;
export const measuredDevices = 10;

/** Stores events of 200 B while there is no broker; resolves with the directory in which they are. The broker runs afterwards. */
export async function withBacklog(broker: Mosquitto, messages: number, devices: number): Promise<string> {
    const directory = makeDirectory();
    await broker.halt();
    const subject = await Subject.nodeRed("outage", gatewayEvents({ port: broker.port, outboxMaxMb: 400 }, 1), directory);
    try {
        const { failed, firstError } = await subject.ask("publish", { messages, devices, payloadBytes, qos: 1, window: 5000, ratePerS: 0 });
        if (failed > 0) throw new Error(`${failed} events were not stored, the first with: ${firstError}`);
    } finally {
        await subject.stop({ keepsDirectory: true });
    }
    await broker.resume();
    return directory;
}

/** How long each event of a load took, sorted. Before that the devices are checked. */
export async function timed(subject: Subject, load: EventLoad): Promise<Float64Array> {
    await subject.ask("publish", { ...load, messages: measuredDevices });
    const { failed, firstError, tookMs } = await subject.ask("publish", load);
    if (failed > 0) throw new Error(`${failed} events failed, the first with: ${firstError}`);
    return tookMs.sort();
}

/** The row of a table about sorted times. */
export function latency(what: string, sortedMs: Float64Array, target: string): Row {
    const seconds = (percent: number) => (percentile(sortedMs, percent) / 1000).toFixed(2);
    return {
        what: `${what}, p50 and p99 of ${sortedMs.length}, s`,
        measured: `${seconds(50)} and ${seconds(99)}`,
        target: `p99 ${target}`,
    };
}
