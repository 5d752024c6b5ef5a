import { payloadOf } from "./support/devices";
import { commandTopics, coreEcho, gatewayEcho } from "./support/flows";
import { type Extent, shown, table } from "./support/report";
import { inRounds } from "./support/rounds";
import { Station } from "./support/station";
import { percentile, spread } from "./support/statistics";
import { Subject } from "./support/subject";

const ratePerS = 500;
const payloadBytes = 100;

interface Echo {
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly cpuUs: number;
}

/** How long a command takes from the application through the flow and back as an event. */
export async function measureEcho(extent: Extent): Promise<string> {
    const stations = await Promise.all([
        Station.start((port) => Subject.rawMqtt(port, "iot-2/type/+/id/+/cmd/#", "echo"), 1),
        Station.start((port) => Subject.nodeRed("mqtt in → function → mqtt out", coreEcho(port)), 1),
        Station.start((port) => Subject.nodeRed("device-command-in → device-event-out", gatewayEcho({ port })), 1),
    ]);
    try {
        const messages = extent.quick ? 1000 : 3000;
        await inRounds(stations, 1, (station) => echo(station, messages));
        const runs = await inRounds(stations, extent.rounds, (station) => echo(station, messages));
        const rows = stations.map(({ subject }, index) => {
            const of = (value: (run: Echo) => number) => spread((runs[index] ?? []).map(value));
            return [
                subject.name,
                shown(
                    of((run) => run.p50Ms),
                    2,
                ),
                shown(
                    of((run) => run.p99Ms),
                    2,
                ),
                shown(of((run) => run.cpuUs)),
            ];
        });
        const title = `**From the application through the flow and back as an event, at ${ratePerS} commands a second**`;
        return `${title}\n\n${table(["", "p50 ms", "p99 ms", "CPU µs per round trip"], rows)}`;
    } finally {
        await Promise.all(stations.map((station) => station.stop()));
    }
}

async function echo({ subject, application }: Station, messages: number): Promise<Echo> {
    application.expect(messages);
    const before = await subject.ask("cpu", undefined);
    const sentAtMs = await application.publish({
        messages,
        topicOf: commandTopics({ nodes: 1000, fanOut: 1, filters: "exact" }),
        payloadOf: (index) => JSON.stringify(payloadOf(index, payloadBytes)),
        ratePerS,
    });
    await application.allReceived();
    const cpuUs = ((await subject.ask("cpu", undefined)) - before) / messages;
    const sorted = application.receivedAtMs.map((receivedMs, index) => receivedMs - (sentAtMs[index] ?? 0)).sort();
    return { p50Ms: percentile(sorted, 50), p99Ms: percentile(sorted, 99), cpuUs };
}
