import { FaultyLine } from "../test/support/doubles/faulty-line";
import { Mosquitto } from "../test/support/drivers/mosquitto";
import { waitFor } from "../test/support/wait-for";
import { Application } from "./support/application";
import { gatewayEvents } from "./support/flows";
import { type Extent, type Section, table } from "./support/report";
import { percentile } from "./support/statistics";
import { Subject } from "./support/subject";
import { Tally } from "./support/tally";

const ratePerS = 1000;
const minuteMs = 60_000;

/** One minute of the run. */
interface Minute {
    readonly liveMb: number;
    readonly residentMb: number;
    readonly delivered: number;
    readonly repeated: number;
    readonly lost: number;
}

/** A thousand events a second for half an hour (`--minutes=…`) while the line fails in every way a line fails: memory must stay. */
export async function measureSoak({ quick, option }: Extent): Promise<Section> {
    const minutes = Number(option("minutes") ?? (quick ? 1 : 30));
    const broker = await Mosquitto.start({ quiet: true });
    const line = await FaultyLine.to(broker.port);
    const application = await Application.start(broker.port, "iot-2/type/+/id/+/evt/#");
    const subject = await Subject.nodeRed("Node-RED", gatewayEvents({ port: line.port }, 1));
    const results: Minute[] = [];
    const faults = failRepeatedly(line);
    for (let minute = 0; minute < minutes; minute++) {
        results.push(await oneMinute(subject, application));
        console.error(`minute ${minute + 1}:`, JSON.stringify(results.at(-1)), `faults: ${faults.count}`);
    }
    faults.stop();
    await subject.stop();
    application.stop();
    line.close();
    await broker.stop();
    return { name: "soak", text: describe(results, faults.count) };
}

async function oneMinute(subject: Subject, application: Application): Promise<Minute> {
    const messages = (ratePerS * minuteMs) / 1000;
    const tally = new Tally(application, messages);
    const { failed } = await subject.ask("publish", { messages, devices: 1000, payloadBytes: 200, qos: 1, window: 100, ratePerS });
    // Faults that follow each other closely make the pauses between attempts grow: what has not come after minutes is lost.
    await waitFor(() => tally.missing <= failed, "all events of a minute", 300_000).catch(() => undefined);
    const { liveBytes, residentBytes } = await subject.ask("memory", undefined);
    return {
        liveMb: liveBytes / 2 ** 20,
        residentMb: residentBytes / 2 ** 20,
        delivered: tally.distinct,
        repeated: tally.repeated,
        lost: tally.missing - failed,
    };
}

const faultEveryMs = 20_000;
const faultMs = 3_000;

/** Cuts, swallows, half-opens, throttles and refuses, in turn. */
function failRepeatedly(line: FaultyLine): { readonly count: number; stop(): void } {
    let isRefusing = false;
    const kinds = [
        () => line.reset(),
        () => line.blackHole(),
        () => line.halfOpen(),
        () => line.throttle(500),
        () => {
            line.refuse();
            line.reset();
            isRefusing = true;
        },
    ];
    let count = 0;
    let healing: NodeJS.Timeout | undefined;
    const timer = setInterval(() => {
        kinds[count % kinds.length]?.();
        count += 1;
        healing = setTimeout(() => {
            // What was swallowed never comes: only a new connection helps, as after a cable was pulled and put back.
            line.heal();
            line.reset();
            if (isRefusing) void line.accept();
            isRefusing = false;
        }, faultMs);
    }, faultEveryMs);
    return {
        get count() {
            return count;
        },
        stop() {
            clearInterval(timer);
            clearTimeout(healing);
        },
    };
}

function describe(minutes: readonly Minute[], faults: number): string {
    const shownEvery = Math.max(1, Math.floor(minutes.length / 10));
    const rows = minutes
        .map((minute, index) => ({ ...minute, number: index + 1 }))
        .filter(({ number }) => number % shownEvery === 0)
        .map(({ number, liveMb, residentMb, delivered, repeated, lost }) =>
            [number, liveMb.toFixed(1), residentMb.toFixed(0), delivered, repeated, lost].map(String),
        );
    const sixth = Math.max(1, Math.floor(minutes.length / 6));
    const median = (some: readonly Minute[]) =>
        percentile(
            some.map(({ liveMb }) => liveMb).sort((one, other) => one - other),
            50,
        );
    const settled = median(minutes.slice(sixth, 2 * sixth));
    const end = median(minutes.slice(-sixth));
    const change = ((end / settled - 1) * 100).toFixed(1);
    const headings = ["after minute", "live MB", "resident MB", "delivered", "repeated", "lost"];
    return [
        table(headings, rows),
        `${faults} faults of the line. Live memory in the second sixth of the time ${settled.toFixed(1)} MB, in the last ${end.toFixed(1)} MB: ${change} %.`,
    ].join("\n\n");
}
