import { GatewayError } from "../errors";
import { translate } from "../i18n";

/** MQTT quality of service: 0 at most once, 1 at least once, 2 exactly once (on the wire, per connection). */
export type Qos = 0 | 1 | 2;

/**
 * A quality of service from a number or its decimal string.
 * @throws GW_INVALID_QOS
 */
export function parseQos(value: unknown): Qos {
    if (value === 1 || value === "1") return 1;
    if (value === 0 || value === "0") return 0;
    if (value === 2 || value === "2") return 2;
    throw new GatewayError("GW_INVALID_QOS", translate("protocol.qos", { value: describe(value) }));
}

function describe(value: unknown): string {
    if (value === undefined) return translate("value.missing");
    if (typeof value === "string") return JSON.stringify(value.slice(0, 20));
    return typeof value === "number" ? String(value) : translate("value.ofType", { type: typeof value });
}
