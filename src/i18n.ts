import catalogue from "../nodes/locales/en-US/gateway-config.json";

const english = catalogue["gateway-config"].message;

type Words = typeof english;

/** The name of a text: `area.name`, below `gateway-config.message` in the catalogues of nodes/locales/. */
export type TextKey = { [Area in keyof Words]: `${Area}.${string & keyof Words[Area]}` }[keyof Words];

/** What fills the places of a text, by name: `__host__` is filled by `host`. */
export type TextParameters = Readonly<Record<string, string | number>>;

/** Gives the text of a catalogue key, its places not filled; the key itself where there is none. */
export type Translator = (key: string) => string;

const root = "gateway-config.message.";
const englishTexts = new Map(
    Object.entries(english).flatMap(([area, texts]) => Object.entries(texts).map(([name, text]) => [`${area}.${name}`, text])),
);

let translator: Translator | undefined;
const found = new Map<string, string>();

/** Sets where the texts come from from now on. Node-RED has one language per process, so there is one for the package. */
export function setTranslator(from: Translator | undefined): void {
    translator = from;
    found.clear();
}

/**
 * A text of the package in the language of the server, or in English where there is none: every error, warning and log line. What
 * fills its places is put in as it is, whatever it contains.
 */
export function translate(key: TextKey, parameters: TextParameters = {}): string {
    return templateOf(key).replace(/__([a-zA-Z]+)__/g, (place, name: string) =>
        Object.hasOwn(parameters, name) ? String(parameters[name]) : place,
    );
}

/** Puts sentences one after the other, as the language does: with a blank between them, but not after a full-width stop. */
export function joinSentences(sentences: readonly string[]): string {
    return sentences.reduce((text, sentence) => (text.endsWith("。") ? text + sentence : `${text} ${sentence}`));
}

/** The text, cut to at most `maxCharacters` UTF-16 units and marked with "…" if it is longer. Never splits a surrogate pair. */
export function shortened(text: string, maxCharacters: number): string {
    if (text.length <= maxCharacters) return text;
    const splitsPair = /^[\ud800-\udbff][\udc00-\udfff]$/.test(text.slice(Math.max(0, maxCharacters - 1), maxCharacters + 1));
    return `${copied(text.slice(0, splitsPair ? maxCharacters - 1 : maxCharacters))}…`;
}

/** The same text in memory of its own: a piece of a string keeps the whole of it, such as a topic or a payload. */
export function copied(text: string): string {
    return Buffer.from(text, "utf16le").toString("utf16le");
}

function templateOf(key: TextKey): string {
    const known = found.get(key);
    if (known !== undefined) return known;
    const text = lookUp(root + key);
    // While Node-RED is still loading catalogues it answers with the key.
    if (text === undefined || text.endsWith(root + key)) return englishTexts.get(key) ?? key;
    found.set(key, text);
    return text;
}

/** Never throws: an error must be reported even if its translation fails. */
function lookUp(name: string): string | undefined {
    try {
        return translator?.(name);
    } catch {
        return undefined;
    }
}
