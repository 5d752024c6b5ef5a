import { isObject } from "../json";
import { type Answer, bad, done } from "./answer";
import { readNotify } from "./firmware-notify";
import type { ManagedDevice } from "./managed-device";

const minLifetimeSeconds = 3600;
const bundleRule = /^[A-Za-z0-9_.-]{1,255}$/;
const deviceInfoFields = [
    "serialNumber",
    "manufacturer",
    "model",
    "deviceClass",
    "description",
    "fwVersion",
    "hwVersion",
    "descriptiveLocation",
];

type Handler = (device: ManagedDevice, d: Record<string, unknown>, options: RequestOptions) => Answer;

const handlers: ReadonlyMap<string, Handler> = new Map<string, Handler>([
    ["mgmt/manage", manage],
    ["mgmt/unmanage", unmanage],
    ["device/update/location", updateLocation],
    ["add/diag/errorCodes", addErrorCode],
    ["clear/diag/errorCodes", clearErrorCodes],
    ["add/diag/log", addLog],
    ["clear/diag/log", clearLog],
    ["notify", notify],
]);

/** Carries out a request of a device; the suffix is the part of the topic after the device. */
export function answerDeviceRequest(device: ManagedDevice, suffix: string, d: unknown, options: RequestOptions): Answer {
    const handler = handlers.get(suffix);
    if (!handler) return { rc: 404, message: `There is no request ${suffix}.` };
    if (d !== undefined && !isObject(d)) return bad("d must be an object.");
    return handler(device, d ?? {}, options);
}

/** What a request depends on besides its device. */
export interface RequestOptions {
    now: number;
    /** The bundles of custom actions that are installed; absent = every valid name. */
    bundles: readonly string[] | undefined;
}

function manage(device: ManagedDevice, d: Record<string, unknown>, { now, bundles }: RequestOptions): Answer {
    const { lifetime = 0, supports = {}, deviceInfo, metadata } = d;
    if (typeof lifetime !== "number" || !(lifetime === 0 || lifetime >= minLifetimeSeconds)) {
        return bad(`lifetime must be 0 or at least ${minLifetimeSeconds} seconds.`);
    }
    if (!isObject(supports) || Object.values(supports).some((value) => typeof value !== "boolean")) {
        return bad("supports must be an object of booleans.");
    }
    if (deviceInfo !== undefined && !isDeviceInfo(deviceInfo)) return bad("deviceInfo must hold its known fields as strings.");
    if (metadata !== undefined && !isObject(metadata)) return bad("metadata must be an object.");
    const { deviceActions, firmwareActions, ...rest } = supports;
    const claimed = Object.keys(rest).filter((bundle) => rest[bundle] === true);
    const unknown = claimed.find((bundle) => !bundleRule.test(bundle) || (bundles && !bundles.includes(bundle)));
    if (unknown !== undefined) return { rc: 403, message: `The device may not support ${unknown}: there is no such bundle.` };
    device.manage(
        {
            lifetimeSeconds: lifetime,
            deviceActions: deviceActions === true,
            firmwareActions: firmwareActions === true,
            bundles: claimed,
            deviceInfo: isObject(deviceInfo) ? deviceInfo : undefined,
            metadata: isObject(metadata) ? metadata : undefined,
        },
        now,
    );
    return done;
}

function isDeviceInfo(value: unknown): boolean {
    if (!isObject(value)) return false;
    return Object.entries(value).every(([field, text]) => deviceInfoFields.includes(field) && typeof text === "string");
}

function unmanage(device: ManagedDevice, _d: Record<string, unknown>, { now }: RequestOptions): Answer {
    if (!device.isActive(now)) return { rc: 404, message: "The device is not managed." };
    device.unmanage();
    return done;
}

function updateLocation(device: ManagedDevice, d: Record<string, unknown>): Answer {
    const { latitude, longitude, elevation, accuracy, measuredDateTime, updatedDateTime } = d;
    if (!isWithin(latitude, 90) || !isWithin(longitude, 180)) return bad("latitude and longitude must be given in degrees.");
    if (![elevation, accuracy].every((value) => value === undefined || isNumber(value)))
        return bad("elevation and accuracy must be numbers.");
    if (![measuredDateTime, updatedDateTime].every((value) => value === undefined || isDateTime(value))) {
        return bad("measuredDateTime and updatedDateTime must be ISO 8601.");
    }
    device.locate(d);
    return done;
}

function addErrorCode(device: ManagedDevice, { errorCode }: Record<string, unknown>): Answer {
    if (!isNumber(errorCode) || !Number.isInteger(errorCode)) return bad("errorCode must be a whole number.");
    device.addErrorCode(errorCode);
    return done;
}

function clearErrorCodes(device: ManagedDevice): Answer {
    device.clearErrorCodes();
    return done;
}

function addLog(device: ManagedDevice, { message, timestamp, severity, data }: Record<string, unknown>): Answer {
    if (typeof message !== "string") return bad("message must be a string.");
    if (typeof timestamp !== "string" || !isDateTime(timestamp)) return bad("timestamp must be ISO 8601.");
    if (severity !== undefined && severity !== 0 && severity !== 1 && severity !== 2) return bad("severity must be 0, 1 or 2.");
    if (data !== undefined && (typeof data !== "string" || !/^[A-Za-z0-9+/]*={0,2}$/.test(data))) return bad("data must be base64.");
    device.addLogEntry({ message, timestamp, ...(severity === undefined ? {} : { severity }), ...(data === undefined ? {} : { data }) });
    return done;
}

function clearLog(device: ManagedDevice): Answer {
    device.clearLog();
    return done;
}

function notify(device: ManagedDevice, d: Record<string, unknown>): Answer {
    const read = readNotify(d, device.firmware);
    if ("rc" in read) return read;
    if (!device.observed) return { rc: 404, message: "mgmt.firmware is not observed." };
    device.setFirmware(read);
    return done;
}

function isNumber(value: unknown): value is number {
    return typeof value === "number" && Number.isFinite(value);
}

function isWithin(value: unknown, limit: number): boolean {
    return isNumber(value) && Math.abs(value) <= limit;
}

function isDateTime(value: unknown): boolean {
    return typeof value === "string" && /^\d{4}-\d\d-\d\d/.test(value) && !Number.isNaN(Date.parse(value));
}
