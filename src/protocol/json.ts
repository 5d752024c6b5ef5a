/** The deepest nesting that is passed on: what is nested deeper cannot be cloned safely by recursive code such as Node-RED's. */
export const maxJsonDepth = 100;

/** Whether a value is an object with named members: not null, not an array, not bytes. */
export function isRecord(value: unknown): value is Record<string, unknown> {
    return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

/** The named members of a value from outside; none when it is no object. */
export function membersOf(value: unknown): Readonly<Record<string, unknown>> {
    return isRecord(value) ? value : {};
}

/** A JSON object as it was received: its members, and the text they were read from. */
export interface JsonObject {
    readonly members: Record<string, unknown>;
    readonly text: string;
}

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** The JSON object that the bytes are the UTF-8 text of, or undefined for anything else or one nested too deeply. Never throws. */
export function parseJsonObject(payload: Uint8Array): JsonObject | undefined {
    try {
        const text = utf8.decode(payload);
        const members = parseMembers(text);
        return members && { members, text };
    } catch {
        return undefined;
    }
}

/** The members of the JSON object that a text holds, or undefined for anything else or one nested too deeply. Never throws. */
export function parseMembers(text: string): Record<string, unknown> | undefined {
    try {
        if (isTooDeep(text)) return undefined;
        const value: unknown = JSON.parse(text);
        return isRecord(value) ? value : undefined;
    } catch {
        return undefined;
    }
}

/**
 * The source text of a member of a JSON object, exactly as it was written: `1e3` stays `1e3` and a number beyond a double's
 * precision keeps all digits. Of members with the same name the last counts, as for `JSON.parse`. `text` must be valid JSON.
 */
export function memberSource(text: string, name: string): string | undefined {
    let source: string | undefined;
    let depth = 0;
    let valueStart = -1;
    let found = false;
    for (let index = 0; index < text.length; index++) {
        const character = text[index];
        if (character === '"') {
            const end = endOfString(text, index);
            if (depth === 1 && valueStart < 0) found = JSON.parse(text.slice(index, end)) === name;
            index = end - 1;
        } else if (character === ":" && depth === 1) {
            valueStart = index + 1;
        } else if ((character === "," || character === "}") && depth === 1) {
            if (found && valueStart >= 0) source = text.slice(valueStart, index).trim();
            valueStart = -1;
            found = false;
        }
        if (character === "{" || character === "[") depth++;
        else if (character === "}" || character === "]") depth--;
    }
    return source;
}

/** Whether JSON text is nested deeper than `maxJsonDepth`. Of text that is not JSON the answer means nothing. */
export function isTooDeep(text: string): boolean {
    // Each level takes two brackets.
    if (text.length <= 2 * maxJsonDepth) return false;
    let depth = 0;
    for (let index = 0; index < text.length; index++) {
        const character = text[index];
        if (character === '"') index = endOfString(text, index) - 1;
        else if (character === "{" || character === "[") depth++;
        else if (character === "}" || character === "]") depth--;
        if (depth > maxJsonDepth) return true;
    }
    return false;
}

/** The index after the closing quote of the string that starts at `start`. */
function endOfString(text: string, start: number): number {
    let index = start + 1;
    while (index < text.length && text[index] !== '"') index += text[index] === "\\" ? 2 : 1;
    return index + 1;
}
