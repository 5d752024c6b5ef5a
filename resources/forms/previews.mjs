// What the forms show of topics and addresses. Placeholders stand for what is known only when a message comes.

import { defaultPorts } from "./generated.mjs";
import { isBlank } from "./rules.mjs";

/** What stands for a TypedInput in a preview: the string itself, or where it will come from. */
export function placeholder(value, type) {
    if (type === undefined || type === "str") return isBlank(value) ? "…" : String(value);
    return type === "jsonata" ? "{jsonata}" : `{${type}.${isBlank(value) ? "…" : value}}`;
}

/** The identity of a gateway in a preview. */
export function identityOf(gateway) {
    const known = gateway ?? {};
    return {
        orgId: placeholder(known.orgId),
        typeId: placeholder(known.typeId),
        deviceId: placeholder(known.deviceId),
    };
}

const wild = (value) => (isBlank(value) ? "+" : value);

/** The client id of a gateway that has none of its own. */
export function defaultClientId({ orgId, typeId, deviceId }) {
    return `g:${placeholder(orgId)}:${placeholder(typeId)}:${placeholder(deviceId)}`;
}

/** The topic of notifications, and the filter of device management: they are always the platform's. */
export const platformTopics = {
    notifications: ({ typeId, deviceId }) => `iot-2/type/${typeId}/id/${deviceId}/notify`,
    requests: ({ typeId, deviceId }) => `iotdm-1/type/${wild(typeId)}/id/${wild(deviceId)}/#`,
};

/** The address that the gateway will dial. */
export function address({ platform, host, port, transport, path }) {
    const name = platform === "simulator" ? "127.0.0.1" : placeholder(host);
    const number = isBlank(port) ? defaultPort(platform, transport) : port;
    const scheme = { tls: "mqtts", tcp: "mqtt", wss: "wss", ws: "ws" }[platform === "simulator" ? "tcp" : transport] ?? "mqtt";
    return `${scheme}://${name}:${number}${/^wss?$/.test(scheme) ? path || "/" : ""}`;
}

/** The port that a blank one stands for. */
export function defaultPort(platform, transport) {
    const port = platform === "broker" ? defaultPorts.broker[transport] : defaultPorts[platform];
    return String(port ?? defaultPorts.broker.tls);
}
