import { isObject } from "../json";
import { type Action, findAction, type Parameter } from "./actions";

/** A valid request that has not been started. */
export interface RequestOrder {
    name: string;
    action: Action;
    parameters: Parameter[];
    devices: { typeId: string; deviceId: string }[];
    timeoutSeconds: number;
    /** Cancels a firmware request that is running on the device; without it, the new request fails there. */
    override: boolean;
}

const firmwareNames = ["version", "name", "uri", "verifier"];
const maxDevices = 5000;
const maxTimeoutSeconds = 7 * 24 * 3600;

/** Reads the body of a request. Returns a string that says what is wrong if it is not valid. */
export function readOrder(body: unknown, timeout: string | null, override: string | null): RequestOrder | string {
    if (!isObject(body) || typeof body.action !== "string") return "action must be a string.";
    const action = findAction(body.action);
    if (!action) return `There is no action ${body.action}.`;
    const { parameters = [], devices } = body;
    if (!Array.isArray(parameters) || !parameters.every(isParameter)) return "parameters must be an array of name and value.";
    if (action.isFirmware && !parameters.every(isFirmwareParameter))
        return `The parameters of firmware are ${firmwareNames.join(", ")}, all strings.`;
    if (!Array.isArray(devices) || devices.length === 0 || !devices.every(isDeviceName))
        return "devices must be an array of typeId and deviceId.";
    if (devices.length > maxDevices) return `A request takes at most ${maxDevices} devices; these are ${devices.length}.`;
    const timeoutSeconds = Number(timeout ?? body.timeout ?? 60);
    if (!(timeoutSeconds > 0 && timeoutSeconds <= maxTimeoutSeconds)) return `timeout must be from 1 to ${maxTimeoutSeconds} seconds.`;
    return {
        name: body.action,
        action,
        parameters,
        devices,
        timeoutSeconds,
        override: (override ?? body.override) === "true" || body.override === true,
    };
}

function isParameter(value: unknown): value is Parameter {
    return isObject(value) && typeof value.name === "string" && "value" in value;
}

function isFirmwareParameter({ name, value }: Parameter): boolean {
    return firmwareNames.includes(name) && typeof value === "string";
}

function isDeviceName(value: unknown): value is { typeId: string; deviceId: string } {
    return isObject(value) && typeof value.typeId === "string" && typeof value.deviceId === "string";
}
