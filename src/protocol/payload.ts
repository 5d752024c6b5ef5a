import { describeThrown, GatewayError } from "../errors";
import { shortened, translate } from "../i18n";
import { isTooDeep } from "./json";
import { findLoss, mayLose, typedArraysAsArrays } from "./json-loss";

/**
 * A flow's payload in the bytes or text of a format.
 *
 * `json`: objects, arrays, numbers, booleans and null are encoded; a string that already is a JSON object or array goes
 * unchanged; any other string becomes a JSON string; a Buffer goes as it is. `text`: string, number or boolean.
 * `bin`: Buffer, or a string as UTF-8. Any other format: string, Buffer or number. The bytes of a Buffer are copied: the flow may
 * change its own while the event waits.
 * @throws GW_INVALID_PAYLOAD for anything else, also for what JSON cannot express (a circular object, BigInt, a getter that throws)
 */
export function encodePayload(payload: unknown, format: string, options: EncodeOptions = {}): EncodedPayload {
    switch (format) {
        case "json":
            return encodeJson(payload, options);
        case "text":
            if (typeof payload === "string") return payload;
            if (typeof payload === "number" || typeof payload === "boolean") return String(payload);
            throw unsuitable(translate("protocol.payloadText", { value: describe(payload) }));
        case "bin":
            if (typeof payload === "string") return payload;
            if (Buffer.isBuffer(payload)) return Buffer.from(payload);
            throw unsuitable(translate("protocol.payloadBin", { value: describe(payload) }));
        default:
            if (typeof payload === "string") return payload;
            if (Buffer.isBuffer(payload)) return Buffer.from(payload);
            if (typeof payload === "number") return String(payload);
            throw unsuitable(translate("protocol.payloadOther", { value: describe(payload), format }));
    }
}

/**
 * What makes a node of the same settings write the very same bytes. Of `json` the value, if that does, else the text of an object or array,
 * else a Buffer; of `text` a string; of any other format what was sent.
 */
export function returnedPayload(written: EncodedPayload, format: string, options: ReturnOptions): unknown {
    if (format === "text") return String(written);
    if (format !== "json") return written;
    const bytes = Buffer.from(written);
    const text = textOf(written);
    // A time that no payload has by chance shows whether a field would be added.
    const isSame = (payload: unknown) => bytes.equals(Buffer.from(encodePayload(payload, format, { ...options, time: "" })));
    if (text === undefined) return bytes;
    try {
        const value: unknown = JSON.parse(text);
        if (!mayBeClonedBadly(text) && isSame(value)) return value;
        return parseObjectOrArray(text) !== undefined && isSame(text) ? text : bytes;
    } catch {
        return bytes;
    }
}

/** How many bytes an encoded payload takes on the wire. */
export function payloadBytes(payload: EncodedPayload): number {
    return typeof payload === "string" ? Buffer.byteLength(payload) : payload.length;
}

/** What goes on the wire: text is kept as a string, which is encoded as UTF-8 only once, when it is sent. */
export type EncodedPayload = string | Buffer;

/** How a payload is encoded, beside its format. */
export interface EncodeOptions {
    /** Wrap a JSON payload as `{"d": …}`, unless it already is an object with a `d`. */
    readonly wrap?: boolean;
    /**
     * The JSON field that gets `time`, unless it is there already; empty = none. Where there is a `d`, the field is inside it; with `wrap` on,
     * only if that is an object.
     */
    readonly timestampField?: string;
    /** ISO 8601 time at which the message entered the gateway. */
    readonly time?: string;
}

/** The settings of the node that wrote a payload. */
export type ReturnOptions = Required<Pick<EncodeOptions, "wrap" | "timestampField">>;

const utf8 = new TextDecoder("utf-8", { fatal: true });

function textOf(written: EncodedPayload): string | undefined {
    if (typeof written === "string") return written;
    try {
        return utf8.decode(written);
    } catch {
        return undefined;
    }
}

/** Whether Node-RED would not clone the value faithfully for a Catch node. */
function mayBeClonedBadly(text: string): boolean {
    return text.includes("__proto__") || isTooDeep(text);
}

