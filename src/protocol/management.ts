import { shortened } from "../i18n";
import type { DeviceAddress } from "./identity";
import { isRecord, memberSource, parseJsonObject } from "./json";
import type { ManagementTopic } from "./topic";

/**
 * What the platform may ask of a device, with the code that tells it was done or accepted. Actions that go on after the
 * answer are accepted with 202, attribute changes give 204, and a custom action is answered only when it has finished. Protocol, section
 * Device management.
 */
export const successCodes = {
    "device/reboot": 202,
    "device/factoryReset": 202,
    "firmware/download": 202,
    "firmware/update": 202,
    "device/update": 204,
    observe: 200,
    cancel: 200,
    custom: 200,
} as const;

/** The name of a request from the platform, as flows see it in `msg.dm.action`. */
export type PlatformAction = keyof typeof successCodes;

/** Whether a value names a request from the platform. */
export function isPlatformAction(value: unknown): value is PlatformAction {
    return typeof value === "string" && Object.hasOwn(successCodes, value);
}

/** The codes that an answer to the platform normally carries; others are sent, with a warning. */
export const usualReturnCodes: ReadonlySet<number> = new Set([0, 200, 202, 204, 400, 404, 409, 500, 501]);

/** Whether the code of an answer reports success: 200 to 299, or 0. Protocol, section Differences from the 2016 documentation. */
export function isSuccess(rc: number): boolean {
    return rc === 0 || (rc >= 200 && rc < 300);
}

/** A request's id: its value, and its text exactly as received, which is what an answer must repeat. */
export interface RequestId {
    readonly value: unknown;
    readonly source: string;
}

/** A well-formed request from the platform for the gateway or a device behind it. */
export interface PlatformRequest extends DeviceAddress {
    readonly action: PlatformAction;
    /** Absent when the platform wants no answer. */
    readonly reqId?: RequestId;
    readonly bundleId?: string;
    readonly actionId?: string;
    /** The values by field name; a field that was only named has the value undefined. */
    readonly fields?: ReadonlyMap<string, unknown>;
    /** The request's data as it was received. */
    readonly d?: Record<string, unknown>;
}

/** An answer: the platform's to one of our requests, or ours to one of the platform's. */
export interface ManagementAnswer {
    readonly rc: number;
    readonly message?: string;
    readonly d?: unknown;
}

/** What a message on a device management topic turns out to be. */
export type ManagementMessage =
    | { readonly kind: "request"; readonly request: PlatformRequest }
    | { readonly kind: "response"; readonly reqId: unknown; readonly answer: ManagementAnswer }
    /** A request that breaks the rules (400) or names no known action (501). */
    | { readonly kind: "unusable"; readonly reqId?: RequestId; readonly rc: 400 | 501; readonly reason: string }
    /** An answer that nobody can be waiting for. */
    | { readonly kind: "ignored" };

/** Reads any bytes received on a device management topic; never throws. */
export function parseManagementMessage(topic: ManagementTopic, payload: Uint8Array): ManagementMessage {
    const json = parseJsonObject(payload);
    if (topic.levels[0] === "response") return parseResponse(json?.members);
    if (!json) {
        return { kind: "unusable", rc: 400, reason: "The payload is not a JSON object (UTF-8, nested at most 100 levels)." };
    }
    const reqId = requestId(json.members, json.text);
    if (reqId && reqId.source.length > maxReqIdCharacters) {
        return { kind: "unusable", rc: 400, reason: `The reqId is longer than ${maxReqIdCharacters} characters and cannot be repeated.` };
    }
    const name = parseActionName(topic.levels);
    const withId = reqId && { reqId };
    if (!name) return { kind: "unusable", ...withId, rc: 501, reason: `The action ${shortened(topic.levels.join("/"), 60)} is not known.` };
    const { d } = json.members;
    if (d !== undefined && d !== null && !isRecord(d)) return { kind: "unusable", ...withId, rc: 400, reason: "d is not an object." };
    const fields = parseFields(name.action, d?.fields);
    if (typeof fields === "string") return { kind: "unusable", ...withId, rc: 400, reason: fields };
    const { typeId, deviceId } = topic;
    return { kind: "request", request: { ...name, typeId, deviceId, ...withId, ...(d && { d }), ...(fields && { fields }) } };
}

/** The payload of an answer. The id is repeated byte for byte; message and data appear only when they are given. */
export function encodeAnswer({ rc, message, d }: ManagementAnswer, reqId: RequestId): string {
    const head = JSON.stringify({ rc, message, d });
    return `${head.slice(0, -1)},"reqId":${reqId.source}}`;
}

function parseResponse(members: Record<string, unknown> | undefined): ManagementMessage {
    const rc = typeof members?.rc === "string" && /^\d{1,6}$/.test(members.rc) ? Number(members.rc) : members?.rc;
    if (!members || members.reqId === undefined || typeof rc !== "number") return { kind: "ignored" };
    const message = typeof members.message === "string" ? { message: members.message } : undefined;
    const d = members.d === undefined ? undefined : { d: members.d };
    return { kind: "response", reqId: members.reqId, answer: { rc, ...message, ...d } };
}

/** Longer ids would leave no room for the answer itself. */
const maxReqIdCharacters = 4096;

function requestId(members: Record<string, unknown>, text: string): RequestId | undefined {
    if (members.reqId === undefined || members.reqId === null) return undefined;
    return { value: members.reqId, source: memberSource(text, "reqId") ?? JSON.stringify(members.reqId) };
}

const plainActions: ReadonlyMap<string, PlatformAction> = new Map([
    ["device/update", "device/update"],
    ["observe", "observe"],
    ["cancel", "cancel"],
    ["mgmt/initiate/device/reboot", "device/reboot"],
    ["mgmt/initiate/device/factory_reset", "device/factoryReset"],
    ["mgmt/initiate/firmware/download", "firmware/download"],
    ["mgmt/initiate/firmware/update", "firmware/update"],
]);

function parseActionName(levels: readonly string[]): Pick<PlatformRequest, "action" | "bundleId" | "actionId"> | undefined {
    const action = plainActions.get(levels.join("/"));
    if (action) return { action };
    const [mgmt, custom, bundleId, actionId] = levels;
    if (levels.length !== 4 || mgmt !== "mgmt" || custom !== "custom" || !bundleId || !actionId) return undefined;
    return { action: "custom", bundleId, actionId };
}

/** Fields come as objects with a name and perhaps a value, or, in older versions of the protocol, as names alone. */
function parseFields(action: PlatformAction, fields: unknown): ReadonlyMap<string, unknown> | string | undefined {
    const needsFields = action === "device/update" || action === "observe" || action === "cancel";
    if (fields === undefined && !needsFields) return undefined;
    if (!Array.isArray(fields)) return "d.fields is not an array of fields.";
    const values = new Map<string, unknown>();
    for (const item of fields) {
        const field: unknown = isRecord(item) ? item.field : item;
        if (typeof field !== "string") return "d.fields holds an item that names no field.";
        if (action === "device/update" && !(isRecord(item) && Object.hasOwn(item, "value")))
            return `The field ${shortened(field, 60)} has no value.`;
        values.set(field, isRecord(item) ? item.value : undefined);
    }
    return values.size > 0 || !needsFields ? values : "d.fields is empty.";
}
