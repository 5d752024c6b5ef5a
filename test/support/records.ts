/** Whether a value is an object with named members. */
export function isRecord(value: unknown): value is Record<string, unknown> {
    return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** The value as an object with named members; anything else is an error. */
export function requireRecord(value: unknown): Record<string, unknown> {
    if (!isRecord(value)) throw new Error(`not an object: ${JSON.stringify(value)}`);
    return value;
}
