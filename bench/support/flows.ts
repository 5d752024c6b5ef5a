import { commandTopicOf, deviceName, deviceType, eventTopicOf, fieldTopic } from "./devices";
import type { FlowNode } from "./subject";

const tab: FlowNode = { id: "tab", type: "tab", label: "bench" };

/** How a gateway under measurement is set up. */
export interface GatewaySettings {
    readonly port: number;
    readonly outbox?: "disk" | "memory" | "off";
    readonly deviceId?: string;
    readonly outboxMaxMb?: number;
    readonly maxInFlight?: number;
    readonly maxRate?: number;
}

/** The configuration of a gateway on the broker of the measurement. */
export function gatewayNode({
    port,
    outbox = "disk",
    deviceId = "gateway-1",
    outboxMaxMb = 100,
    maxInFlight = 100,
    maxRate = 0,
}: GatewaySettings): FlowNode {
    return {
        id: "gateway-node",
        type: "gateway-config",
        platform: "broker",
        host: "127.0.0.1",
        port: String(port),
        transport: "tcp",
        orgId: "bench",
        typeId: "gateway",
        deviceId,
        outbox,
        outboxMaxMb: String(outboxMaxMb),
        maxInFlight: String(maxInFlight),
        maxRate: String(maxRate),
        registrationLimit: "128",
    };
}

/** The configuration of a core MQTT connection to the broker of the measurement. */
export function coreBrokerNode(port: number, protocolVersion: 4 | 5 = 4): FlowNode {
    return {
        id: "broker",
        type: "mqtt-broker",
        broker: "127.0.0.1",
        port: String(port),
        clientid: "",
        autoConnect: true,
        usetls: false,
        protocolVersion: String(protocolVersion),
        keepalive: "60",
        cleansession: true,
        autoUnsubscribe: true,
    };
}

/** One of several processes that share the work: mqtt in with a shared subscription → function → device-event-out */
export function sharedFieldEvents(settings: GatewaySettings & { readonly deviceId: string }): FlowNode[] {
    const field = {
        ...coreBrokerNode(settings.port, 5),
        clientid: `field-${settings.deviceId}`,
        cleansession: false,
        sessionExpiry: "3600",
        autoUnsubscribe: false,
    };
    const input = mqttIn(`$share/gateways/${fieldTopic("+")}`, "json", "build");
    const build = {
        id: "build",
        type: "function",
        z: "tab",
        func: 'const [, typeId, deviceId] = msg.topic.split("/");\nreturn { typeId, deviceId, payload: msg.payload };',
        outputs: 1,
        wires: [["target"]],
    };
    const target = { id: "target", type: "device-event-out", z: "tab", gateway: "gateway-node", qos: "1", wires: [] };
    return [tab, field, gatewayNode(settings), input, build, target];
}

/** Where a source learns what has become of its messages: from a Complete node of the flow, as a user does, or outside the flow. */
export type Completion = "in the flow" | "outside the flow";

/** The source of a measured flow, and what returns its messages when the target has completed them. */
function source(shape: "address" | "topic", next: string, completion: Completion = "in the flow"): FlowNode[] {
    const own = { id: "source", type: "bench-source", z: "tab", shape, wires: [[next]] };
    if (completion === "outside the flow") return [{ ...own, watched: "target" }];
    const outcome = { z: "tab", scope: ["target"], wires: [["source"]] };
    return [own, { id: "completed", type: "complete", ...outcome }, { id: "failed", type: "catch", uncaught: false, ...outcome }];
}

/** source → device-event-out */
export function gatewayEvents(settings: GatewaySettings, qos: number, completion?: Completion): FlowNode[] {
    const target = { id: "target", type: "device-event-out", z: "tab", gateway: "gateway-node", qos: String(qos), wires: [] };
    return [tab, gatewayNode(settings), ...source("address", "target", completion), target];
}

/** source → device-event-out, with a Catch node → counter: what is not delivered reaches the counter */
export function caughtEvents(settings: GatewaySettings, ttlS: number): FlowNode[] {
    const target = { id: "target", type: "device-event-out", z: "tab", gateway: "gateway-node", qos: "1", ttl: String(ttlS), wires: [] };
    return [tab, gatewayNode(settings), ...source("address", "target", "outside the flow"), target, caught("counter"), counter];
}

/** source → device-event-out with QoS 0, whose errors a Catch node brings to a function that makes a new message of each, back to it */
export function loopingEvents(settings: GatewaySettings): FlowNode[] {
    const target = { id: "target", type: "device-event-out", z: "tab", gateway: "gateway-node", qos: "0", wires: [] };
    const fresh = {
        id: "fresh",
        type: "function",
        z: "tab",
        func: 'return { typeId: "sensor", deviceId: "device-0", payload: 1 };',
        outputs: 1,
        wires: [["target"]],
    };
    return [tab, gatewayNode(settings), ...source("address", "target", "outside the flow"), target, caught("fresh"), fresh];
}

/** source → device-event-out, which takes the priority from the message and completes it when the event is acknowledged */
export function gatewayKinds(settings: GatewaySettings): FlowNode[] {
    const kind = { qos: "1", priority: "", complete: "acknowledged" };
    const target = { id: "target", type: "device-event-out", z: "tab", gateway: "gateway-node", ...kind, wires: [] };
    return [tab, gatewayNode(settings), ...source("address", "target"), target];
}

