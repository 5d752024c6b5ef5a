// The forms run this file in the browser, so it imports only what runs there too.
import { isLegalId, ownLevelRule } from "./id-rules";

/** What every template may name: the gateway's own ids. */
const gatewayNames = ["orgId", "gatewayTypeId", "gatewayId"] as const;
/** What else a template may name: the ids of the device and of the message. */
const messageNames = {
    event: ["typeId", "deviceId", "eventId", "format"],
    command: ["typeId", "deviceId", "commandId", "format"],
} as const;
/** What a template must name. */
const requiredNames = { event: ["deviceId"], command: ["commandId", "deviceId"] } as const;

/** The topics that blank templates stand for. Protocol, sections Events and Commands. */
export const platformTemplates: Readonly<Record<TemplateKind, string>> = {
    event: "iot-2/type/{typeId}/id/{deviceId}/evt/{eventId}/fmt/{format}",
    command: "iot-2/type/{typeId}/id/{deviceId}/cmd/{commandId}/fmt/{format}",
};

/** What a template may name, as it is written there. */
export function templateNames(kind: TemplateKind): string {
    return [...gatewayNames, ...messageNames[kind]].map((name) => `{${name}}`).join(", ");
}

/** Mosquitto accepts 200 levels. With at most 255 bytes each, no topic reaches the 65535 bytes of MQTT. */
const maxLevels = 128;

/** A topic in which names in braces stand for ids: `sensors/{deviceId}/telemetry`. The gateway's own ids are filled in already. */
export class TopicTemplate {
    readonly #levels: readonly Level[];
    readonly #start: string;
    readonly #parts: readonly { readonly name: MessageName; readonly textAfter: string }[];

    private constructor(levels: readonly Level[]) {
        this.#levels = levels;
        let start = "";
        const parts: { name: MessageName; textAfter: string }[] = [];
        for (const piece of levels.flatMap((level, index) => (index === 0 ? level : ["/", ...level]))) {
            const last = parts.at(-1);
            if (typeof piece === "object") parts.push({ name: piece.name, textAfter: "" });
            else if (last) last.textAfter += piece;
            else start += piece;
        }
        this.#start = start;
        this.#parts = parts;
    }

    /** Reads a template; a blank one stands for the platform's topics. */
    static parse(kind: TemplateKind, text: string, gateway: TemplateGateway): TopicTemplate | TemplateFault {
        const levels: Level[] = [];
        for (const source of (text === "" ? platformTemplates[kind] : text).split("/")) {
            const level = parseLevel(kind, source, gateway);
            if ("fault" in level) return level;
            levels.push(level);
        }
        const [first = []] = levels;
        if (canBeShared(first) || levels.length > maxLevels) return { fault: "badLevel", value: text };
        const template = new TopicTemplate(levels);
        const missing = requiredNames[kind].filter((name) => !template.names(name));
        return missing.length === 0 ? template : { fault: "missingName", value: missing.map((name) => `{${name}}`).join(", ") };
    }

    /** Whether topics name this. */
    names(name: MessageName): boolean {
        return this.#parts.some((part) => part.name === name);
    }

    /** Whether topics begin with this id. */
    beginsWith(name: MessageName): boolean {
        return this.#start === "" && this.#parts[0]?.name === name;
    }

