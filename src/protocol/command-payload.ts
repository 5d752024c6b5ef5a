import { describeThrown, GatewayError } from "../errors";
import { translate } from "../i18n";
import { isTooDeep, maxJsonDepth } from "./json";

/** How the payload of a command is handed to the flow; `auto` decides by the command's format. */
export type CommandDatatype = "auto" | "json" | "utf8" | "buffer";

/** Every datatype, as the node's `datatype` property offers them. */
export const commandDatatypes: readonly CommandDatatype[] = ["auto", "json", "utf8", "buffer"];

const textFormats = new Set(["text", "txt", "csv", "xml"]);
const strictUtf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });

/**
 * The payload of a command as a flow wants it. `auto`: json is parsed; text, txt, csv and xml become strings; bin stays a
 * Buffer; any other format is a string when it is valid UTF-8, else a Buffer. Without a format, which a topic need not name, a JSON
 * object or array is parsed as well. Each call makes a value of its own, so that no flow
 * changes another's.
 * @throws GW_BAD_COMMAND when the bytes are not what the datatype promises
 */
export function decodeCommandPayload(bytes: Buffer, format: string | undefined, datatype: CommandDatatype): unknown {
    switch (datatype === "auto" ? datatypeOf(format) : datatype) {
        case "json":
            return parseJson(bytes);
        case "utf8":
            return parseUtf8(bytes, format ?? "utf8");
        case "buffer":
            return Buffer.from(bytes);
        default:
            if (!isUtf8(bytes)) return Buffer.from(bytes);
            return format === undefined ? jsonOrText(bytes.toString()) : bytes.toString();
    }
}

function datatypeOf(format: string | undefined): CommandDatatype {
    if (format === "json") return "json";
    if (format !== undefined && textFormats.has(format)) return "utf8";
    return format === "bin" ? "buffer" : "auto";
}

function parseJson(bytes: Buffer): unknown {
    try {
        const text = strictUtf8.decode(bytes);
        // Node-RED clones messages by recursion: a command of 65 000 brackets would end the process.
        if (!isTooDeep(text)) return JSON.parse(text);
    } catch (thrown) {
        throw new GatewayError("GW_BAD_COMMAND", translate("protocol.commandNoJson", { error: describeThrown(thrown) }), { cause: thrown });
    }
    throw new GatewayError("GW_BAD_COMMAND", translate("protocol.commandTooDeep", { maxLevels: maxJsonDepth }));
}

/** A JSON object or array as its value, any other text as it is. */
function jsonOrText(text: string): unknown {
    if (!/^\s*[[{]/.test(text) || isTooDeep(text)) return text;
    try {
        return JSON.parse(text);
    } catch {
        return text;
    }
}

function parseUtf8(bytes: Buffer, format: string): string {
    if (isUtf8(bytes)) return bytes.toString();
    throw new GatewayError("GW_BAD_COMMAND", translate("protocol.commandNoText", { format }));
}

function isUtf8(bytes: Buffer): boolean {
    try {
        strictUtf8.decode(bytes);
        return true;
    } catch {
        return false;
    }
}