/** n × device-event-out, each for a device of its own; nothing is sent to them. */
export function gatewayEventNodes(settings: GatewaySettings, nodes: number): FlowNode[] {
    const outputs = Array.from({ length: nodes }, (_, index) => ({
        id: `out-${index}`,
        type: "device-event-out",
        z: "tab",
        gateway: "gateway-node",
        typeId: deviceType,
        typeIdType: "str",
        deviceId: deviceName(index),
        deviceIdType: "str",
        wires: [],
    }));
    return [tab, gatewayNode(settings), ...outputs, counter];
}

/** n × mqtt out, each for a topic of its own; nothing is sent to them. */
export function coreEventNodes(port: number, nodes: number): FlowNode[] {
    const outputs = Array.from({ length: nodes }, (_, index) => ({ ...mqttOut(1), id: `out-${index}`, topic: eventTopicOf(index) }));
    return [tab, coreBrokerNode(port), ...outputs, counter];
}

/** source with ready topics → mqtt out */
export function coreEvents(port: number, qos: number, completion?: Completion): FlowNode[] {
    return [tab, coreBrokerNode(port), ...source("topic", "target", completion), mqttOut(qos)];
}

/** source → function, which builds the topic → mqtt out */
export function coreEventsThroughFunction(port: number, qos: number, completion?: Completion): FlowNode[] {
    const build = {
        id: "build",
        type: "function",
        z: "tab",
        func: "msg.topic = `iot-2/type/${msg.typeId}/id/${msg.deviceId}/evt/status/fmt/json`;\nreturn msg;",
        outputs: 1,
        wires: [["target"]],
    };
    return [tab, coreBrokerNode(port), ...source("address", "build", completion), build, mqttOut(qos)];
}

function mqttIn(topic: string, datatype: string, next: string): FlowNode {
    return { id: "in", type: "mqtt in", z: "tab", topic, qos: "1", datatype, broker: "broker", inputs: 0, wires: [[next]] };
}

function mqttOut(qos: number): FlowNode {
    return { id: "target", type: "mqtt out", z: "tab", topic: "", qos: String(qos), retain: "", broker: "broker", wires: [] };
}

function caught(next: string): FlowNode {
    return { id: "catch", type: "catch", z: "tab", scope: null, uncaught: false, wires: [[next]] };
}

const counter: FlowNode = { id: "counter", type: "bench-counter", z: "tab", wires: [] };

/** The nodes that take commands in a measured flow. */
export interface CommandNodes {
    readonly nodes: number;
    /** So many nodes in a row have the same filter, and each command reaches all of them. */
    readonly fanOut: number;
    /** `exact` = each filter names a device and its command; `wildcard` = a command to any device. */
    readonly filters: "exact" | "wildcard";
}

/** The device and the command that the filter with this number takes. */
function address({ filters }: CommandNodes, filter: number): { device: number | undefined; command: string } {
    return filters === "exact" ? { device: filter, command: "set" } : { device: undefined, command: `set-${filter}` };
}

/** The topic of the command with this index; they go to all filters in turn. */
export function commandTopics(kind: CommandNodes): (index: number) => string {
    const filters = Math.ceil(kind.nodes / kind.fanOut);
    return (index) => {
        const { device = index % 1000, command } = address(kind, index % filters);
        return commandTopicOf(device, command);
    };
}

/** n × device-command-in → counter */
export function gatewayCommands(settings: GatewaySettings, kind: CommandNodes): FlowNode[] {
    const inputs = commandNodes(kind, (device, commandId) => ({
        type: "device-command-in",
        gateway: "gateway-node",
        typeId: deviceType,
        deviceId: device === undefined ? "" : deviceName(device),
        commandId,
        format: "json",
    }));
    return [tab, gatewayNode(settings), ...inputs, counter];
}

/** n × mqtt in → counter */
export function coreCommands(port: number, kind: CommandNodes): FlowNode[] {
    const inputs = commandNodes(kind, (device, command) => ({
        type: "mqtt in",
        topic: commandTopicOf(device, command),
        qos: "1",
        datatype: "auto-detect",
        broker: "broker",
        inputs: 0,
    }));
    return [tab, coreBrokerNode(port), ...inputs, counter];
}

function commandNodes(
    kind: CommandNodes,
    settings: (device: number | undefined, command: string) => { readonly type: string; readonly [property: string]: unknown },
): FlowNode[] {
    return Array.from({ length: kind.nodes }, (_, index) => {
        const { device, command } = address(kind, Math.floor(index / kind.fanOut));
        return { id: `in-${index}`, z: "tab", wires: [["counter"]], ...settings(device, command) };
    });
}

/** device-command-in → device-event-out: answers each command with an event. */
export function gatewayEcho(settings: GatewaySettings): FlowNode[] {
    const input = { id: "in", type: "device-command-in", z: "tab", gateway: "gateway-node", wires: [["target"]] };
    const target = { id: "target", type: "device-event-out", z: "tab", gateway: "gateway-node", qos: "1", wires: [] };
    return [tab, gatewayNode(settings), input, target];
}

/** mqtt in → function, which builds the topic of the event → mqtt out */
export function coreEcho(port: number): FlowNode[] {
    const input = mqttIn("iot-2/type/+/id/+/cmd/+/fmt/+", "auto-detect", "build");
    const build = {
        id: "build",
        type: "function",
        z: "tab",
        func: 'msg.topic = msg.topic.replace(/cmd\\/[^/]+/, "evt/status");\nreturn msg;',
        outputs: 1,
        wires: [["target"]],
    };
    return [tab, coreBrokerNode(port), input, build, mqttOut(1)];
}
