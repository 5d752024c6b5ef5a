/** Part of every token that the tests use, and of nothing else. */
export const secretMarker = "qX7vK2mZ9tRw4LpB";

/** A token that is found wherever it should not be. */
export const secretToken = `token-${secretMarker}`;

/** The marker in each form that a careless program would write. */
const forms: readonly (readonly [name: string, text: string])[] = [
    ["as it is", secretMarker],
    ["in hexadecimal", Buffer.from(secretMarker).toString("hex")],
    ["percent-encoded", [...Buffer.from(secretMarker)].map((byte) => `%${byte.toString(16)}`).join("")],
    ["in UTF-16", Buffer.from(secretMarker, "utf16le").toString("latin1")],
    ...[0, 1, 2].map((before) => ["in base64", base64Within(before)] as const),
];

/** The characters that the marker makes in base64 with this number of bytes, modulo three, before it. */
function base64Within(before: number): string {
    const encoded = Buffer.from(`${"x".repeat(before)}${secretMarker}`)
        .toString("base64")
        .replace(/=+$/, "");
    const start = Math.ceil((before * 8) / 6);
    const end = Math.floor(((before + secretMarker.length) * 8) / 6);
    return encoded.slice(start, end);
}

/** The forms in which a text contains the secret. */
export function secretsIn(text: string): string[] {
    const lowerCase = text.toLowerCase();
    const isThere = ([name, form]: readonly [string, string]) =>
        name === "in hexadecimal" || name === "percent-encoded" ? lowerCase.includes(form) : text.includes(form);
    return forms.filter(isThere).map(([name]) => name);
}

/**
 * Fails when any of the texts contains the secret.
 * @throws an error that names the place, the form, and what stands before it
 */
export function assertNoSecrets(texts: Iterable<readonly [place: string, text: string]>): void {
    const found: string[] = [];
    for (const [place, text] of texts) {
        const names = secretsIn(text);
        const at = text.indexOf(secretMarker);
        const before = at < 0 ? "" : `, after ${JSON.stringify(text.slice(Math.max(at - 80, 0), at))}`;
        if (names.length > 0) found.push(`${place} contains a secret ${names.join(" and ")}${before}`);
    }
    if (found.length > 0) throw new Error(found.join("\n"));
}
