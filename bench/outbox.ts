import { measureBacklog } from "./outbox/backlog";
import { measureDrain } from "./outbox/drain";
import { measureHealthyLink } from "./outbox/healthy-link";
import { measureManyDevices } from "./outbox/many-devices";
import { measureManyGateways } from "./outbox/many-gateways";
import { measureSlowDisk } from "./outbox/slow-disk";
import { measureUnacknowledged } from "./outbox/unacknowledged";
import { type Extent, type Section, table } from "./support/report";

/** What the outbox costs, and how long it takes to get rid of what it holds. */
export async function measureOutbox(extent: Extent): Promise<Section> {
    const rows: string[][] = [];
    for (const measure of [
        measureHealthyLink,
        measureDrain,
        measureUnacknowledged,
        measureSlowDisk,
        measureManyGateways,
        measureManyDevices,
        measureBacklog,
    ]) {
        for (const { what, measured, target } of await measure(extent)) {
            rows.push([what, measured, target]);
            console.error([what, measured, target].join(" | "));
        }
    }
    return { name: "outbox", text: table(["", "measured", "to reach"], rows) };
}
