import { Application } from "../support/application";
import { gatewayEvents } from "../support/flows";
import { type Extent, factor, shown } from "../support/report";
import type { EventLoad } from "../support/requests";
import { startBroker } from "../support/station";
import { spread } from "../support/statistics";
import { Subject } from "../support/subject";
import type { Row } from "./row";

/** How fast a backlog goes out after an outage, against events that are sent as they come. Both go to an application behind the broker. */
export async function measureDrain(extent: Extent): Promise<Row[]> {
    const events = extent.messages(100_000);
    const load: EventLoad = { messages: events, devices: 1000, payloadBytes: 100, qos: 1, window: 100, ratePerS: 0 };
    const broker = await startBroker();
    const subject = await Subject.nodeRed("drain", gatewayEvents({ port: broker.port }, 1));
    const online: number[] = [];
    const draining: number[] = [];
    try {
        await subject.ask("publish", { ...load, messages: 20_000 });
        for (let round = 0; round < extent.rounds; round++) {
            const before = await Application.start(broker.port, "iot-2/type/+/id/+/evt/#");
            const { wallMs } = await subject.ask("publish", load);
            online.push((events * 1000) / wallMs);
            before.stop();
            await broker.halt();
            // Each is reported done when it is on disk.
            await subject.ask("publish", { ...load, window: 5000 });
            const drained = subject.ask("drained", undefined);
            await broker.resume();
            const after = await Application.start(broker.port, "iot-2/type/+/id/+/evt/#");
            const { onlineAtMs, emptyAtMs } = await drained;
            draining.push((events * 1000) / (emptyAtMs - onlineAtMs));
            after.stop();
        }
    } finally {
        await subject.stop();
        await broker.stop();
    }
    const ratio = spread(draining).median / spread(online).median;
    return [
        { what: "events sent as they come, per second", measured: shown(spread(online), 0), target: "" },
        { what: `drain of ${events} stored events after an outage, per second`, measured: shown(spread(draining), 0), target: "" },
        { what: "– against events sent as they come", measured: factor(ratio), target: "≥ 0.8 ×" },
    ];
}
