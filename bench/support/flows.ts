import { commandTopicOf, deviceName, deviceType } from "./devices";
import type { FlowNode } from "./subject";

const tab: FlowNode = { id: "tab", type: "tab", label: "bench" };

/** How a gateway under measurement is set up. */
export interface GatewaySettings {
    readonly port: number;
    readonly outbox?: "disk" | "memory" | "off";
    readonly deviceId?: string;
}

/** The configuration of a gateway on the broker of the measurement. */
export function gatewayNode({ port, outbox = "disk", deviceId = "gateway-1" }: GatewaySettings): FlowNode {
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

function source(shape: "address" | "topic", next: string): FlowNode {
    return { id: "source", type: "bench-source", z: "tab", shape, target: "target", wires: [[next]] };
}

/** source → device-event-out */
export function gatewayEvents(settings: GatewaySettings, qos: number): FlowNode[] {
    const target = { id: "target", type: "device-event-out", z: "tab", gateway: "gateway-node", qos: String(qos), wires: [] };
    return [tab, gatewayNode(settings), source("address", "target"), target];
}

/** source with ready topics → mqtt out */
export function coreEvents(port: number, qos: number): FlowNode[] {
    return [tab, coreBrokerNode(port), source("topic", "target"), mqttOut(qos)];
}

/** source → function, which builds the topic → mqtt out */
export function coreEventsThroughFunction(port: number, qos: number): FlowNode[] {
    const build = {
        id: "build",
        type: "function",
        z: "tab",
        func: "msg.topic = `iot-2/type/${msg.typeId}/id/${msg.deviceId}/evt/status/fmt/json`;\nreturn msg;",
        outputs: 1,
        wires: [["target"]],
    };
    return [tab, coreBrokerNode(port), source("address", "build"), build, mqttOut(qos)];
}

function mqttOut(qos: number): FlowNode {
    return { id: "target", type: "mqtt out", z: "tab", topic: "", qos: String(qos), retain: "", broker: "broker", wires: [] };
}

const counter: FlowNode = { id: "counter", type: "bench-counter", z: "tab", wires: [] };

/** Which commands each of several nodes takes: those of a device of its own, or those of every device. */
export type CommandFilters = "exact" | "wildcard";

/** n × device-command-in → counter */
export function gatewayCommands(settings: GatewaySettings, nodes: number, filters: CommandFilters): FlowNode[] {
    const inputs = Array.from({ length: nodes }, (_, index) => ({
        id: `in-${index}`,
        type: "device-command-in",
        z: "tab",
        gateway: "gateway-node",
        typeId: deviceType,
        deviceId: filters === "exact" ? deviceName(index) : "",
        commandId: "set",
        format: "json",
        wires: [["counter"]],
    }));
    return [tab, gatewayNode(settings), ...inputs, counter];
}

/** n × mqtt in → counter */
export function coreCommands(port: number, nodes: number, filters: CommandFilters): FlowNode[] {
    const inputs = Array.from({ length: nodes }, (_, index) => ({
        id: `in-${index}`,
        type: "mqtt in",
        z: "tab",
        topic: filters === "exact" ? commandTopicOf(index) : `iot-2/type/${deviceType}/id/+/cmd/set/fmt/json`,
        qos: "1",
        datatype: "auto-detect",
        broker: "broker",
        inputs: 0,
        wires: [["counter"]],
    }));
    return [tab, coreBrokerNode(port), ...inputs, counter];
}
