import type { Mosquitto } from "../test/support/drivers/mosquitto";
import { waitFor } from "../test/support/wait-for";
import type { Row } from "./outbox/row";
import { machineMs } from "./support/feeder";
import { caughtEvents, loopingEvents } from "./support/flows";
import { type Extent, type Section, table } from "./support/report";
import { startBroker } from "./support/station";
import { Subject } from "./support/subject";

/** Longer than it takes to store all of them. */
const ttlS = 30;
const payloadBytes = 100;
/** Longer than it takes to hand all of them over. */
const patienceMs = 240_000;

/** What it costs to hand over what was not delivered: a night's events that expire together, and a flow that sends its errors back. */
export async function measureUndelivered(extent: Extent): Promise<Section> {
    const broker = await startBroker();
    // Nobody listens at its port from now on.
    await broker.halt();
    try {
        const rows = [...(await measureExpiry(broker, extent)), await measureLoop(broker, extent)];
        for (const { what, measured, target } of rows) console.error([what, measured, target].join(" | "));
        return {
            name: "undelivered",
            text: table(
                ["", "measured", "to reach"],
                rows.map(({ what, measured, target }) => [what, measured, target]),
            ),
        };
    } finally {
        await broker.stop();
    }
}

/** Events on disk that expire together: each reaches the Catch node. */
async function measureExpiry({ port }: Mosquitto, { quick }: Extent): Promise<Row[]> {
    const events = quick ? 10_000 : 100_000;
    const subject = await Subject.nodeRed("expiry", caughtEvents({ port }, ttlS));
    try {
        const load = { messages: events, devices: 1000, payloadBytes, qos: 1, window: 5000, ratePerS: 0 } as const;
        const { failed, firstError } = await subject.ask("publish", load);
        if (failed > 0) throw new Error(`${failed} events were not stored, the first with: ${firstError}`);
        const before = await subject.ask("memory", undefined);
        // The error of the connection was one of them.
        const others = await subject.ask("counted", undefined);
        await arrived(subject, others + 1);
        const firstMs = machineMs();
        const longestMs: number[] = [];
        const grownMb: number[] = [];
        // The memory is looked at in between, because the collection of the garbage for it is a stall of its own.
        for (const count of [events / 2, events]) {
            await subject.ask("watchLoop", undefined);
            await arrived(subject, others + count);
            longestMs.push((await subject.ask("loopDelay", undefined)).longestMs);
            const { liveBytes } = await subject.ask("memory", undefined);
            grownMb.push((liveBytes - before.liveBytes) / 2 ** 20);
        }
        const seconds = (machineMs() - firstMs) / 1000;
        return [
            row(`${events} events expire together: from the first at the Catch node to the last, s`, seconds, 0, "≤ 120"),
            row("– longest stall of the event loop, ms", Math.max(...longestMs), 1, "≤ 20"),
            row("– live memory more than before, when half of them have come, MB", grownMb[0] ?? Number.NaN, 1, "≤ 20"),
            row("– when all have come, MB", grownMb[1] ?? Number.NaN, 1, "≤ 20"),
        ];
    } finally {
        await subject.stop();
    }
}

/** A Catch node for everything whose errors become new events: each of them fails in turn, because there is no link. */
async function measureLoop({ port }: Mosquitto, { quick }: Extent): Promise<Row> {
    const seconds = quick ? 5 : 20;
    const subject = await Subject.nodeRed("loop", loopingEvents({ port }));
    try {
        await subject.ask("publish", { messages: 1, devices: 1, payloadBytes, qos: 0, window: 1, ratePerS: 0 });
        const pause = () => new Promise((resolve) => setTimeout(resolve, seconds * 1000));
        // The first second lets a hundred failures through at once.
        await pause();
        const beganMs = machineMs();
        const before = await subject.ask("cpu", undefined);
        await pause();
        const usedUs = (await subject.ask("cpu", undefined)) - before;
        const share = usedUs / 10 / (machineMs() - beganMs);
        return row("Catch (all) → function → event of QoS 0, no link: CPU time, % of a core", share, 1, "< 10");
    } finally {
        await subject.stop();
    }
}

async function arrived(subject: Subject, count: number): Promise<void> {
    await waitFor(async () => (await subject.ask("counted", undefined)) >= count, `${count} events to reach the Catch node`, patienceMs);
}

function row(what: string, measured: number, decimals: number, target: string): Row {
    return { what, measured: measured.toFixed(decimals), target };
}
