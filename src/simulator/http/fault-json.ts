import type { Fault } from "../faults";
import { isObject } from "../json";

type FieldType = "string" | "number" | "boolean";

/** The fields of each fault: those it must have and those it may have, beside the ones that say whom it concerns. */
const fieldsByFault: Readonly<Record<Fault["fault"], { must?: Record<string, FieldType>; may?: Record<string, FieldType> }>> = {
    withholdPuback: {},
    delayPuback: { must: { delayMs: "number" } },
    refusePublish: { must: { rc: "number" }, may: { message: "string" } },
    refuseSubscribe: {},
    withholdSuback: {},
    refuseConnect: { must: { returnCode: "number" } },
    closeAfter: { must: { packets: "number" } },
    blackHole: {},
    strayPing: {},
    registration: { must: { devices: "string" }, may: { rc: "number", delayMs: "number", never: "boolean" } },
    management: { may: { device: "string", rc: "number", delayMs: "number", never: "boolean" } },
    repeatRequest: { may: { device: "string" } },
};

const scope: Record<string, FieldType> = { clientId: "string", topic: "string", times: "number" };

/** Whether a parsed JSON value is a fault, with its fields of the right types and no others. */
export function isFault(value: unknown): value is Fault {
    if (!isObject(value)) return false;
    const { fault, ...fields } = value;
    const known = Object.entries(fieldsByFault).find(([name]) => name === fault)?.[1];
    if (!known) return false;
    const { must = {}, may = {} } = known;
    const types: Record<string, FieldType> = { ...scope, ...may, ...must };
    const isTyped = Object.entries(fields).every(([name, field]) => Object.hasOwn(types, name) && typeof field === types[name]);
    return isTyped && Object.keys(must).every((name) => name in fields);
}
