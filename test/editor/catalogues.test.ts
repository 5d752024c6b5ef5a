import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { languages, nodeTypes, readCatalogue, readForm, readSharedScripts, readTemplate, root } from "../support/drivers/editor-forms";

/** The code that may name a text or show one. */
function runtime(): string[] {
    return ["nodes", path.join("src", "node-red")].flatMap((folder) =>
        readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" })
            .filter((name) => name.endsWith(".ts"))
            .map((name) => readFileSync(path.join(root, folder, name), "utf8")),
    );
}

/** Everything that may name a text: the forms, their shared scripts, the runtime and what tests a connection. */
function sources(): string {
    const test = readFileSync(path.join(root, "src", "connection", "connection-test.ts"), "utf8");
    return [...nodeTypes.map(readForm), ...nodeTypes.map(readTemplate), readSharedScripts(), ...runtime(), test].join("\n");
}

describe("catalogues", () => {
    const reference = new Map(nodeTypes.map((type) => [type, readCatalogue("en-US", type)]));

    it("contain every key that a form names", () => {
        for (const type of nodeTypes) {
            const named = [...(readForm(type) + readTemplate(type)).matchAll(/(?:data-i18n="(?:\[\w+\])?|_\(\s*")([\w.-]+)"/g)].map(
                (match) => match[1] ?? "",
            );
            assert.ok(named.length > 0);
            for (const key of named) assert.ok(reference.get(type)?.has(key), `${type} names ${key}`);
        }
    });

    it("contain no unused text", () => {
        const text = sources();
        // Their names are put together by the forms, from names that stand in the code.
        const prefixes: Record<string, string[]> = {
            rule: ["rule.", ""],
            test: [""],
            label: ["label.", ""],
            tab: [""],
            placeholder: [""],
            option: ["option."],
        };
        for (const catalogue of reference.values()) {
            for (const key of catalogue.keys()) {
                const [, group = "", name] = key.split(".");
                // Compared with the runtime by tests of their own.
                if (group === "status" || group === "message") continue;
                const isNamed = (prefixes[group] ?? []).some((prefix) => text.includes(`"${prefix}${name}"`));
                assert.ok(text.includes(key) || isNamed, `${key} is not used`);
            }
        }
    });

    it("contain every text that a form or a node shows", () => {
        const shown = /\.(?:text|html|append|notify|placeholder)\(\s*(["'`])(?!<)[^"'`]*[A-Za-z]{2}/;
        const scripts = [...nodeTypes.map(readForm), readSharedScripts()].map((script) => script.replaceAll("forms.text(", ""));
        for (const script of scripts) assert.doesNotMatch(script, shown);
        const attributes = /\.attr\(\s*"(?:title|placeholder|aria-label)",\s*"/;
        for (const script of scripts) assert.doesNotMatch(script, attributes);
        const showing = runtime().filter((code) => /\.status\(\w/.test(code.replaceAll("response.status(", "")));
        assert.equal(showing.length, 1, "statuses are shown in one place, which takes keys of the catalogue");
        assert.ok(showing[0]?.includes("class StatusReporter"));
    });

    it("the same status has the same text in every node", () => {
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

    it("the choices of a select are short enough to be shown whole", () => {
        const columns = (text: string) => text.length + (text.match(/[\u3000-\u9fff\uff00-\uffef]/g) ?? []).length;
        for (const language of languages) {
            for (const type of nodeTypes) {
                for (const [key, text] of readCatalogue(language, type)) {
                    if (key.startsWith(`${type}.option.`)) assert.ok(columns(text) <= 41, `${language}: ${key}`);
                }
            }
        }
    });

    for (const language of languages) {
        it(`the catalogues in ${language} are complete, with the same parameters`, () => {
            for (const [type, catalogue] of reference) {
                const translated = readCatalogue(language, type);
                assert.deepEqual([...translated.keys()], [...catalogue.keys()]);
                for (const [key, value] of translated) {
                    assert.ok(value.trim().length > 0, key);
                    const parameters = (text: string | undefined) => (text?.match(/__\w+__/g) ?? []).sort();
                    assert.deepEqual(parameters(value), parameters(catalogue.get(key)), `${language}: ${key}`);
                    if (key.includes(".status.")) {
                        const limit = value.includes("__") ? 50 : 20;
                        assert.ok(value.length <= limit, `${language}: ${key} is too long for a status`);
                        assert.doesNotMatch(value, /[<>&]/);
                    }
                }
            }
        });
    }

    it("the translated catalogues have no text left in English", () => {
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
