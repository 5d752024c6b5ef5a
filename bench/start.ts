import { Mosquitto } from "../test/support/drivers/mosquitto";
import { machineMs } from "./support/feeder";
import { type CommandNodes, coreCommands, gatewayCommands } from "./support/flows";
import { type Extent, type Section, shown, table } from "./support/report";
import { subscribed } from "./support/station";
import { type Spread, spread } from "./support/statistics";
import { type FlowNode, Subject } from "./support/subject";

const many = 10_000;

interface Times {
    /** From the start of the process until Node-RED says that its flows run. */
    readonly startedMs: number;
    /** From then until the broker has every subscription. */
    readonly subscribedMs: number;
    /** A full deploy of the same flow, until Node-RED says that it is done. */
    readonly deployedMs: number;
}

/** How long it takes until a gateway with many nodes does its work. */
export async function measureStart(extent: Extent): Promise<Section> {
    const kind = (nodes: number): CommandNodes => ({ nodes, fanOut: 1, filters: "exact" });
    const rows = [
        ["1 × `device-command-in`", ...(await measure(1, (port) => gatewayCommands({ port }, kind(1)), extent))],
        [`${many} × \`device-command-in\``, ...(await measure(many, (port) => gatewayCommands({ port }, kind(many)), extent))],
        [`${many} × core \`mqtt in\``, ...(await measure(many, (port) => coreCommands(port, kind(many)), extent))],
    ];
    const headings = ["", "process to flows running, ms", "then to all subscribed, ms", "full deploy, ms"];
    return { name: "start", text: table(headings, rows) };
}

async function measure(topics: number, flow: (port: number) => FlowNode[], { quick, rounds }: Extent): Promise<string[]> {
    const all: Times[] = [];
    for (let round = 0; round < (quick ? 1 : rounds); round++) all.push(await startOnce(topics, flow));
    const of = (value: (times: Times) => number): Spread => spread(all.map(value));
    return [of((times) => times.startedMs), of((times) => times.subscribedMs), of((times) => times.deployedMs)].map((times) =>
        shown(times, 0),
    );
}

async function startOnce(topics: number, flow: (port: number) => FlowNode[]): Promise<Times> {
    const broker = await Mosquitto.start({ quiet: true });
    const beginMs = machineMs();
    const subject = await Subject.nodeRed("Node-RED", flow(broker.port));
    const startedMs = machineMs();
    await subscribed(broker, topics);
    const subscribedMs = machineMs();
    await subject.deploy(flow(broker.port));
    const deployedMs = machineMs();
    await subject.stop();
    await broker.stop();
    return { startedMs: startedMs - beginMs, subscribedMs: subscribedMs - startedMs, deployedMs: deployedMs - subscribedMs };
}
