import { Mosquitto } from "../test/support/drivers/mosquitto";
import { Application } from "./support/application";
import { drawChart } from "./support/chart";
import type { Spent } from "./support/feeder";
import { type Completion, coreEvents, coreEventsThroughFunction, gatewayEvents } from "./support/flows";
import { type Extent, factor, judged, type Section, shown, table } from "./support/report";
import type { EventLoad } from "./support/requests";
import { inRounds } from "./support/rounds";
import { percentile, type Spread, spread } from "./support/statistics";
import { Subject } from "./support/subject";

/** One row of the tables: which events, and through which outboxes. */
interface Case {
    readonly qos: 0 | 1;
    readonly payloadBytes: number;
    readonly devices: number;
    readonly messages: number;
    readonly outboxes: readonly ("disk" | "memory" | "off")[];
    readonly completion: Completion;
}

const usual: Case = { qos: 1, payloadBytes: 100, devices: 1000, messages: 100_000, outboxes: ["disk"], completion: "in the flow" };
const large: Case = { ...usual, payloadBytes: 100 * 1024, messages: 1000 };
const cases: readonly Case[] = [
    { ...usual, outboxes: ["disk", "memory", "off"] },
    { ...usual, completion: "outside the flow" },
    ...[1, 10, 100, 10_000, 50_000].map((devices) => ({ ...usual, devices })),
    { ...usual, payloadBytes: 1024 },
    large,
    { ...usual, qos: 0, messages: 10_000 },
];

const window = 100;
/** QoS 0 has no acknowledgement to wait for: it is measured at a rate that every subject keeps up with. */
const rateWithoutAcknowledgementPerS = 2000;
const latencyRatePerS = 1000;

interface Measurement {
    readonly subject: Subject;
    readonly cpuUs: Spread;
    readonly wallUs: Spread;
    readonly perSecond: Spread;
    readonly failed: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly peakMb: number;
}

/** The same events to so many devices. */
interface Grown {
    readonly devices: number;
    readonly measurements: readonly Measurement[];
}

/** What one event costs, against MQTT.js alone and Node-RED's own MQTT nodes. */
export async function measureEvents(extent: Extent): Promise<Section> {
    const parts: string[] = [];
    const growth: Grown[] = [];
    const targets: string[] = [];
    for (const one of extent.quick ? [usual] : cases) {
        const measurements = await measureCase(one, extent);
        if (one === large) targets.push(judgeLarge(measurements));
        if (isUsual(one)) growth.push({ devices: one.devices, measurements });
        parts.push(`**${title(one)}**\n\n${describe(measurements)}`);
        if (!extent.quick) console.error(parts.at(-1));
    }
    const own = growth.find(({ devices }) => devices === usual.devices);
    if (own) targets.unshift(judge(own));
    parts.push(targets.join("\n"));
    growth.sort((one, other) => one.devices - other.devices);
    if (growth.length > 1) {
        const picture = "![What one event costs, by devices](images/events.svg)";
        parts.push(`**By the number of devices (QoS 1, 100 B)**\n\n${picture}\n\n${describeGrowth(growth)}`);
    }
    return { name: "events", text: parts.join("\n\n"), pictures: { "events.svg": drawGrowth(growth) } };
}

async function measureCase(one: Case, extent: Extent): Promise<Measurement[]> {
    const broker = await Mosquitto.start({ quiet: true });
    const application = await Application.start(broker.port, "iot-2/type/sensor/#");
    const subjects = await Promise.all([
        Subject.rawMqtt(broker.port),
        Subject.nodeRed("mqtt out, topics ready", coreEvents(broker.port, one.qos, one.completion)),
        Subject.nodeRed("function + mqtt out", coreEventsThroughFunction(broker.port, one.qos, one.completion)),
        ...one.outboxes.map((outbox) =>
            Subject.nodeRed(
                `device-event-out, outbox ${outbox}`,
                gatewayEvents({ port: broker.port, outbox, deviceId: `gateway-${outbox}` }, one.qos, one.completion),
            ),
        ),
    ]);
    try {
        const messages = extent.messages(one.messages);
        const ratePerS = one.qos === 0 ? rateWithoutAcknowledgementPerS : 0;
        const load: EventLoad = { ...one, messages, window, ratePerS };
        // Every device becomes known, and the code warm, before anything is measured: each subject gets faster for some 150 000 events.
        await inRounds(subjects, 2, (subject) =>
            publish(subject, application, { ...load, messages: Math.max(one.devices, messages), qos: 1, ratePerS: 0 }),
        );
        const runs = await inRounds(subjects, extent.rounds, (subject) => publish(subject, application, load));
        const latencies = await inRounds(subjects, 1, async (subject) => {
            const paced = { ...load, ratePerS: latencyRatePerS, messages: Math.min(messages, 3000) };
            const spent = await publish(subject, application, paced);
            return { spent, receivedAtMs: application.receivedAtMs };
        });
        const measurements: Measurement[] = [];
        for (const [index, subject] of subjects.entries()) {
            const { peakBytes } = await subject.ask("memory", undefined);
            measurements.push({
                subject,
                cpuUs: spread((runs[index] ?? []).map(({ cpuUs, messages }) => cpuUs / messages)),
                wallUs: spread((runs[index] ?? []).map(({ wallMs, messages }) => (wallMs * 1000) / messages)),
                perSecond: spread((runs[index] ?? []).map(({ wallMs, messages }) => (messages * 1000) / wallMs)),
                failed: (runs[index] ?? []).reduce((sum, { failed }) => sum + failed, 0),
                ...latency(latencies[index]?.[0]),
                peakMb: peakBytes / 2 ** 20,
            });
        }
        return measurements;
    } finally {
        await Promise.all(subjects.map((subject) => subject.stop()));
        application.stop();
        await broker.stop();
    }
}

