import type { Node, NodeAPI, NodeMessage } from "node-red";
import { describeThrown, GatewayError } from "../errors";
import {
    type CompletionMode,
    completionModes,
    type EventEncoding,
    type EventRequest,
    type Priority,
    parsePriority,
    priorities,
} from "../gateway/events/event-request";
import type { Gateway } from "../gateway/gateway";
import { type LinkAction, linkActions } from "../gateway/link-control";
import { shortened, translate } from "../i18n";
import type { IdParser } from "../protocol/id-parser";
import { membersOf } from "../protocol/json";
import { type EncodeOptions, encodePayload } from "../protocol/payload";
import { parseQos, type Qos } from "../protocol/qos";
import { booleanOption, choiceOption, numberOption, type PropertyRules, textOption } from "../settings";
import type { StoredDefinition } from "./api";
import { type PropertyReader, propertyReader } from "./property";
import { isFromVariables } from "./variables";

/** The rules of the properties of a `device-event-out` node. */
export const eventRules = {
    source: { choices: ["device", "gateway"], fallback: "device" },
    typeId: { fallback: "typeId" },
    typeIdType: { fallback: "msg" },
    deviceId: { fallback: "deviceId" },
    deviceIdType: { fallback: "msg" },
    eventId: { fallback: "status" },
    eventIdType: { fallback: "str" },
    format: { fallback: "json" },
    // Blank: from the message.
    qos: { choices: ["0", "1", "2", ""], fallback: "1" },
    // Blank: from the message.
    priority: { choices: [...priorities, ""], fallback: "normal" },
    offline: { choices: ["keep", "latest"], fallback: "keep" },
    wrap: { fallback: false },
    complete: { choices: completionModes, fallback: "safe" },
    // Ten years at most.
    ttl: { min: 0, above: true, max: 315_360_000 },
} as const satisfies PropertyRules;

/**
 * Reads the properties of a `device-event-out` node.
 * @throws GW_CONFIG, GW_INVALID_ID, GW_INVALID_QOS or GW_INVALID_PRIORITY for one that can never work
 */
export function parseEventSettings(RED: NodeAPI, node: Node, definition: StoredDefinition, ids: IdParser): EventSettings {
    const source = choiceOption(definition, "source", eventRules.source);
    const format = textOption(definition, "format", eventRules.format.fallback);
    const qos = textOption(definition, "qos", eventRules.qos.fallback);
    const priority = textOption(definition, "priority", eventRules.priority.fallback);
    const parsedFormat = format === "" ? undefined : ids.parse("format", format);
    const wrap = booleanOption(definition, "wrap", eventRules.wrap);
    const timestampField = textOption(definition, "timestamp");
    return {
        nodeId: node.id,
        source,
        ids: eventIdsReader(RED, node, definition, source, ids),
        format: parsedFormat,
        qos: qos === "" ? undefined : parseQos(qos),
        priority: priority === "" ? undefined : parsePriority(priority),
        isLatest: choiceOption(definition, "offline", eventRules.offline) === "latest",
        wrap,
        timestampField,
        encoding: parsedFormat === undefined ? undefined : { format: parsedFormat, wrap, timestampField },
        completionMode: choiceOption(definition, "complete", eventRules.complete),
        ttlMs: ttlMs(definition, "ttl"),
    };
}

/**
 * What a message asks of the gateway's link; undefined for an event.
 * @throws GW_INVALID_PAYLOAD for an action that there is not
 */
export function linkActionOf({ gateway }: NodeMessage): LinkAction | undefined {
    if (typeof gateway !== "object" || gateway === null || !("action" in gateway)) return undefined;
    const { action } = gateway;
    const found = linkActions.find((each) => each === action);
    if (found !== undefined) return found;
    const value =
        typeof action === "string"
            ? JSON.stringify(shortened(action, maxActionCharacters))
            : translate("value.ofType", { type: typeof action });
    throw new GatewayError("GW_INVALID_PAYLOAD", translate("flow.linkAction", { value, actions: linkActions.join(", ") }));
}

const maxActionCharacters = 60;

/** The properties of a `device-event-out` node, checked. */
export interface EventSettings {
    readonly nodeId: string;
    readonly source: "gateway" | "device";
    readonly ids: PropertyReader<EventIds>;
    /** Undefined = from the message. */
    readonly format: string | undefined;
    /** Undefined = from the message. */
    readonly qos: Qos | undefined;
    /** Undefined = from the message. */
    readonly priority: Priority | undefined;
    /** Whether only the newest event of each device and event id waits. */
    readonly isLatest: boolean;
    readonly wrap: boolean;
    readonly timestampField: string;
    /** How the payload is written; undefined = the format is from the message. */
    readonly encoding: EventEncoding | undefined;
    readonly completionMode: CompletionMode;
    /** Undefined = from the message, else the gateway's. */
    readonly ttlMs: number | undefined;
}

/**
 * One message as an event of a device, or of the gateway itself.
 * @throws GW_INVALID_ID, GW_INVALID_QOS, GW_INVALID_PRIORITY, GW_INVALID_PAYLOAD
 */
