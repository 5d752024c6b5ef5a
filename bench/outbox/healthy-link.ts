import { FaultyDisk } from "../../test/support/doubles/faulty-disk";
import { gatewayEvents } from "../support/flows";
import type { Extent } from "../support/report";
import type { EventLoad } from "../support/requests";
import { startBroker } from "../support/station";
import { makeDirectory, Subject } from "../support/subject";
import type { Row } from "./row";

/** What a healthy link writes to disk: nothing of the events. */
export async function measureHealthyLink(extent: Extent): Promise<Row[]> {
    const events = extent.messages(100_000);
    const load: EventLoad = { messages: events, devices: 1000, payloadBytes: 100, qos: 1, window: 100, ratePerS: 0 };
    const disk = new FaultyDisk();
    const broker = await startBroker();
    const subject = await Subject.nodeRed("healthy", gatewayEvents({ port: broker.port }, 1), makeDirectory(), disk.environment);
    try {
        await subject.ask("publish", { ...load, messages: 20_000 });
        const before = { ...(await subject.ask("outbox", undefined)), transactions: disk.transactions };
        await subject.ask("publish", load);
        const { storedEvents } = await subject.ask("outbox", undefined);
        return [
            {
                what: `events written to disk while ${events} are sent on a healthy link`,
                measured: String(storedEvents - before.storedEvents),
                target: "0",
            },
            {
                what: "– transactions meanwhile, for counters of the devices",
                measured: String(disk.transactions - before.transactions),
                target: "",
            },
        ];
    } finally {
        await subject.stop();
        await broker.stop();
        disk.dispose();
    }
}
