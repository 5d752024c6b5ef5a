import { EventEmitter, once } from "node:events";
import path from "node:path";
import { inspect } from "node:util";
import type { NodeAPI } from "node-red";
import helper from "node-red-node-test-helper";
import registerCommandIn from "../../../nodes/device-command-in";
import registerEventOut from "../../../nodes/device-event-out";
import registerResponder from "../../../nodes/dm-responder";
import registerGateway from "../../../nodes/gateway-config";
import registerNotifyIn from "../../../nodes/gateway-notify-in";
import { assertNoSecrets, secretToken } from "../secrets";
import { type Ask, answersOf } from "./traces";

/** A node of a test flow. */
export type FlowNode = Record<string, unknown> & { id: string; type: string };

/** A message as helper nodes receive it. */
export type FlowMessage = Record<string, unknown> & { payload?: unknown };

helper.init(process.env.NODE_RED_PATH ?? require.resolve("node-red"));

/** The helper registers the types anew for each flow, which Node-RED does once: its event emitter warns of that. */
function allowManyRegistrations(RED: NodeAPI): void {
    RED.events.setMaxListeners(0);
}

/** Notes every status, and whatever else is published to editors. */
function noteStatuses({ events }: NodeAPI): void {
    for (const name of ["node-status", "comms"]) {
        events.removeListener(name, noteShown);
        events.on(name, noteShown);
    }
}

function noteShown(event: unknown): void {
    shown.push(event);
}

/** What registers Node-RED's own nodes of these files, of the version that is tested. */
export function coreNodes(...files: string[]): (RED: NodeAPI) => void {
    const from = { paths: [process.env.NODE_RED_PATH ?? require.resolve("node-red")].map(path.dirname) };
    return (RED) => {
        for (const file of files) require(require.resolve(`@node-red/nodes/core/${file}`, from))(RED);
    };
}

/** What registers the types of the package, and those of Node-RED that it uses. */
export const registrations = [
    coreNodes("network/05-tls.js", "common/91-global-config.js"),
    allowManyRegistrations,
    noteStatuses,
    registerGateway,
    registerEventOut,
    registerCommandIn,
    registerNotifyIn,
    registerResponder,
];

/** Starts and ends the runtime around the tests of a suite, and unloads the flow after each of them. */
export function withRuntime(): void {
    before(async () => {
        await new Promise<void>((resolve) => helper.startServer(resolve));
    });
    after(async () => {
        await new Promise<void>((resolve) => helper.stopServer(resolve));
    });
    afterEach(async () => {
        const answers = await answersOf(ask, gatewayIds);
        await helper.unload();
        const traces = [...seen.splice(0), ...shown.splice(0)];
        assertNoSecrets([
            ["the log", asText(helper.log().args)],
            ...traces.map((each) => ["a message, an error or a status", asText(each)] as const),
            ...answers,
        ]);
    });
}

/** What reached helper nodes in the test that runs. */
const seen: FlowMessage[] = [];
/** What was shown to editors meanwhile. */
const shown: unknown[] = [];
/** The gateways of the flow that was loaded last. */
let gatewayIds: readonly string[] = [];

const asText = (value: unknown) => inspect(value, { depth: 8, maxStringLength: null });

const ask: Ask = async (method, location) => {
    const request = helper.request();
    const { status, text } = await (method === "GET" ? request.get(`/${location}`) : request.post(`/${location}`).send({}));
    if (status >= 500 && status !== 503) throw new Error(`${location} answers ${status}: ${text.slice(0, 300)}`);
    return text;
};

/** A tab around the nodes, without which Catch, Status and Complete nodes do not work. */
function onTab(nodes: readonly FlowNode[]): FlowNode[] {
    const isConfig = (node: FlowNode) => ["gateway-config", "tls-config", "global-config", "subflow", "tab"].includes(node.type);
    return [
        { id: "tab", type: "tab", label: "test" },
        ...nodes.map((node) => (isConfig(node) ? node : { z: "tab", wires: [], x: 0, y: 0, ...node })),
    ];
}

