import { describeThrown, GatewayError } from "../errors";
import { translate } from "../i18n";
import { isRecord } from "./json";

/** What the gateway may ask or tell the platform, with the end of its topic. Protocol, section Device management. */
export const requestSuffixes = {
    manage: "mgmt/manage",
    unmanage: "mgmt/unmanage",
    location: "device/update/location",
    addErrorCode: "add/diag/errorCodes",
    clearErrorCodes: "clear/diag/errorCodes",
    addLog: "add/diag/log",
    clearLog: "clear/diag/log",
    notify: "notify",
} as const;

/** The name of one of our requests, as flows write it in `msg.dm.action`. */
export type OwnAction = keyof typeof requestSuffixes;

/** Whether a value names one of our requests. */
export function isOwnAction(value: unknown): value is OwnAction {
    return typeof value === "string" && Object.hasOwn(requestSuffixes, value);
}

/** The data of a request, ready to be written as JSON. */
export type RequestData = Record<string, unknown>;

/** The shortest lifetime the platform accepts, in seconds, other than 0 for a device that never becomes dormant. */
export const minLifetimeS = 3600;

/** Whether a number may be the lifetime of a manage request: 0, or at least 3600 seconds. */
export function isLifetime(value: unknown): value is number {
    return typeof value === "number" && Number.isSafeInteger(value) && (value === 0 || value >= minLifetimeS);
}

/**
 * The data of a request from a flow's payload, or undefined for requests that have none.
 * @param nowMs the time a log entry gets that names none, in milliseconds since the epoch
 * @throws GW_DM_INVALID with the rule as text
 */
export function requestData(action: OwnAction, payload: unknown, nowMs: number): RequestData | undefined {
    try {
        return builders[action]?.(payload, nowMs);
    } catch (thrown) {
        if (thrown instanceof GatewayError) throw thrown;
        throw new GatewayError("GW_DM_INVALID", translate("protocol.requestUnreadable", { action, error: describeThrown(thrown) }), {
            cause: thrown,
        });
    }
}

const builders: Partial<Record<OwnAction, (payload: unknown, nowMs: number) => RequestData>> = {
    manage: manageData,
    location: locationData,
    addErrorCode: errorCodeData,
    addLog: logData,
    notify: notifyData,
};

function manageData(payload: unknown): RequestData {
    const { lifetime, supports, deviceInfo, metadata, ...others } = record("manage", payload);
    if (lifetime !== undefined && !isLifetime(lifetime)) throw invalid(translate("protocol.manageLifetime", { minLifetimeS }));
    for (const [name, value] of Object.entries({ supports, deviceInfo, metadata })) {
        if (value !== undefined && !isRecord(value)) throw invalid(translate("protocol.manageObject", { name }));
    }
    if (isRecord(supports) && Object.values(supports).some((value) => typeof value !== "boolean")) {
        throw invalid(translate("protocol.manageSupports"));
    }
    if (isRecord(deviceInfo) && Object.values(deviceInfo).some((value) => typeof value !== "string")) {
        throw invalid(translate("protocol.manageDeviceInfo"));
    }
    return {
        lifetime,
        ...present("supports", supports),
        ...present("deviceInfo", deviceInfo),
        ...present("metadata", metadata),
        ...others,
    };
}

/** A member that is left out when its object is empty: the platform does not answer a manage request with an empty one. */
export function present(name: string, value: unknown): RequestData {
    return isRecord(value) && Object.keys(value).length > 0 ? { [name]: value } : {};
}

function locationData(payload: unknown): RequestData {
    const { latitude, longitude, elevation, accuracy, measuredDateTime, updatedDateTime, ...others } = record("location", payload);
    if (!isNumberWithin(latitude, -90, 90)) throw invalid(translate("protocol.locationLatitude"));
    if (!isNumberWithin(longitude, -180, 180)) throw invalid(translate("protocol.locationLongitude"));
    for (const [name, value] of Object.entries({ elevation, accuracy })) {
        if (value !== undefined && !isNumberWithin(value, -1e9, 1e9)) throw invalid(translate("protocol.locationMetres", { name }));
    }
    const times = {
        measuredDateTime: isoTime("location", "measuredDateTime", measuredDateTime),
        updatedDateTime: isoTime("location", "updatedDateTime", updatedDateTime),
    };
    return { latitude, longitude, elevation, accuracy, ...times, ...others };
}

function errorCodeData(payload: unknown): RequestData {
    const data = typeof payload === "number" ? { errorCode: payload } : record("addErrorCode", payload);
    if (!Number.isSafeInteger(data.errorCode)) throw invalid(translate("protocol.errorCode"));
    return data;
}

function logData(payload: unknown, nowMs: number): RequestData {
    const { message, timestamp, data, severity = 0, ...others } = record("addLog", payload);
    if (typeof message !== "string") throw invalid(translate("protocol.logMessage"));
    if (severity !== 0 && severity !== 1 && severity !== 2) {
        throw invalid(translate("protocol.logSeverity"));
    }
    const time = isoTime("addLog", "timestamp", timestamp) ?? new Date(nowMs).toISOString();
    return { message, timestamp: time, data: base64(data), severity, ...others };
}

const base64Pattern = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;

function base64(data: unknown): string | undefined {
    if (data === undefined) return undefined;
    if (Buffer.isBuffer(data)) return data.toString("base64");
    if (typeof data === "string" && base64Pattern.test(data)) return data;
    throw invalid(translate("protocol.logData"));
}

function notifyData(payload: unknown): RequestData {
    const data = record("notify", payload);
    const fields: unknown = Array.isArray(data.fields) ? data.fields : "field" in data ? [data] : undefined;
    if (!Array.isArray(fields) || fields.length === 0) throw invalid(translate("protocol.notifyFields"));
    for (const item of fields) {
        if (!isRecord(item) || typeof item.field !== "string" || !("value" in item)) {
            throw invalid(translate("protocol.notifyField"));
        }
    }
    return { fields };
}

function record(action: OwnAction, payload: unknown): Record<string, unknown> {
    if (isRecord(payload)) return payload;
    throw invalid(translate("protocol.requestPayload", { action }));
}

function isNumberWithin(value: unknown, min: number, max: number): boolean {
    return typeof value === "number" && value >= min && value <= max;
}

function isoTime(action: OwnAction, name: string, value: unknown): string | undefined {
    if (value === undefined) return undefined;
    if (typeof value === "string" && /^\d{4}-\d\d-\d\d/.test(value) && !Number.isNaN(Date.parse(value))) return value;
    if (value instanceof Date && !Number.isNaN(value.getTime())) return value.toISOString();
    throw invalid(translate("protocol.requestTime", { action, name }));
}

function invalid(text: string): GatewayError {
    return new GatewayError("GW_DM_INVALID", text);
}
