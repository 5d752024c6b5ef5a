/** A call that takes a text from the catalogue. */
export interface TranslateCall {
    readonly key: string;
    /** The names of the parameters of the text. */
    readonly parameters: readonly string[];
}

/** Every `translate("key", { … })` in the code whose key stands there; spread parameters are not followed. */
export function translateCalls(code: string): TranslateCall[] {
    return [...code.matchAll(/\btranslate\(\s*"([\w.]+)"/g)].map((match) => {
        const rest = argumentsAfter(code, match.index + match[0].length);
        const object = /^,\s*\{([\s\S]*)\}\s*,?\s*$/.exec(rest)?.[1] ?? "";
        return { key: match[1] ?? "", parameters: propertyNames(object) };
    });
}

/** What stands between `start` and the parenthesis that ends the call. */
function argumentsAfter(code: string, start: number): string {
    let depth = 1;
    let end = start;
    for (; depth > 0 && end < code.length; end += 1) {
        if ("([{".includes(code.charAt(end))) depth += 1;
        else if (")]}".includes(code.charAt(end))) depth -= 1;
    }
    return code.slice(start, end - 1);
}

function propertyNames(object: string): string[] {
    let depth = 0;
    const parts = [""];
    for (const character of object) {
        if ("([{".includes(character)) depth += 1;
        else if (")]}".includes(character)) depth -= 1;
        if (character === "," && depth === 0) parts.push("");
        else parts[parts.length - 1] += character;
    }
    return parts.map((part) => /^\s*(\w+)/.exec(part)?.[1]).filter((name) => name !== undefined);
}
