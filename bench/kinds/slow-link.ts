import { FaultyLine } from "../../test/support/doubles/faulty-line";
import type { Row } from "../outbox/row";
import { gatewayKinds } from "../support/flows";
import type { Extent } from "../support/report";
import { startBroker } from "../support/station";
import { Subject } from "../support/subject";
import { latency, measuredDevices, payloadBytes, timed, withBacklog } from "./timed-events";

/** A line of 10 KB/s with a round trip of 300 ms. */
const slow = { bytesPerTick: 100, delayMs: 150 };

/** How long high events take on a slow line that a backlog uses as well. */
export async function measureSlowLink({ quick }: Extent): Promise<Row[]> {
    const messages = quick ? 20 : 200;
    const broker = await startBroker();
    const directory = await withBacklog(broker, 20_000, 100);
    const line = await FaultyLine.to(broker.port);
    line.throttle(slow.bytesPerTick);
    line.delay(slow.delayMs);
    const subject = await Subject.nodeRed("slow link", gatewayKinds({ port: line.port }), directory);
    try {
        const load = { devices: measuredDevices, payloadBytes, qos: 1, window: 1, ratePerS: 0.5, priority: "high", isTimed: true } as const;
        const high = await timed(subject, { ...load, messages });
        return [latency("high event on a line of 10 KB/s with a round trip of 300 ms, behind a backlog", high, "< 3")];
    } finally {
        await subject.stop();
        line.close();
        await broker.stop();
    }
}
