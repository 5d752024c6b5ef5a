import { Mosquitto } from "../test/support/drivers/mosquitto";
import { RecordedGateway } from "../test/support/drivers/recorded-gateway";
import { waitFor } from "../test/support/wait-for";
import { type Extent, type Section, shown, table } from "./support/report";
import { spread } from "./support/statistics";

const deviceCounts = [100, 1000, 5000];

/** How long the first events of devices that nobody has seen take until a broker of one's own has acknowledged all of them. */
export async function measureFirstContacts({ rounds, quick }: Extent): Promise<Section> {
    const rows: string[][] = [];
    for (const devices of quick ? deviceCounts.slice(0, 2) : deviceCounts) {
        const seconds: number[] = [];
        for (let round = 0; round < rounds; round++) seconds.push(await firstContacts(devices));
        rows.push([String(devices), shown(spread(seconds), 2)]);
    }
    return { name: "first-contacts", document: "brokers.md", text: table(["new devices", "seconds: median (range)"], rows) };
}

/** Seconds from the first publish to the last acknowledgement, on a broker and with a gateway of their own. */
async function firstContacts(devices: number): Promise<number> {
    const broker = await Mosquitto.start({ quiet: true });
    const member = new RecordedGateway(broker.port, { registration: "auto" });
    try {
        member.gateway.start();
        await waitFor(() => member.isOnline, "the gateway to be online");
        const beginMs = performance.now();
        for (let i = 0; i < devices; i++) member.publish(`d${i}`);
        await waitFor(() => member.outcomes.size === devices, "every event to be done");
        const failed = member.endings.find((outcome) => outcome !== "done");
        if (failed !== undefined) throw new Error(`an event ended with ${failed}`);
        return (performance.now() - beginMs) / 1000;
    } finally {
        await member.close();
        await broker.stop();
    }
}
