import { isObject } from "../json";
import { type Answer, bad } from "./answer";
import type { Firmware } from "./managed-device";

const textFields = ["version", "name", "uri", "verifier", "updatedDateTime"] as const;
const lastState = 2;
const lastUpdateStatus = 6;

/** The states that may follow a state: the next one, idle, or the same one. */
const following: Readonly<Record<number, readonly number[]>> = { 0: [0, 1], 1: [0, 1, 2], 2: [0, 2] };

/** Reads the body of a notify, in its present or its old form. Returns the firmware after it, or the refusal. */
export function readNotify(d: Record<string, unknown>, current: Firmware): Firmware | Answer {
    const fields: unknown[] = Array.isArray(d.fields) ? d.fields : "field" in d ? [d] : [];
    if (fields.length === 0) return bad("fields must be an array of field and value.");
    let firmware = current;
    for (const entry of fields) {
        if (!isObject(entry) || typeof entry.field !== "string") return bad("Each entry of fields must name its field.");
        if (entry.field !== "mgmt.firmware") return { rc: 404, message: `${entry.field} is not observed.` };
        if (!isObject(entry.value)) return bad("The value of mgmt.firmware must be an object.");
        const next = readStep(entry.value, firmware);
        if ("rc" in next) return next;
        firmware = next;
    }
    return firmware;
}

/** A device's full description of its firmware; `undefined` if it breaks the rules. */
export function readFirmwareValue(value: Record<string, unknown>): Firmware | undefined {
    const read = applyFirmware(value, { version: "", name: "", uri: "", verifier: "", state: 0, updateStatus: 0, updatedDateTime: "" });
    return "rc" in read ? undefined : read;
}

function readStep(value: Record<string, unknown>, current: Firmware): Firmware | Answer {
    const next = applyFirmware(value, current);
    if ("rc" in next || following[current.state]?.includes(next.state)) return next;
    return bad(`state ${next.state} cannot follow state ${current.state}.`);
}

function applyFirmware(value: Record<string, unknown>, current: Firmware): Firmware | Answer {
    const { state = current.state, updateStatus = current.updateStatus } = value;
    if (!isStep(state, lastState)) return bad("state must be 0, 1 or 2.");
    if (!isStep(updateStatus, lastUpdateStatus)) return bad("updateStatus must be a whole number from 0 to 6.");
    const next = { ...current, state, updateStatus };
    for (const field of textFields) {
        const text = value[field];
        if (text !== undefined && typeof text !== "string") return bad(`${field} must be a string.`);
        if (text !== undefined) next[field] = text;
    }
    return next;
}

function isStep(value: unknown, last: number): value is number {
    return typeof value === "number" && Number.isInteger(value) && value >= 0 && value <= last;
}