export function eventRequest(
    settings: EventSettings,
    { identity, ids }: Pick<Gateway, "identity" | "ids">,
    given: EventIds,
    message: NodeMessage,
    enteredAtMs: number,
): EventRequest {
    const format = settings.format ?? ids.parse("format", message.format, "msg.format");
    const { wrap, timestampField } = settings;
    const encoding = settings.encoding ?? { format, wrap, timestampField };
    const isOwn = settings.source === "gateway";
    return {
        device: isOwn ? identity : { typeId: ids.ofEvent("typeId", given.typeId), deviceId: ids.ofEvent("deviceId", given.deviceId) },
        eventId: ids.ofEvent("eventId", given.eventId),
        format,
        qos: settings.qos ?? parseQos(message.qos),
        isLatest: settings.isLatest,
        priority: settings.priority ?? messagePriority(message),
        payload: encodePayload(message.payload, format, timestampField === "" ? encoding : stamped(encoding, enteredAtMs)),
        completionMode: settings.completionMode,
        ttlMs: settings.ttlMs ?? messageTtlMs(message),
        encoding,
        returns: returnsOf(message),
        messageId: typeof message._msgid === "string" ? message._msgid : "",
        nodeId: settings.nodeId,
    };
}

function stamped(encoding: EventEncoding, enteredAtMs: number): EncodeOptions {
    return { ...encoding, time: new Date(enteredAtMs).toISOString() };
}

/** The priority that a message brings; most bring none. */
function messagePriority({ priority }: NodeMessage): Priority {
    return priority === undefined ? "normal" : parsePriority(priority);
}

/** How often Catch nodes have got the message as an error of an event. Node-RED counts it for the node that raised it last. */
function returnsOf({ error }: NodeMessage & { readonly error?: unknown }): number {
    if (error === undefined) return 0;
    const { type, count } = membersOf(membersOf(error).source);
    return isRaisedByEvents(type) && typeof count === "number" ? count : 0;
}

function isRaisedByEvents(type: unknown): boolean {
    return type === "device-event-out" || type === "gateway-config";
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
    const seconds = numberOption(properties, name, { ...eventRules.ttl, fallback: 0 });
    return seconds === 0 ? undefined : seconds * 1000;
}

/** The values the form's TypedInputs had for one message, not checked yet. */
export interface EventIds {
    readonly typeId: unknown;
    readonly deviceId: unknown;
    readonly eventId: unknown;
}

const unused: PropertyReader = { immediate: true, read: () => undefined };

/**
 * One reader for the three ids; it is immediate when none of them has to be waited for. The gateway's own events need no device.
 * Reading throws or rejects with GW_INVALID_ID.
 * @throws GW_CONFIG or GW_INVALID_ID for one that can never work
 */
function eventIdsReader(
    RED: NodeAPI,
    node: Node,
    definition: StoredDefinition,
    source: "gateway" | "device",
    ids: IdParser,
): PropertyReader<EventIds> {
    const reader = (name: keyof EventIds) => idReader(RED, node, definition, name, ids);
    const typeId = source === "gateway" ? unused : reader("typeId");
    const deviceId = source === "gateway" ? unused : reader("deviceId");
    const eventId = reader("eventId");
    if (typeId.immediate && deviceId.immediate && eventId.immediate) {
        const read = (message: NodeMessage) => ({
            typeId: typeId.read(message),
            deviceId: deviceId.read(message),
            eventId: eventId.read(message),
        });
        return { immediate: true, read };
    }
    return {
        immediate: false,
        async read(message) {
            const [typeValue, deviceValue, eventValue] = await Promise.all([
                typeId.read(message),
                deviceId.read(message),
                eventId.read(message),
            ]);
            return { typeId: typeValue, deviceId: deviceValue, eventId: eventValue };
        },
    };
}

/** The reader of one id. One that the form holds itself, or that is blank, can be judged before any message comes. */
function idReader(RED: NodeAPI, node: Node, definition: StoredDefinition, name: keyof EventIds, ids: IdParser): PropertyReader {
    const type = textOption(definition, `${name}Type`) || eventRules[`${name}Type`].fallback;
    const stored = definition[name];
    // A text within an expression that looks like a variable is none.
    const isExpression = type !== "str" && typeof stored === "string" && !isFromVariables(stored);
    const value = isExpression ? stored : textOption(definition, name, eventRules[name].fallback);
    if (type === "str" || value.trim() === "") ids.ofEvent(name, value);
    let reader: PropertyReader;
    try {
        reader = propertyReader(RED, node, value, type);
    } catch (thrown) {
        throw unreadable("GW_CONFIG", name, thrown);
    }
    const failed = (thrown: unknown): never => {
        throw unreadable("GW_INVALID_ID", name, thrown);
    };
    if (!reader.immediate) {
        const { read } = reader;
        return { immediate: false, read: (message) => read(message).catch(failed) };
    }
    const { read } = reader;
    return {
        immediate: true,
        read(message) {
            try {
                return read(message);
            } catch (thrown) {
                return failed(thrown);
            }
        },
    };
}

function unreadable(code: "GW_CONFIG" | "GW_INVALID_ID", name: string, thrown: unknown): GatewayError {
    return new GatewayError(code, translate("flow.idUnreadable", { name, reason: describeThrown(thrown) }), { cause: thrown });
}
