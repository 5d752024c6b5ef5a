import type { Node, NodeAPI, NodeMessage } from "node-red";
import { describeThrown, GatewayError } from "../errors";
import { type CompletionMode, completionModes, type EventRequest } from "../gateway/events/event-request";
import { type DeviceAddress, parseDeviceId, parseLevel, parseTypeId } from "../protocol/identity";
import { encodePayload } from "../protocol/payload";
import { parseQos, type Qos } from "../protocol/qos";
import { booleanOption, choiceOption, numberOption, textOption } from "../settings";
import type { StoredDefinition } from "./api";
import { type EventIds, eventIdsReader } from "./event-ids";
import type { PropertyReader } from "./property";

/** The properties of a `device-event-out` node, checked. */
export interface EventSettings {
    readonly nodeId: string;
    readonly source: "gateway" | "device";
    readonly ids: PropertyReader<EventIds>;
    /** Undefined = from the message. */
    readonly format: string | undefined;
    /** Undefined = from the message. */
    readonly qos: Qos | undefined;
    readonly wrap: boolean;
    readonly timestampField: string;
    readonly completion: CompletionMode;
    /** Undefined = from the message, else the gateway's. */
    readonly ttlMs: number | undefined;
}

const maxTtlS = 10 * 365 * 86_400;

/**
 * Reads the properties of a `device-event-out` node.
 * @throws GW_CONFIG, GW_INVALID_ID or GW_INVALID_QOS for one that can never work
 */
export function parseEventSettings(RED: NodeAPI, node: Node, definition: StoredDefinition): EventSettings {
    const source = choiceOption(definition, "source", ["device", "gateway"], "device");
    const format = textOption(definition, "format", "json");
    const qos = textOption(definition, "qos", "1");
    return {
        nodeId: node.id,
        source,
        ids: eventIdsReader(RED, node, definition, source),
        format: format === "" ? undefined : parseLevel(format, "format"),
        qos: qos === "" ? undefined : parseQos(qos),
        wrap: booleanOption(definition, "wrap", false),
        timestampField: textOption(definition, "timestamp"),
        completion: choiceOption(definition, "complete", completionModes, "safe"),
        ttlMs: ttlMs(definition, "ttl"),
    };
}

/**
 * One message as an event of a device, or of `gateway` itself.
 * @throws GW_INVALID_ID, GW_INVALID_QOS, GW_INVALID_PAYLOAD
 */
export function eventRequest(
    settings: EventSettings,
    gateway: DeviceAddress,
    ids: EventIds,
    message: NodeMessage,
    enteredAtMs: number,
): EventRequest {
    const format = settings.format ?? parseLevel(message.format, "msg.format");
    return {
        device: settings.source === "gateway" ? gateway : { typeId: parseTypeId(ids.typeId), deviceId: parseDeviceId(ids.deviceId) },
        eventId: parseLevel(ids.eventId, "eventId"),
        format,
        qos: settings.qos ?? parseQos(message.qos),
        payload: encodePayload(message.payload, format, {
            wrap: settings.wrap,
            timestampField: settings.timestampField,
            time: settings.timestampField === "" ? "" : new Date(enteredAtMs).toISOString(),
        }),
        completion: settings.completion,
        ttlMs: settings.ttlMs ?? messageTtlMs(message),
        messageId: typeof message._msgid === "string" ? message._msgid : "",
        nodeId: settings.nodeId,
    };
}

/** The time to live that a message brings. One that is no number is that message's fault, not the configuration's. */
function messageTtlMs(message: NodeMessage): number | undefined {
    try {
        return ttlMs(message, "ttl");
    } catch (thrown) {
        throw new GatewayError("GW_INVALID_PAYLOAD", describeThrown(thrown), { cause: thrown });
    }
}

/** A time to live in milliseconds from seconds; blank is undefined. */
function ttlMs(properties: Readonly<Record<string, unknown>>, name: string): number | undefined {
    const seconds = numberOption(properties, name, { fallback: 0, min: 0, above: true, max: maxTtlS });
    return seconds === 0 ? undefined : seconds * 1000;
}
