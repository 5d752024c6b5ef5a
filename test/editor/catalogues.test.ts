import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { languages, nodeTypes, readCatalogue, readForm, readSharedScripts, root } from "../support/editor-forms";

/** Everything that may name a text: the forms, their shared script and the runtime. */
function sources(): string {
    const folders = ["nodes", path.join("src", "node-red")].filter((folder) => existsSync(path.join(root, folder)));
    const runtime = folders.flatMap((folder) =>
        readdirSync(path.join(root, folder))
            .filter((name) => name.endsWith(".ts"))
            .map((name) => readFileSync(path.join(root, folder, name), "utf8")),
    );
    return [...nodeTypes.map(readForm), readSharedScripts(), ...runtime].join("\n");
}

/** Whether the forms use a key: literally, or as one of the keys that a template literal can make. */
function isUsed(key: string, text: string, patterns: RegExp[]): boolean {
    return text.includes(key) || patterns.some((pattern) => pattern.test(key));
}

describe("catalogues", () => {
    const reference = new Map(nodeTypes.map((type) => [type, readCatalogue("en-US", type)]));

    it("know every key that a form names", () => {
        for (const type of nodeTypes) {
            const named = [...readForm(type).matchAll(/(?:data-i18n="(?:\[\w+\])?|_\(\s*")([\w.-]+)"/g)].map((match) => match[1] ?? "");
            assert.ok(named.length > 0);
            for (const key of named) assert.ok(reference.get(type)?.has(key), `${type} names ${key}`);
        }
    });

    it("have no text that nothing uses", () => {
        const text = sources();
        const patterns = [...text.matchAll(/`((?:[a-z]+-)+[a-z]+\.[\w.]*)\$\{[^`]*\}`/g)].map(
            (match) => new RegExp(`^${(match[1] ?? "").replaceAll(".", "\\.")}[\\w-]+$`),
        );
        for (const [type, catalogue] of reference) {
            for (const key of catalogue.keys()) {
                const [, group, name] = key.split(".");
                if (group === "status") continue;
                const byHelper =
                    group === "rule"
                        ? text.includes(`"${name}"`) || text.includes(`"rule.${name}"`)
                        : group === "label" && readForm(type).includes(`"label.${name}"`);
                assert.ok(byHelper || isUsed(key, text, patterns), `${key} is not used`);
            }
        }
    });

    it("use the same words for the same status in every node", () => {
        for (const language of languages) {
            const words = new Map<string, string>();
            for (const type of nodeTypes) {
                for (const [key, value] of readCatalogue(language, type)) {
                    const [, group, name] = key.split(".");
                    if (group !== "status" || !name) continue;
                    assert.equal(words.get(name) ?? value, value, `${language}: ${key}`);
                    words.set(name, value);
                }
            }
        }
    });

    for (const language of languages) {
        it(`are complete in ${language}, with the same parameters`, () => {
            for (const [type, catalogue] of reference) {
                const translated = readCatalogue(language, type);
                assert.deepEqual([...translated.keys()], [...catalogue.keys()]);
                for (const [key, value] of translated) {
                    assert.ok(value.trim().length > 0, key);
                    const parameters = (text: string | undefined) => (text?.match(/__\w+__/g) ?? []).sort();
                    assert.deepEqual(parameters(value), parameters(catalogue.get(key)), `${language}: ${key}`);
                    if (key.includes(".status.")) {
                        const limit = value.includes("__") ? 40 : 20;
                        assert.ok(value.length <= limit, `${language}: ${key} is too long for a status`);
                        assert.doesNotMatch(value, /[<>&]/);
                    }
                }
            }
        });
    }

    it("say in every language what they say in English", () => {
        const sameEverywhere = /\.(port|transport|qos|format|host|brokerHost|metadata|name|status|token)$/;
        for (const language of languages.slice(1)) {
            for (const [type, catalogue] of reference) {
                const translated = readCatalogue(language, type);
                const same = [...catalogue].filter(([key, value]) => translated.get(key) === value && !sameEverywhere.test(key));
                assert.ok(same.length <= 6, `${language}: ${type} is not translated: ${same.map(([key]) => key).join(", ")}`);
            }
        }
    });
});
