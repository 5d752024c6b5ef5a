import { GatewayError } from "../errors";
import { copied, translate } from "../i18n";
import { type GatewayTopics, platformNaming, unnamedTypeId } from "./gateway-topics";
import { type IdName, isLegalId, replaceId } from "./id-rules";
import { idText, parseId } from "./identity";

/** Every policy, as the `idRule` property offers them. */
export const idPolicies: readonly IdPolicy[] = ["strict", "replace"];

/** The id of an event whose topic names none, where the flow gives none. */
const fallbacks: Partial<Record<IdName, string>> = { typeId: unnamedTypeId, eventId: "event" };

/** Each replacement is announced once; beyond this number the oldest are forgotten. */
const maxAnnounced = 10_000;

/** Reads the ids that flows give, by the rules of a gateway. */
export class IdParser {
    readonly #topics: NamingTopics;
    readonly #policy: IdPolicy;
    readonly #replaced: (id: string, text: string) => void;
    readonly #announced = new Set<string>();

    /** @param replaced called once for each id that takes the place of another text */
    constructor(topics: NamingTopics, policy: IdPolicy, replaced: (id: string, text: string) => void = () => undefined) {
        this.#topics = topics;
        this.#policy = policy;
        this.#replaced = replaced;
    }

    /**
     * An id of an event as a string. One that the topics of events do not name may be missing.
     * @param shownAs the name of the property in errors
     * @throws GW_INVALID_ID
     */
    ofEvent(name: IdName, value: unknown, shownAs: string = name): string {
        const isMissing = value === undefined || value === null || value === "";
        const fallback = isMissing && !this.#topics.eventNames.has(name) ? fallbacks[name] : undefined;
        return fallback ?? this.parse(name, value, shownAs);
    }

    /**
     * An id that commands must have, as a string.
     * @throws GW_INVALID_ID; GW_CONFIG when the topics of commands do not name it
     */
    ofCommand(name: IdName, value: unknown): string {
        if (this.#topics.commandNames.has(name)) return this.parse(name, value);
        throw new GatewayError("GW_CONFIG", translate("option.topicLacks", { property: name }));
    }

    /**
     * An id as a string.
     * @throws GW_INVALID_ID
     */
    parse(name: IdName, value: unknown, shownAs: string = name): string {
        const rule = this.#topics.rules[name];
        // A format says how to read the payload: another one would lie.
        const text = this.#policy === "replace" && name !== "format" ? idText(value) : undefined;
        if (!text) return parseId(value, shownAs, rule);
        if (isLegalId(text, rule)) return text;
        const id = replaceId(text, rule);
        this.#announce(id, text);
        return id;
    }

    #announce(id: string, text: string): void {
        // The hash at its end distinguishes it.
        const key = id.slice(-60);
        if (this.#announced.has(key)) return;
        this.#announced.add(copied(key));
        const [oldest] = this.#announced;
        if (this.#announced.size > maxAnnounced && oldest !== undefined) this.#announced.delete(oldest);
        this.#replaced(id, text);
    }
}

/** What becomes of an id with illegal characters: it fails, or a legal one takes its place. */
export type IdPolicy = "strict" | "replace";

/** What the parser needs of the topics of a gateway. */
type NamingTopics = Pick<GatewayTopics, "rules" | "eventNames" | "commandNames">;

/** The rules of the platform, for a node whose gateway is not known. */
export const platformIds = new IdParser(platformNaming, "strict");
