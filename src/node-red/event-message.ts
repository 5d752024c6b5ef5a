import type { Node, NodeAPI, NodeMessage } from "node-red";
import { describeThrown, GatewayError } from "../errors";
import { type CompletionMode, completionModes, type EventRequest } from "../gateway/event-request";
import { booleanOption, choiceOption, numberOption, textOption } from "../gateway/option-parsing";
import { type DeviceAddress, parseDeviceId, parseLevel, parseTypeId } from "../protocol/identity";
import { encodePayload } from "../protocol/payload";
import { parseQos, type Qos } from "../protocol/qos";
import type { StoredDefinition } from "./api";
import { type PropertyReader, propertyReader } from "./property";

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

/** The values the form's TypedInputs had for one message, not checked yet. */
export interface EventIds {
    readonly typeId: unknown;
    readonly deviceId: unknown;
    readonly eventId: unknown;
}

const maxTtlS = 10 * 365 * 86_400;

/**
 * Reads the properties of a `device-event-out` node.
 * @throws GW_CONFIG, GW_INVALID_ID or GW_INVALID_QOS for one that can never work
 */
export function parseEventSettings(RED: NodeAPI, node: Node, definition: StoredDefinition): EventSettings {
    const reader = (name: string, type: string, value: string) =>
        propertyReader(RED, node, textOption(definition, name) || value, textOption(definition, `${name}Type`) || type);
    const source = choiceOption(definition, "source", ["device", "gateway"], "device");
    const format = definition.format === undefined ? "json" : textOption(definition, "format");
    const qos = definition.qos === undefined ? "1" : textOption(definition, "qos");
    return {
        nodeId: node.id,
        source,
        ids: idsReader(
            source,
            reader("typeId", "msg", "typeId"),
            reader("deviceId", "msg", "deviceId"),
            reader("eventId", "str", "status"),
        ),
        format: format === "" ? undefined : parseLevel(format, "format"),
        qos: qos === "" ? undefined : parseQos(qos),
        wrap: booleanOption(definition, "wrap", false),
        timestampField: textOption(definition, "timestamp"),
        completion: choiceOption(definition, "complete", completionModes, "safe"),
        ttlMs: ttlMs(textOption(definition, "ttl")),
    };
}

/** One reader for the three ids; it is immediate when none of them has to be waited for. The gateway's own need no device. */
function idsReader(source: string, typeId: PropertyReader, deviceId: PropertyReader, eventId: PropertyReader): PropertyReader<EventIds> {
    const unused: PropertyReader = { immediate: true, read: () => undefined };
    const type = source === "gateway" ? unused : typeId;
    const device = source === "gateway" ? unused : deviceId;
    if (type.immediate && device.immediate && eventId.immediate) {
        const read = (message: NodeMessage) => ({
            typeId: type.read(message),
            deviceId: device.read(message),
            eventId: eventId.read(message),
        });
        return { immediate: true, read };
    }
    return {
        immediate: false,
        async read(message) {
            const [typeValue, deviceValue, eventValue] = await Promise.all([
                type.read(message),
                device.read(message),
                eventId.read(message),
            ]);
            return { typeId: typeValue, deviceId: deviceValue, eventId: eventValue };
        },
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
        ttlMs: settings.ttlMs ?? ttlMs(message.ttl),
        messageId: typeof message._msgid === "string" ? message._msgid : "",
        nodeId: settings.nodeId,
    };
}

/** A time to live in milliseconds from seconds; blank is undefined. */
function ttlMs(value: unknown): number | undefined {
    if (value === undefined || value === null || value === "") return undefined;
    try {
        return numberOption({ ttl: value }, "ttl", { fallback: 0, min: 0, above: true, max: maxTtlS }) * 1000;
    } catch (thrown) {
        // A bad ttl in a message is that message's fault, not the configuration's.
        throw new GatewayError("GW_INVALID_PAYLOAD", describeThrown(thrown), { cause: thrown });
    }
}