/**
 * Loads a flow and waits until it has started; `types` are registered instead of those of the package. A gateway without credentials
 * gets a token, which must not show anywhere.
 */
export async function load(
    nodes: readonly FlowNode[],
    credentials: Record<string, Record<string, string>> = {},
    types: readonly ((RED: NodeAPI) => void)[] = registrations,
): Promise<void> {
    gatewayIds = nodes.filter(({ type }) => type === "gateway-config").map(({ id }) => id);
    const tokens = Object.fromEntries(gatewayIds.map((id) => [id, { token: secretToken }]));
    // The runtime keeps the objects it is given, so each test hands over its own.
    await helper.load([...types], structuredClone(onTab(nodes)), { ...tokens, ...credentials });
}

/** Deploys other flows in place of the loaded ones, restarting only the nodes that have changed. */
export async function deploy(nodes: readonly FlowNode[]): Promise<void> {
    await helper.setFlows(structuredClone(onTab(nodes)), "nodes");
}

/** The running node with this id. */
export function node(id: string): ReturnType<typeof helper.getNode> {
    return helper.getNode(id);
}

/** Every message a helper node receives from now on, and a way to wait for them. */
export class Inbox {
    readonly messages: FlowMessage[] = [];
    readonly #arrivals = new EventEmitter();

    constructor(id: string) {
        helper.getNode(id).on("input", (message: FlowMessage) => {
            this.messages.push(message);
            seen.push(message);
            this.#arrivals.emit("message");
        });
    }

    /** Waits for the first message that fits, also among those already received. */
    async next(fits: (message: FlowMessage) => boolean = () => true, timeoutMs = 60_000): Promise<FlowMessage> {
        const deadline = AbortSignal.timeout(timeoutMs);
        for (;;) {
            const found = this.messages.find(fits);
            if (found) return found;
            await once(this.#arrivals, "message", { signal: deadline }).catch(() => {
                throw new Error(`no such message in ${timeoutMs} ms; received ${JSON.stringify(this.messages)}`);
            });
        }
    }

    /** Waits until this many messages are there. */
    async count(wanted: number, timeoutMs = 60_000): Promise<FlowMessage[]> {
        await this.next(() => this.messages.length >= wanted, timeoutMs);
        return this.messages;
    }
}

/** A `gateway-config` on a server of this machine. */
export function gatewayNode(port: number, properties: Record<string, unknown> = {}): FlowNode {
    return {
        id: "gateway",
        type: "gateway-config",
        platform: "broker",
        host: "127.0.0.1",
        port: String(port),
        transport: "tcp",
        orgId: "org",
        typeId: "gw",
        deviceId: "gw1",
        outbox: "memory",
        // The simulator registers devices.
        registration: "always",
        ...properties,
    };
}

/** A `device-event-out` that takes its ids from the message. */
export function eventNode(properties: Record<string, unknown> = {}): FlowNode {
    return { id: "event", type: "device-event-out", gateway: "gateway", ...properties };
}

/** A `device-command-in` wired to the helper node `commands`. */
export function commandNode(properties: Record<string, unknown> = {}): FlowNode {
    return { id: "command", type: "device-command-in", gateway: "gateway", wires: [["commands"]], ...properties };
}

/** A `dm-responder` for the gateway itself, wired to the helper nodes `requests` and `answers`. */
export function responderNode(properties: Record<string, unknown> = {}): FlowNode {
    return { id: "responder", type: "dm-responder", gateway: "gateway", wires: [["requests"], ["answers"]], ...properties };
}

/** Catch, Status and Complete nodes, wired to the helper nodes `caught`, `statuses` and `completed`. */
export const observers: readonly FlowNode[] = [
    { id: "catch", type: "catch", scope: null, wires: [["caught"]] },
    { id: "status", type: "status", scope: null, wires: [["statuses"]] },
    { id: "complete", type: "complete", scope: ["event", "responder"], wires: [["completed"]] },
    { id: "caught", type: "helper" },
    { id: "statuses", type: "helper" },
    { id: "completed", type: "helper" },
    { id: "commands", type: "helper" },
    { id: "requests", type: "helper" },
    { id: "answers", type: "helper" },
];
