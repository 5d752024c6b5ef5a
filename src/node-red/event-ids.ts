import type { Node, NodeAPI, NodeMessage } from "node-red";
import { describeThrown, GatewayError } from "../errors";
import { say } from "../i18n";
import { parseDeviceId, parseLevel, parseTypeId } from "../protocol/identity";
import { textOption } from "../settings";
import type { StoredDefinition } from "./api";
import { type PropertyReader, propertyReader } from "./property";

/** The values the form's TypedInputs had for one message, not checked yet. */
export interface EventIds {
    readonly typeId: unknown;
    readonly deviceId: unknown;
    readonly eventId: unknown;
}

interface IdRule {
    readonly name: string;
    readonly type: string;
    readonly value: string;
    readonly parse: (value: unknown, name: string) => string;
}

/** With what they stand for when the flow leaves them out. */
const typeIdRule: IdRule = { name: "typeId", type: "msg", value: "typeId", parse: parseTypeId };
const deviceIdRule: IdRule = { name: "deviceId", type: "msg", value: "deviceId", parse: parseDeviceId };
const eventIdRule: IdRule = { name: "eventId", type: "str", value: "status", parse: parseLevel };

const unused: PropertyReader = { immediate: true, read: () => undefined };

/**
 * One reader for the three ids; it is immediate when none of them has to be waited for. The gateway's own events need no device.
 * Reading throws or rejects with GW_INVALID_ID.
 * @throws GW_CONFIG or GW_INVALID_ID for one that can never work
 */
export function eventIdsReader(
    RED: NodeAPI,
    node: Node,
    definition: StoredDefinition,
    source: "gateway" | "device",
): PropertyReader<EventIds> {
    const reader = (rule: IdRule) => idReader(RED, node, definition, rule);
    const typeId = source === "gateway" ? unused : reader(typeIdRule);
    const deviceId = source === "gateway" ? unused : reader(deviceIdRule);
    const eventId = reader(eventIdRule);
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
function idReader(RED: NodeAPI, node: Node, definition: StoredDefinition, rule: IdRule): PropertyReader {
    const { name } = rule;
    const value = textOption(definition, name, rule.value);
    const type = textOption(definition, `${name}Type`) || rule.type;
    if (type === "str" || value.trim() === "") rule.parse(value, name);
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
    return new GatewayError(code, say("flow.idUnreadable", { name, reason: describeThrown(thrown) }), { cause: thrown });
}
