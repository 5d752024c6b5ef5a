import type { Row } from "../outbox/row";
import { gatewayKinds } from "../support/flows";
import type { Extent } from "../support/report";
import { startBroker } from "../support/station";
import { Subject } from "../support/subject";
import { latency, measuredDevices, payloadBytes, timed, withBacklog } from "./timed-events";

/** How long high events, and those of devices without a backlog, take while a night's events of others wait. */
export async function measureBehindBacklog({ quick }: Extent): Promise<Row[]> {
    const events = quick ? 50_000 : 1_000_000;
    const devices = 1000;
    const messages = quick ? 50 : 500;
    const broker = await startBroker();
    const directory = await withBacklog(broker, events, devices);
    const flow = gatewayKinds({ port: broker.port, outboxMaxMb: 400, maxRate: 100 });
    const subject = await Subject.nodeRed("kinds", flow, directory);
    try {
        const load = { messages, devices: measuredDevices, payloadBytes, qos: 1, window: 1, ratePerS: 5, isTimed: true } as const;
        const high = await timed(subject, { ...load, priority: "high" });
        const live = await timed(subject, { ...load, firstDevice: devices });
        const { events: left } = await subject.ask("outbox", undefined);
        if (left === 0) throw new Error("The backlog was gone before the end.");
        const behind = `with ${events} events stored for ${devices} devices and 100 events/s allowed`;
        return [
            latency(`high event ${behind}: reported acknowledged`, high, "< 1"),
            latency("live event of a device without a backlog, the same way", live, "< 1"),
        ];
    } finally {
        await subject.stop();
        await broker.stop();
    }
}