function encodeJson(payload: unknown, options: EncodeOptions): EncodedPayload {
    if (Buffer.isBuffer(payload)) return Buffer.from(payload);
    const parsed = typeof payload === "string" ? parseObjectOrArray(payload) : undefined;
    if (parsed !== undefined && typeof payload === "string") return decorateText(payload, parsed, options);
    let text: string | undefined;
    try {
        const decorated = decorate(payload, options);
        text = JSON.stringify(decorated);
        if (text !== undefined && mayLose(payload, text)) text = faithfulText(payload, decorated, text);
    } catch (thrown) {
        if (thrown instanceof GatewayError) throw thrown;
        const error = describeThrown(thrown);
        throw new GatewayError("GW_INVALID_PAYLOAD", translate("protocol.payloadUnwritable", { error }), { cause: thrown });
    }
    if (text === undefined) throw unsuitable(translate("protocol.payloadJson", { value: describe(payload) }));
    return text;
}

/** The text again, with typed arrays as arrays. A value that JSON would lose is an error. */
function faithfulText(payload: unknown, decorated: unknown, text: string): string {
    const found = findLoss(payload);
    if (!("path" in found)) return found.hasTypedArray ? JSON.stringify(decorated, typedArraysAsArrays) : text;
    const path = shortened(`payload${found.path}`, maxPathCharacters);
    throw unsuitable(translate(lossTexts[found.kind], { path, value: found.value }));
}

const lossTexts = { number: "protocol.payloadFinite", object: "protocol.payloadLoss" } as const;
const maxPathCharacters = 200;

/** Adds to JSON text without rewriting it, because numbers beyond a double's precision would not survive that. */
function decorateText(text: string, parsed: object, { wrap, timestampField, time }: EncodeOptions): string {
    if (Object.hasOwn(parsed, "d") && hasMembers(parsed) && hasMembers(parsed.d)) {
        const stamped = withTimestamp(parsed.d, timestampField, time);
        return stamped === parsed.d ? text : JSON.stringify({ ...parsed, d: stamped });
    }
    if (wrap && Object.hasOwn(parsed, "d") && hasMembers(parsed)) return text;
    let result = text;
    if (timestampField && time !== undefined && hasMembers(parsed) && !Object.hasOwn(parsed, timestampField)) {
        const member = `${JSON.stringify(timestampField)}:${JSON.stringify(time)}`;
        result = text.replace("{", () => (Object.keys(parsed).length > 0 ? `{${member},` : `{${member}`));
    }
    return wrap ? `{"d":${result}}` : result;
}

function decorate(value: unknown, { wrap, timestampField, time }: EncodeOptions): unknown {
    // A value JSON leaves out (undefined, a function, a symbol) must stay one, or wrapping would turn it into an empty {}.
    if (value === undefined || typeof value === "function" || typeof value === "symbol") return value;
    const hasD = hasMembers(value) && Object.hasOwn(value, "d");
    if (hasD && hasMembers(value.d)) return { ...value, d: withTimestamp(value.d, timestampField, time) };
    if (hasD && wrap) return value;
    const stamped = withTimestamp(value, timestampField, time);
    return wrap ? { d: stamped } : stamped;
}

function withTimestamp(value: unknown, field: string | undefined, time: string | undefined): unknown {
    if (!field || time === undefined || !hasMembers(value)) return value;
    // A date or a decimal number writes itself: its members are not what JSON would hold.
    const members: unknown = typeof value.toJSON === "function" ? JSON.parse(JSON.stringify(value)) : value;
    return hasMembers(members) && !Object.hasOwn(members, field) ? { ...members, [field]: time } : value;
}

/** Whether JSON would write it as an object. */
function hasMembers(value: unknown): value is Record<string, unknown> {
    return typeof value === "object" && value !== null && !Array.isArray(value) && !ArrayBuffer.isView(value);
}

function parseObjectOrArray(text: string): object | undefined {
    if (!/^[ \t\r\n]*[{[]/.test(text)) return undefined;
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

function unsuitable(text: string): GatewayError {
    return new GatewayError("GW_INVALID_PAYLOAD", text);
}

function describe(payload: unknown): string {
    if (payload === undefined) return translate("value.missing");
    if (payload === null || typeof payload === "number") return String(payload);
    return Array.isArray(payload) ? translate("value.array") : translate("value.ofType", { type: typeof payload });
}
