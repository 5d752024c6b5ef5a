import assert from "node:assert/strict";
import { readdirSync, readFileSync, statSync } from "node:fs";
import path from "node:path";
import { sentencesOf, wordsIn } from "../support/markdown";

/** The files and folders whose English is checked. */
const shown = ["nodes/locales/en-US", "plugins/locales/en-US", "examples"];
const places = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "docs", "resources", "src", ...shown];

/** Phrases that a native engineer would not write, each with a better one. */
const replacements: Readonly<Record<string, string>> = {
    anew: "again, or reopen and reconnect",
    whoever: "the sender, the caller",
    told: "reported, notified",
    "comes about": "is established",
    "by itself": "automatically",
    "in words": "as text, readable",
    "for ever": "indefinitely",
    "so many": "a limited number of",
};

const maxWords = 25;

const files = places
    .flatMap((place) =>
        statSync(place).isDirectory()
            ? readdirSync(place, { recursive: true, encoding: "utf8" }).map((name) => path.join(place, name))
            : [place],
    )
    .filter((file) => /\.(md|ts|json|html|js|mjs)$/.test(file));

/** Finds a phrase in any case, also where a line of prose or of a comment breaks within it. */
function occurrencesOf(phrase: string, text: string): number {
    return [...text.matchAll(new RegExp(`\\b${phrase.replace(" ", "[\\s*/]+")}\\b`, "gi"))].length;
}

/** What a user reads of a catalogue, a help or an example, not the code of its functions. */
function shownTexts(file: string): string[] {
    const content = readFileSync(file, "utf8");
    if (!file.endsWith(".json")) return [content];
    const texts: string[] = [];
    JSON.parse(content, (key, value: unknown) => {
        if (typeof value === "string" && key !== "func") texts.push(value);
        return value;
    });
    return texts;
}

/** The names of tests in a file, and of the suites they stand in. */
function titlesOf(file: string): { kind: string; title: string }[] {
    const calls = readFileSync(file, "utf8").matchAll(/\b(describe|it|suite\.test)\(\s*(?:"((?:[^"\\]|\\.)*)"|`((?:[^`\\]|\\.)*)`)/g);
    return [...calls].map(([, kind = "", text, template]) => ({ kind, title: text ?? template ?? "" }));
}

describe("the English of the project", () => {
    for (const [phrase, better] of Object.entries(replacements)) {
        it(`does without "${phrase}": ${better}`, () => {
            assert.deepEqual(
                files.filter((file) => occurrencesOf(phrase, readFileSync(file, "utf8")) > 0),
                [],
            );
        });
    }

    it(`has documents with sentences of at most ${maxWords} words`, () => {
        const sentences = files
            .filter((file) => file.endsWith(".md"))
            .flatMap((file) => sentencesOf(readFileSync(file, "utf8")).map((sentence) => ({ file, sentence })));
        assert.ok(sentences.length > 100);
        assert.deepEqual(
            sentences.filter(({ sentence }) => wordsIn(sentence) > maxWords),
            [],
        );
    });

    it(`shows users sentences of at most ${maxWords} words: labels, errors, help and examples`, () => {
        const sentences = files
            .filter((file) => shown.some((place) => file.startsWith(path.normalize(place))))
            .flatMap((file) =>
                shownTexts(file)
                    .flatMap((text) => text.split(/\n|(?<=[.!?]) /))
                    .map((sentence) => ({ file, sentence })),
            );
        assert.ok(sentences.length > 700);
        assert.deepEqual(
            sentences.filter(({ sentence }) => wordsIn(sentence) > maxWords),
            [],
        );
    });

    it("counts the words of sentences in paragraphs and list items", () => {
        const markdown = "# Title\n\nOne two `three four` [five](x.md). Six\nseven – eight.\n\n* Nine.\n* Ten\n\n| eleven |\n";
        assert.deepEqual(sentencesOf(markdown).map(wordsIn), [4, 3, 1, 1]);
    });

    it("finds phrases across line breaks and regardless of case", () => {
        assert.equal(occurrencesOf("by itself", "Reconnects by\n * itself. By itself, too."), 2);
        assert.equal(occurrencesOf("told", "The tolder of Toldo"), 0);
    });

    describe("in the names of tests", () => {
        const titles = readdirSync("test", { recursive: true, encoding: "utf8" })
            .filter((name) => name.endsWith(".test.ts"))
            .flatMap((name) => titlesOf(path.join("test", name)).map((title) => ({ name, ...title })));

        it("finds the names", () => assert.ok(titles.length > 1000));

        it("does without the same phrases in names of tests", () => {
            const phrases = Object.keys(replacements);
            assert.deepEqual(
                titles.filter(
                    ({ title }) => !title.startsWith("does without") && phrases.some((phrase) => occurrencesOf(phrase, title) > 0),
                ),
                [],
            );
        });

        it("has names of tests that can be read alone, not clauses that continue the name of their suite", () => {
            assert.deepEqual(
                titles.filter(({ kind, title }) => kind !== "describe" && /^(and|are|have|of|that|were|which|whose)\b/.test(title)),
                [],
            );
        });
    });
});
