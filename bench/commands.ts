import { measureEcho } from "./echo";
import { drawChart } from "./support/chart";
import { payloadOf } from "./support/devices";
import { type CommandNodes, commandTopics, coreCommands, gatewayCommands } from "./support/flows";
import { type Extent, factor, judged, type Section, shown, table } from "./support/report";
import { inRounds } from "./support/rounds";
import { Station } from "./support/station";
import { type Spread, spread } from "./support/statistics";
import { Subject } from "./support/subject";

/** Nodes of one kind, in growing numbers. */
interface Growth extends Omit<CommandNodes, "nodes"> {
    readonly sizes: readonly number[];
}

const exact: Growth = { filters: "exact", fanOut: 1, sizes: [1, 10, 100, 1000, 10_000] };
const growths: readonly Growth[] = [
    exact,
    { ...exact, filters: "wildcard" },
    { ...exact, fanOut: 100, sizes: [100, 1000, 10_000] },
    { ...exact, filters: "wildcard", fanOut: 100, sizes: [100, 1000, 10_000] },
];

const names = ["device-command-in", "mqtt in"] as const;
const payloadBytes = 100;
const commands = 50_000;
/** Where each message costs time for each node, fewer are enough. */
const messagesTimesNodes = 1_000_000;

/** Commands go to one size of one kind of subject. */
interface Measured {
    readonly name: string;
    readonly kind: CommandNodes;
    readonly commands: number;
    readonly station: Station;
}

/** The cost of one command, by the number of nodes. */
interface Costs {
    readonly raw: Spread;
    readonly gateway: readonly Spread[];
    readonly core: readonly Spread[];
}

/** What one command costs, and how that grows with the number of nodes. */
export async function measureCommands(extent: Extent): Promise<Section> {
    const parts: string[] = [];
    const chosen = extent.quick ? [{ ...exact, sizes: [1, 1000] }] : growths;
    let picture = "";
    for (const growth of chosen) {
        const costs = await measureGrowth(growth, extent);
        parts.push(`**${title(growth)}**\n\n${describe(growth, costs)}`);
        const target = judge(growth, costs);
        if (target !== undefined) parts.push(target);
        if (picture === "") {
            picture = draw(growth, costs);
            parts.push("![What one command costs, by nodes](images/commands.svg)");
        }
        if (!extent.quick) console.error(parts.at(-1));
    }
    parts.push(await measureEcho(extent));
    return { name: "commands", text: parts.join("\n\n"), pictures: { "commands.svg": picture } };
}

async function measureGrowth(growth: Growth, extent: Extent): Promise<Costs> {
    const measured = await startAll(growth, extent);
    try {
        await inRounds(measured, 1, spend);
        const runs = await inRounds(measured, extent.rounds, spend);
        const costs = runs.map((results) => spread(results));
        const of = (name: string) => costs.filter((_, index) => measured[index]?.name === name);
        const [raw] = of("raw");
        if (!raw) throw new Error("MQTT.js was not measured.");
        return { raw, gateway: of(names[0]), core: of(names[1]) };
    } finally {
        await Promise.all(measured.map(({ station }) => station.stop()));
    }
}

async function startAll({ sizes, ...kind }: Growth, extent: Extent): Promise<Measured[]> {
    const one: CommandNodes = { ...kind, nodes: 1, fanOut: 1 };
    const full = extent.messages(commands) / kind.fanOut;
    const raw = await Station.start((port) => Subject.rawMqtt(port, "iot-2/type/+/id/+/cmd/#"), 1);
    const all: Measured[] = [{ name: "raw", kind: one, commands: full * kind.fanOut, station: raw }];
    for (const nodes of sizes) {
        const size = { ...kind, nodes };
        const topics = Math.ceil(nodes / kind.fanOut);
        const gateway = await Station.start((port) => Subject.nodeRed(names[0], gatewayCommands({ port }, size)), topics);
        const core = await Station.start((port) => Subject.nodeRed(names[1], coreCommands(port, size)), topics);
        all.push({ name: names[0], kind: size, commands: full, station: gateway });
        all.push({ name: names[1], kind: size, commands: Math.min(full, messagesTimesNodes / nodes), station: core });
    }
    return all;
}

/** CPU microseconds for each command. */
async function spend({ kind, commands: messages, station }: Measured): Promise<number> {
    const { subject, application } = station;
    const counted = subject.ask("count", messages * kind.fanOut);
    const sent = application.publish({
        messages,
        topicOf: commandTopics(kind),
        payloadOf: (index) => JSON.stringify(payloadOf(index, payloadBytes)),
    });
    const [{ cpuUs }] = await Promise.all([counted, sent]);
    return cpuUs / messages;
}

function title({ filters, fanOut }: Growth): string {
    const kind = filters === "exact" ? "Filters that name one device" : "Filters for every device";
    return `${kind}, each command for ${fanOut === 1 ? "one node" : `${fanOut} nodes`}`;
}

function describe({ sizes }: Growth, { raw, gateway, core }: Costs): string {
    const rows = sizes.map((size, index) => {
        const [own, peer] = [gateway[index], core[index]];
        if (!own || !peer) throw new Error("A size was not measured.");
        return [
            String(size),
            shown(own),
            factor(own.median / (gateway[0]?.median ?? Number.NaN)),
            shown(peer),
            factor(peer.median / (core[0]?.median ?? Number.NaN)),
            factor(own.median / peer.median),
        ];
    });
    const headings = [
        "nodes",
        "`device-command-in`, CPU µs",
        `against ${sizes[0]}`,
        "`mqtt in`, CPU µs",
        `against ${sizes[0]}`,
        "against core",
    ];
    return `${table(headings, rows)}\n\nRaw MQTT.js, which hands each command to one function: ${shown(raw)} µs.`;
}

/** The target of the project: a command may cost little more with a thousand nodes than with one. */
function judge({ sizes, fanOut }: Growth, { gateway }: Costs): string | undefined {
    const [one, thousand] = [gateway[0], gateway[sizes.indexOf(1000)]];
    if (fanOut > 1 || !one || !thousand) return undefined;
    return judged("One command with 1000 nodes, against one node", thousand.median / one.median, 1.3);
}

function draw({ sizes }: Growth, { raw, gateway, core }: Costs): string {
    const points = (costs: readonly Spread[]) => costs.map(({ median }, index) => [sizes[index] ?? 1, median] as const);
    return drawChart({
        title: "What one command costs",
        xLabel: "nodes that take commands, each of its own device",
        yLabel: "CPU µs per command",
        series: [
            { name: names[0], points: points(gateway) },
            { name: names[1], points: points(core) },
            { name: "raw MQTT.js (no nodes)", points: sizes.map((size) => [size, raw.median] as const) },
        ],
    });
}
