import { FaultyLine } from "../test/support/doubles/faulty-line";
import { Mosquitto } from "../test/support/drivers/mosquitto";
import { waitFor } from "../test/support/wait-for";
import {
    type CommandNodes,
    coreCommands,
    coreEventNodes,
    type GatewaySettings,
    gatewayCommands,
    gatewayEventNodes,
    gatewayEvents,
} from "./support/flows";
import { type Extent, type Section, shown, table } from "./support/report";
import type { EventLoad } from "./support/requests";
import { subscribed } from "./support/station";
import { spread } from "./support/statistics";
import { type FlowNode, Subject } from "./support/subject";

/** Of how many things the share of one is taken; a quick run takes a fifth. */
interface Numbers {
    readonly devices: number;
    readonly nodes: number;
    readonly queued: number;
}

const full: Numbers = { devices: 50_000, nodes: 10_000, queued: 100_000 };
const fifth: Numbers = { devices: 10_000, nodes: 2000, queued: 20_000 };
const load: EventLoad = { messages: 1000, devices: 1000, payloadBytes: 200, qos: 1, window: 100, ratePerS: 0 };

type Measure = (broker: Mosquitto) => Promise<number>;

/** Each measurement gets a broker of its own, and answers with bytes for each one of many. */
function measurements({ devices, nodes, queued }: Numbers): Readonly<Record<string, Measure>> {
    const commandNodes = (count: number): CommandNodes => ({ nodes: count, fanOut: 1, filters: "exact" });
    return {
        [`known device (of ${devices})`]: ({ port }) => perDevice(port, devices),
        [`\`device-event-out\` node (of ${nodes})`]: ({ port }) => perNode((count) => gatewayEventNodes({ port }, count), nodes),
        "– core `mqtt out`": ({ port }) => perNode((count) => coreEventNodes(port, count), nodes),
        [`\`device-command-in\` node with a filter of its own (of ${nodes})`]: (broker) =>
            perNode((count) => gatewayCommands({ port: broker.port }, commandNodes(count)), nodes, broker),
        "– core `mqtt in`": (broker) => perNode((count) => coreCommands(broker.port, commandNodes(count)), nodes, broker),
        [`queued event of 200 B, outbox \`memory\` (of ${queued})`]: ({ port }) => perQueuedEvent({ port, outbox: "memory" }, queued),
        [`queued event of 200 B, outbox \`disk\` (of ${queued})`]: ({ port }) => perQueuedEvent({ port, outbox: "disk" }, queued),
    };
}

/** What the process keeps, after a garbage collection, for each thing of which there may be many. */
export async function measureMemory({ quick, rounds }: Extent): Promise<Section> {
    const rows: string[][] = [];
    for (const [name, measure] of Object.entries(measurements(quick ? fifth : full))) {
        const results: number[] = [];
        for (let round = 0; round < (quick ? 1 : rounds); round++) {
            const broker = await Mosquitto.start({ quiet: true });
            results.push(await measure(broker));
            await broker.stop();
        }
        rows.push([name, shown(spread(results), 0)]);
        console.error(rows.at(-1)?.join(": "));
    }
    return { name: "memory", text: table(["for each", "bytes"], rows) };
}

async function perDevice(port: number, devices: number): Promise<number> {
    const subject = await Subject.nodeRed("Node-RED", gatewayEvents({ port }, 1));
    await publish(subject, load);
    const before = await settledBytes(subject);
    await publish(subject, { ...load, messages: devices + load.devices, devices: devices + load.devices });
    const bytes = ((await settledBytes(subject)) - before) / devices;
    await subject.stop();
    return bytes;
}

/** @param broker where each node subscribes, if it does */
async function perNode(flow: (nodes: number) => FlowNode[], nodes: number, broker?: Mosquitto): Promise<number> {
    const one = await Subject.nodeRed("one node", flow(1));
    const many = await Subject.nodeRed(`${nodes} nodes`, flow(nodes));
    if (broker) await subscribed(broker, nodes);
    const bytes = ((await settledBytes(many)) - (await settledBytes(one))) / (nodes - 1);
    await Promise.all([one.stop(), many.stop()]);
    return bytes;
}

async function perQueuedEvent(settings: GatewaySettings, queued: number): Promise<number> {
    const line = await FaultyLine.to(settings.port);
    const subject = await Subject.nodeRed("Node-RED", gatewayEvents({ ...settings, port: line.port }, 1));
    await publish(subject, load);
    line.refuse();
    line.reset();
    const before = await settledBytes(subject);
    // In memory the last ten thousand messages are completed only when they are acknowledged: the answer does not come.
    subject.ask("publish", { ...load, messages: queued, window: queued }).catch(() => undefined);
    const bytes = ((await settledBytes(subject)) - before) / queued;
    await subject.stop();
    line.close();
    return bytes;
}

/** What is alive once nothing changes any more. */
async function settledBytes(subject: Subject): Promise<number> {
    let bytes = 0;
    return waitFor(
        async () => {
            const before = bytes;
            bytes = (await subject.ask("memory", undefined)).liveBytes;
            return Math.abs(bytes / before - 1) < 0.001 ? bytes : undefined;
        },
        "memory to settle",
        60_000,
    );
}

async function publish(subject: Subject, events: EventLoad): Promise<void> {
    const { failed, firstError } = await subject.ask("publish", events);
    if (failed > 0) throw new Error(`${failed} events failed, the first with: ${firstError}`);
}
