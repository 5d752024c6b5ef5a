import { rmSync } from "node:fs";
import { FaultyLine } from "../test/support/faulty-line";
import { Mosquitto } from "../test/support/mosquitto";
import { Application } from "./support/application";
import { machineMs } from "./support/feeder";
import { type CommandNodes, coreCommands, gatewayCommands, gatewayEvents } from "./support/flows";
import { type Extent, type Section, shown, table } from "./support/report";
import type { EventLoad } from "./support/requests";
import { subscribed } from "./support/station";
import { type Spread, spread } from "./support/statistics";
import { type FlowNode, makeDirectory, Subject } from "./support/subject";

const many = 10_000;

interface Times {
    /** From the start of the process until Node-RED says that its flows run. */
    readonly startedMs: number;
    /** From then until the broker has every subscription. */
    readonly subscribedMs: number;
    /** A full deploy of the same flow, until Node-RED says that it is done. */
    readonly deployedMs: number;
}

/** How long it takes until a gateway does its work: with many nodes, and with many events stored. */
export async function measureStart(extent: Extent): Promise<Section> {
    const kind = (nodes: number): CommandNodes => ({ nodes, fanOut: 1, filters: "exact" });
    const rows = [
        ["1 × `device-command-in`", ...(await measure(1, (port) => gatewayCommands({ port }, kind(1)), extent))],
        [`${many} × \`device-command-in\``, ...(await measure(many, (port) => gatewayCommands({ port }, kind(many)), extent))],
        [`${many} × core \`mqtt in\``, ...(await measure(many, (port) => coreCommands(port, kind(many)), extent))],
    ];
    const headings = ["", "process to flows running, ms", "then to all subscribed, ms", "full deploy, ms"];
    const stored = await measureStored(extent);
    return { name: "start", text: `${table(headings, rows)}\n\n${stored}` };
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

/** Fills an outbox while there is no connection, and starts Node-RED again with one. */
async function measureStored(extent: Extent): Promise<string> {
    const events = extent.quick ? 100_000 : 1_000_000;
    const broker = await Mosquitto.start({ quiet: true });
    const line = await FaultyLine.to(broker.port);
    const directory = makeDirectory();
    const flow = gatewayEvents({ port: line.port, outboxMaxMb: 500 }, 1);
    line.refuse();
    await fill(await Subject.nodeRed("Node-RED", flow, directory), events);
    await line.accept();
    const waits: number[] = [];
    for (let round = 0; round < extent.rounds; round++) waits.push(await untilFirstEvent(broker.port, flow, directory));
    rmSync(directory, { recursive: true, force: true });
    line.close();
    await broker.stop();
    return `With ${events} events of 200 B stored, the first one reaches the application ${shown(spread(waits), 0)} ms after Node-RED's flows run.`;
}

async function fill(subject: Subject, messages: number): Promise<void> {
    const load: EventLoad = { messages, devices: 1000, payloadBytes: 200, qos: 1, window: 1000, ratePerS: 0 };
    const { failed, firstError } = await subject.ask("publish", load);
    if (failed > 0) throw new Error(`${failed} events failed, the first with: ${firstError}`);
    await subject.stop({ keepsDirectory: true });
}

async function untilFirstEvent(port: number, flow: readonly FlowNode[], directory: string): Promise<number> {
    const application = await Application.start(port, "iot-2/type/+/id/+/evt/#");
    const first = new Promise<number>((resolve) => {
        application.onMessage = () => resolve(machineMs());
    });
    const subject = await Subject.nodeRed("Node-RED", flow, directory);
    const runningMs = machineMs();
    const waitMs = Math.max((await first) - runningMs, 0);
    // As a crash, so that next to all of them are there in the next round.
    await subject.stop({ signal: "SIGKILL", keepsDirectory: true });
    application.stop();
    return waitMs;
}