    /** The topic with these ids; none that the template names may be missing. */
    topic(values: TopicValues): string {
        let topic = this.#start;
        for (const { name, textAfter } of this.#parts) topic += values[name] + textAfter;
        return topic;
    }

    /** The filter for topics with these ids, whatever the others are. Only for templates whose names are whole levels. */
    filter(values: TopicValues): string {
        return this.#levels.map(([piece = ""]) => (typeof piece === "object" ? (values[piece.name] ?? "+") : piece)).join("/");
    }

    /**
     * The ids in a topic that was split into its levels, or undefined when it is not of this template. The inverse of `topic`. Only for
     * templates whose names are whole levels.
     */
    parse(levels: readonly string[]): TopicValues | undefined {
        if (levels.length !== this.#levels.length) return undefined;
        const values: Partial<Record<MessageName, string>> = {};
        for (const [index, [piece]] of this.#levels.entries()) {
            const level = levels[index];
            if (!level || piece === undefined) return undefined;
            const expected = typeof piece === "object" ? (values[piece.name] ?? level) : piece;
            if (level !== expected) return undefined;
            if (typeof piece === "object") values[piece.name] = level;
        }
        return values;
    }

    /**
     * A topic of this template of events that a filter of the template of commands matches, or undefined when there is none. The
     * gateway would receive such an event as a command.
     * @param examples the ids of that topic where any will do
     */
    topicMatchedBy(commands: TopicTemplate, examples: TopicValues): string | undefined {
        if (this.#levels.length !== commands.#levels.length) return undefined;
        const literals: string[] = [];
        const patterns: string[] = [];
        const found = new Set<MessageName>();
        const patternOfPiece = (piece: Piece): string => {
            if (typeof piece === "string") return piece.replace(/[\\^$.*+?()[\]{}|/]/g, "\\$&");
            const { name } = piece;
            // An id has the same value wherever it stands.
            if (found.has(name)) return `\\k<${name}>`;
            found.add(name);
            const mayBeServersOwn = !this.beginsWith(name) && !commands.beginsWith(name);
            return `(?<${name}>${mayBeServersOwn ? "" : "(?!\\$)"}[^/]+)`;
        };
        for (const [index, level] of this.#levels.entries()) {
            const wanted = commands.#levels[index]?.[0] ?? "";
            if (index === 0 && isServersOwn(wanted) !== isServersOwn(level[0] ?? "")) return undefined;
            if (typeof wanted === "object") continue;
            literals.push(wanted);
            patterns.push(level.map(patternOfPiece).join(""));
        }
        const match = new RegExp(`^${patterns.join("/")}$`, "su").exec(literals.join("/"));
        return match ? this.topic({ ...examples, ...match.groups }) : undefined;
    }
}

export type TemplateKind = keyof typeof messageNames;

type GatewayName = (typeof gatewayNames)[number];

type MessageName = (typeof messageNames)[TemplateKind][number];

/** The ids of a gateway, as templates name them. */
export type TemplateGateway = Readonly<Record<GatewayName, string>>;

/** Ids by name; a template takes those that it names. */
export type TopicValues = Readonly<Partial<Record<MessageName, string>>>;

/** What is wrong with a template. `value` is the part that is wrong, or the names that are missing. */
export interface TemplateFault {
    readonly fault: "unknownName" | "missingName" | "partialLevel" | "badLevel";
    readonly value: string;
}

/** A piece of a level: text, or a name that stands for an id. */
type Piece = string | { readonly name: MessageName };
/** At least one piece; no two neighbours are texts. */
type Level = readonly Piece[];

function parseLevel(kind: TemplateKind, source: string, gateway: TemplateGateway): Level | TemplateFault {
    const pieces: Piece[] = [];
    const parts = source.split(/(\{[^{}]*\})/).filter((part) => part !== "");
    for (const part of parts) {
        const name = part.slice(1, -1);
        const isName = part.startsWith("{") && part.endsWith("}");
        const last = pieces.at(-1);
        if (isName && isMessageName(kind, name)) {
            pieces.push({ name });
            continue;
        }
        if (/[{}]/.test(part) && !(isName && isGatewayName(name))) return { fault: "unknownName", value: isName ? part : source };
        const text = isName && isGatewayName(name) ? gateway[name] : part;
        if (typeof last === "string") pieces[pieces.length - 1] = last + text;
        else pieces.push(text);
    }
    if (kind === "command" && parts.length > 1 && source.includes("{")) return { fault: "partialLevel", value: source };
    const texts = pieces.map((piece) => (typeof piece === "object" ? "x" : piece)).join("");
    return isLegalId(texts, ownLevelRule) ? pieces : { fault: "badLevel", value: source };
}

function isGatewayName(name: string): name is GatewayName {
    return gatewayNames.some((known) => known === name);
}

function isMessageName(kind: TemplateKind, name: string): name is MessageName {
    return messageNames[kind].some((known) => known === name);
}

/** Whether a topic that begins so can be one of a shared subscription: `$share/…`. */
function canBeShared([text, ...others]: Level): boolean {
    if (typeof text !== "string" || !text.startsWith("$")) return false;
    return others.length === 0 ? text === "$share" : "$share".startsWith(text);
}

/** Topics that begin with `$` are the server's own: wildcards do not reach them, and no id may begin a topic so. */
function isServersOwn(firstPiece: Piece): boolean {
    return typeof firstPiece === "string" && firstPiece.startsWith("$");
}
