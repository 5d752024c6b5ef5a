import { isRecord } from "../../src/protocol/json";

/** The value as an object with named members; anything else is an error. */
export function requireRecord(value: unknown): Record<string, unknown> {
    if (!isRecord(value)) throw new Error(`not an object: ${JSON.stringify(value)}`);
    return value;
}

/** The member at the end of a path; undefined where the path ends early. */
export function memberOf(value: unknown, ...path: string[]): unknown {
    return path.reduce((current: unknown, name) => Reflect.get(Object(current), name), value);
}

/** The code of the error in a message of a Catch node. */
export function codeOf(message: Record<string, unknown>): unknown {
    return memberOf(message, "error", "code");
}

/** The text of the error in a message of a Catch node. */
export function errorTextOf(message: Record<string, unknown>): string {
    return String(memberOf(message, "error", "message"));
}
