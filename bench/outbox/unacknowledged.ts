import { FaultyLine } from "../../test/support/doubles/faulty-line";
import { waitFor } from "../../test/support/wait-for";
import { machineMs } from "../support/feeder";
import { gatewayEvents } from "../support/flows";
import { type Extent, shown } from "../support/report";
import type { EventLoad } from "../support/requests";
import { startBroker } from "../support/station";
import { type Spread, spread } from "../support/statistics";
import { Subject } from "../support/subject";
import type { Row } from "./row";

const events = 300;
const roundTripMs = 100;

/** How long 300 events that a dead link left unacknowledged take until they are, on a line with a long round trip. */
export async function measureUnacknowledged({ rounds }: Extent): Promise<Row[]> {
    const rows: Row[] = [];
    for (const maxInFlight of [100, events]) {
        const taken = await reconnect(maxInFlight, rounds);
        rows.push({
            what: `${events} unacknowledged at ${roundTripMs} ms round trip, ${maxInFlight} in flight at most: reconnect to all acknowledged, ms`,
            measured: shown(taken, 0),
            target: "≤ 1000",
        });
    }
    return rows;
}

async function reconnect(maxInFlight: number, rounds: number): Promise<Spread> {
    const broker = await startBroker();
    const line = await FaultyLine.to(broker.port);
    const subject = await Subject.nodeRed("unacknowledged", gatewayEvents({ port: line.port, maxInFlight }, 1));
    const load: EventLoad = { messages: events, devices: events, payloadBytes: 100, qos: 1, window: events, ratePerS: 0 };
    const takenMs: number[] = [];
    try {
        // The devices become known.
        await subject.ask("publish", load);
        for (let round = 0; round < rounds; round++) {
            line.heal();
            line.blackHole();
            await subject.ask("publish", load);
            const accepted = line.accepted;
            line.refuse();
            line.reset();
            line.heal();
            line.delay(roundTripMs / 2);
            const drained = subject.ask("drained", undefined);
            await line.accept();
            await waitFor(() => line.accepted > accepted, "the gateway to connect again", 60_000);
            const connectedAtMs = machineMs();
            const { emptyAtMs } = await drained;
            // On a real line the handshake of TCP takes a round trip more than on this one.
            takenMs.push(emptyAtMs - connectedAtMs + roundTripMs);
        }
    } finally {
        await subject.stop();
        line.close();
        await broker.stop();
    }
    return spread(takenMs);
}
