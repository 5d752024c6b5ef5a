import { GatewayError } from "../errors";
import { translate } from "../i18n";

/**
 * Checks that MQTT.js has what is used here beyond its documented interface: a client on a stream of ours, whose handling of messages is
 * replaced. Another version may lack it, and then it would fail at a message instead of at the start.
 * @param library the exports of MQTT.js
 * @throws GW_CONFIG naming what is missing, and the remedy
 */
export function assertMqttInternals(library: object): void {
    const client = memberOf(library, "MqttClient");
    const methods = memberOf(client, "prototype");
    const missing = [
        ...(typeof client === "function" ? [] : ["MqttClient"]),
        ...usedMethods.filter((name) => typeof memberOf(methods, name) !== "function").map((name) => `MqttClient.${name}`),
    ];
    if (missing.length > 0) throw new GatewayError("GW_CONFIG", translate("connection.mqttInternals", { missing: missing.join(", ") }));
}

const usedMethods = ["handleMessage", "subscribe", "unsubscribe", "sendPing", "on"];

function memberOf(value: unknown, name: string): unknown {
    const isHolder = (typeof value === "object" && value !== null) || typeof value === "function";
    return isHolder ? Reflect.get(value, name) : undefined;
}
