import { GatewayError } from "../errors";

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
    const shown = typeof value === "string" ? JSON.stringify(value.slice(0, 20)) : typeof value === "number" ? String(value) : typeof value;
    throw new GatewayError("GW_INVALID_QOS", say("protocol.qos", { value: shown }));
}

import { say } from "../words";
