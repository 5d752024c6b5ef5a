import { idRule } from "./id-rules";
import type { DeviceAddress } from "./identity";
import { parseMembers } from "./json";
import { maxPayloadBytes } from "./payload-limit";

/** The return codes that the platform is known to send; it may send others. Protocol, section Notifications. */
export const returnCodes = {
    systemError: 100,
    tooManyDevices: 173,
    createFailed: 177,
    notAuthorised: 180,
    topicNotValid: 276,
    systemTopic: 289,
} as const;

/** What a gateway notification says, each part as its own type; what the platform left out is absent. Protocol, section Notifications. */
export interface NotificationFields {
    /** What was refused, in lower case: `publish`, `subscribe`, `unsubscribe`, or a word this version does not know. */
    request?: string;
    /** When, as the platform wrote it (ISO 8601). */
    time?: string;
    /** The topic or filter. The platform may have inserted the organisation, replaced control characters by `?`, or cut it at a NUL. */
    topic?: string;
    /** The device's type: present only where a registration failed or an id was not legal. */
    typeId?: string;
    deviceId?: string;
    clientId?: string;
    /** The return code, a number also when it came as text. */
    rc?: number;
    message?: string;
}

/**
 * A notification that was received. Only a JSON object of at most 131072 bytes, nested at most 100 levels, can be read; anything else is
 * malformed and kept as text, up to that length.
 */
export type Notification =
    | { readonly malformed: false; readonly fields: NotificationFields; readonly raw: Readonly<Record<string, unknown>> }
    | { readonly malformed: true; readonly fields: NotificationFields; readonly raw: string };

/** Reads a notification, whatever it holds: never throws, keeps unknown keys in `raw` and drops what has no usable type. */
export function parseNotification(payload: Buffer | string): Notification {
    const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
    const text = bytes.toString("utf8", 0, maxPayloadBytes);
    const raw = bytes.length > maxPayloadBytes ? undefined : parseMembers(text);
    if (!raw) return { malformed: true, fields: {}, raw: text };
    const fields: NotificationFields = {};
    for (const [key, value] of Object.entries(raw)) readField(fields, key.toLowerCase(), value);
    return { malformed: false, fields, raw };
}

/**
 * The refused topic as the gateway sent it: without the organisation that the platform inserts when a registration fails.
 * Undefined when the notification names none.
 */
export function notifiedTopic(fields: NotificationFields): string | undefined {
    const { topic } = fields;
    if (topic === undefined) return undefined;
    const levels = topic.split("/");
    if (!isAddressAt(levels, 1) && isAddressAt(levels, 2)) levels.splice(1, 1);
    return levels.join("/");
}

/**
 * The device a notification speaks of: its own ids, else those in its topic; undefined when neither names one. An id that is not legal
 * may be what was refused, but one that is too long is nothing to remember a device by.
 */
export function notifiedDevice(fields: NotificationFields): DeviceAddress | undefined {
    const address = fields.typeId && fields.deviceId ? { typeId: fields.typeId, deviceId: fields.deviceId } : deviceOfTopic(fields);
    return address && Math.max(address.typeId.length, address.deviceId.length) <= idRule.maxBytes ? address : undefined;
}

function deviceOfTopic(fields: NotificationFields): DeviceAddress | undefined {
    const levels = notifiedTopic(fields)?.split("/");
    if (!levels || !isAddressAt(levels, 1)) return undefined;
    const [, , typeId, , deviceId] = levels;
    return typeId && deviceId ? { typeId, deviceId } : undefined;
}

function isAddressAt(levels: readonly string[], index: number): boolean {
    return levels[index] === "type" && levels[index + 2] === "id";
}

function readField(fields: NotificationFields, key: string, value: unknown): void {
    if (key === "rc") {
        const rc = parseReturnCode(value);
        if (rc !== undefined) fields.rc = rc;
        return;
    }
    const name = textFields.get(key);
    if (name === undefined || value === undefined || value === null || typeof value === "object") return;
    fields[name] = name === "request" ? String(value).toLowerCase() : String(value);
}

const textFields = new Map<string, Exclude<keyof NotificationFields, "rc">>([
    ["request", "request"],
    ["time", "time"],
    ["topic", "topic"],
    ["type", "typeId"],
    ["id", "deviceId"],
    ["client", "clientId"],
    ["message", "message"],
]);

function parseReturnCode(value: unknown): number | undefined {
    if (typeof value === "number") return value;
    return typeof value === "string" && /^\s*\d{1,9}\s*$/.test(value) ? Number(value) : undefined;
}
