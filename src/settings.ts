import { GatewayError } from "./errors";
import { type TextKey, translate } from "./i18n";

/** What errors show in place of the value of a property that must not be shown: the text with the variables that it comes from. */
export const shownAs: unique symbol = Symbol("shownAs");

/** The properties of a node as they are stored, or as a form holds them. */
export interface Properties {
    readonly [name: string]: unknown;
    readonly [shownAs]?: Readonly<Record<string, string>>;
}

/**
 * A text that refers to variables: `${NAME}` anywhere in it, or `$(NAME)` and nothing else. In a text that begins with `{`, which
 * is JSON, there are none. The groups hold the first name.
 */
export const variablePattern = /^\$\((\S+)\)$|^(?!\s*\{).*?\$\{([^{}\s]+)\}/s;

/** A text or a checkbox with its default. */
export interface DefaultRule<T extends string | boolean> {
    readonly fallback: T;
}

/** One of a list of words, and the default. */
export interface ChoiceRule<T extends string> extends DefaultRule<T> {
    readonly choices: readonly T[];
}

/** The bounds of a number; with `above` it must be greater than `min`, not just equal; with `whole` it must be a whole number. */
export type NumberRule = {
    readonly fallback?: number;
    readonly min: number;
    readonly max: number;
} & ({ readonly above?: true; readonly whole?: never } | { readonly above?: never; readonly whole?: true });

/** The properties of a node type that have bounds, choices or a default. The build hands these rules to the forms. */
export type PropertyRules = Readonly<Record<string, NumberRule | ChoiceRule<string> | DefaultRule<string | boolean>>>;

/** A text with the values of its variables in their places. A variable that `lookUp` does not know stays as it is. */
export function fillVariables(text: string, lookUp: (name: string) => unknown): string {
    if (!variablePattern.test(text)) return text;
    return text.replace(/^\$\((\S+)\)$|\$\{([^{}\s]+)\}/g, (place, inParentheses?: string, braced?: string) =>
        String(lookUp(inParentheses ?? braced ?? "") ?? place),
    );
}

/**
 * A property as it is stored. Node-RED leaves the name of a variable that is not set in place of its value, which would pass for
 * a name in many places.
 * @throws GW_CONFIG when its value is to come from a variable that is not set
 */
export function givenOption(properties: Properties, name: string): unknown {
    const value = properties[name];
    const [, inParentheses, braced] = (typeof value === "string" && variablePattern.exec(value)) || [];
    const variable = inParentheses ?? braced;
    if (variable === undefined) return value;
    throw new GatewayError("GW_CONFIG", translate("option.environment", { property: name, variable }));
}

/**
 * One of a list of words; missing or blank is the fallback.
 * @throws GW_CONFIG
 */
export function choiceOption<T extends string>(properties: Properties, name: string, { choices, fallback }: ChoiceRule<T>): T {
    const value = givenOption(properties, name);
    if (isBlank(value)) return fallback;
    const choice = choices.find((candidate) => candidate === value);
    if (choice !== undefined) return choice;
    throw new GatewayError(
        "GW_CONFIG",
        translate("option.choice", { property: name, value: show(properties, name), choices: choices.join(", ") }),
    );
}

/**
 * A number, also as the string an environment variable gives; missing or blank is the fallback.
 * @throws GW_CONFIG
 */
export function numberOption(properties: Properties, name: string, rule: NumberRule & { readonly fallback: number }): number {
    const value = givenOption(properties, name);
    if (isBlank(value)) return rule.fallback;
    const number =
        typeof value === "number" ? value : typeof value === "string" && /^\s*\d+(\.\d+)?\s*$/.test(value) ? Number(value) : Number.NaN;
    const tooSmall = rule.above ? number <= rule.min : number < rule.min;
    if (Number.isFinite(number) && !tooSmall && number <= rule.max && (!rule.whole || Number.isInteger(number))) return number;
    throw new GatewayError(
        "GW_CONFIG",
        translate(ruleText(rule), { property: name, value: show(properties, name), min: rule.min, max: rule.max }),
    );
}

/**
 * A boolean, also as the string an environment variable gives; missing or blank is the fallback.
 * @throws GW_CONFIG
 */
export function booleanOption(properties: Properties, name: string, { fallback }: DefaultRule<boolean>): boolean {
    const value = givenOption(properties, name);
    if (isBlank(value)) return fallback;
    if (value === true || value === "true") return true;
    if (value === false || value === "false") return false;
    throw new GatewayError("GW_CONFIG", translate("option.boolean", { property: name, value: show(properties, name) }));
}

/**
 * A text; missing is the fallback, blank stays blank.
 * @throws GW_CONFIG when it is not a string or number
 */
export function textOption(properties: Properties, name: string, fallback = ""): string {
    const value = givenOption(properties, name);
    if (value === undefined || value === null) return fallback;
    if (typeof value === "string") return value;
    if (typeof value === "number") return String(value);
    throw new GatewayError("GW_CONFIG", translate("option.text", { property: name, value: show(properties, name) }));
}

/** An address, or what was entered as one, without the password that may stand before an `@` and the parameters after a `?`. */
export function withoutSecrets(address: string): string {
    return address.replace(/^([a-z][a-z\d+.-]*:\/\/)?.*@/is, "$1…@").replace(/\?.*/s, "?…");
}

function ruleText({ above, whole }: NumberRule): TextKey {
    if (whole) return "option.wholeNumber";
    return above ? "option.numberAbove" : "option.number";
}

function isBlank(value: unknown): boolean {
    return value === undefined || value === null || (typeof value === "string" && value.trim() === "");
}

/** A property as errors show it. */
function show(properties: Properties, name: string): string {
    const value = properties[name];
    const shown = properties[shownAs]?.[name];
    if (shown !== undefined) return JSON.stringify(shown);
    if (typeof value === "string") return JSON.stringify(value.slice(0, 60));
    return typeof value === "number" || typeof value === "boolean" ? String(value) : translate("value.ofType", { type: typeof value });
}
