import fc from "fast-check";

const names = fc.constantFrom("a", "b", "c", "");
const firstNames = fc.constantFrom("a", "b", "$SYS");

function levels(first: fc.Arbitrary<string>, further: fc.Arbitrary<string>): fc.Arbitrary<string[]> {
    return fc.tuple(first, fc.array(further, { maxLength: 3 })).map(([head, tail]) => [head, ...tail]);
}

/** Topics of few different names, so that filters match often. */
export const topicArbitrary = levels(firstNames, names).map((parts) => parts.join("/"));

/** Filters over the same names, with wildcards. */
export const filterArbitrary = fc.oneof(
    fc
        .tuple(levels(fc.oneof(firstNames, fc.constant("+")), fc.oneof(names, fc.constant("+"))), fc.boolean())
        .map(([parts, open]) => (open ? [...parts, "#"] : parts).join("/")),
    fc.constant("#"),
);

/** All topics of up to four levels over the names above: enough to tell any two of the filters apart. */
export const allTopics: readonly string[] = enumerate();

function enumerate(): string[] {
    const topics: string[] = [];
    let grown: string[] = ["a", "b", "$SYS", "other"];
    for (let depth = 1; depth <= 5; depth++) {
        topics.push(...grown);
        grown = grown.flatMap((topic) => ["a", "b", "c", "", "other"].map((name) => `${topic}/${name}`));
    }
    return topics;
}