async function publish(subject: Subject, application: Application, load: EventLoad): Promise<Spent> {
    application.expect(load.messages);
    const spent = await subject.ask("publish", load);
    if (spent.failed === 0) await application.allReceived();
    else console.error(`${subject.name}: ${spent.failed} events failed, the first with: ${spent.firstError}`);
    return spent;
}

/** The broker hands on the messages of one publisher in order, so that the times can be joined by index. */
function latency(run: { spent: Spent; receivedAtMs: Float64Array } | undefined): { p50Ms: number; p99Ms: number } {
    if (!run || run.spent.failed > 0) return { p50Ms: Number.NaN, p99Ms: Number.NaN };
    const { sentAtMs } = run.spent;
    const sorted = run.receivedAtMs.map((receivedMs, index) => receivedMs - (sentAtMs[index] ?? 0)).sort();
    return { p50Ms: percentile(sorted, 50), p99Ms: percentile(sorted, 99) };
}

function isUsual({ qos, payloadBytes, completion }: Case): boolean {
    return qos === usual.qos && payloadBytes === usual.payloadBytes && completion === usual.completion;
}

function title({ qos, payloadBytes, devices, completion }: Case): string {
    const size = payloadBytes < 1024 ? `${payloadBytes} B` : `${payloadBytes / 1024} KB`;
    const place = completion === usual.completion ? "" : `, completed ${completion}`;
    return `QoS ${qos}, ${size}, ${devices} device${devices === 1 ? "" : "s"}${place}`;
}

function describe(measurements: readonly Measurement[]): string {
    const cost = (name: string) => measurements.find(({ subject }) => subject.name.startsWith(name))?.cpuUs.median ?? Number.NaN;
    const rows = measurements.map(({ subject, cpuUs, wallUs, perSecond, failed, p50Ms, p99Ms, peakMb }) => [
        failed === 0 ? subject.name : `${subject.name} (${failed} failed)`,
        shown(cpuUs),
        factor(cpuUs.median / cost("function")),
        factor(cpuUs.median / cost("raw")),
        wallUs.median.toFixed(1),
        shown(perSecond, 0),
        `${p50Ms.toFixed(2)} / ${p99Ms.toFixed(2)}`,
        peakMb.toFixed(0),
    ]);
    const headings = ["", "CPU µs per event", "against core", "against raw", "wall µs", "events/s", "p50 / p99 ms", "peak MB"];
    return table(headings, rows);
}

/** The subjects whose growth is shown, by the beginnings of their names. */
const grown = ["device-event-out, outbox disk", "function + mqtt out", "raw MQTT.js"] as const;

function costOf({ measurements }: Grown, name: string): number {
    return measurements.find(({ subject }) => subject.name === name)?.cpuUs.median ?? Number.NaN;
}

/** The targets of the project for its usual event. */
function judge(size: Grown): string {
    const [own, core, raw] = grown.map((name) => costOf(size, name));
    const against = (peer = Number.NaN) => (own ?? Number.NaN) / peer;
    return [
        judged("One event with the outbox on disk, against `function` + `mqtt out`", against(core), 0.5),
        judged("The same against raw MQTT.js", against(raw), 1.2),
    ].join("\n");
}

/** The target for an event that is nearly as large as the platform takes. */
function judgeLarge(measurements: readonly Measurement[]): string {
    const [own = Number.NaN, core = Number.NaN] = grown.map((name) => costOf({ devices: large.devices, measurements }, name));
    return judged("An event of 100 KB, against `function` + `mqtt out`", own / core, 1);
}

function describeGrowth(growth: readonly Grown[]): string {
    const rows = growth.map((size) => {
        const own = costOf(size, grown[0]);
        const ratios = grown.slice(1).map((peer) => factor(own / costOf(size, peer)));
        const against1 = factor(own / (growth[0] ? costOf(growth[0], grown[0]) : Number.NaN));
        return [String(size.devices), ...grown.map((name) => costOf(size, name).toFixed(1)), against1, ...ratios];
    });
    const headings = ["devices", ...grown.map((name) => `${name}, CPU µs`), "against 1 device", "against core", "against raw"];
    return table(headings, rows);
}

function drawGrowth(growth: readonly Grown[]): string {
    return drawChart({
        title: "What one event costs",
        xLabel: "devices that send in turn",
        yLabel: "CPU µs per event",
        series: grown.map((name) => ({ name, points: growth.map((size) => [size.devices, costOf(size, name)] as const) })),
    });
}
