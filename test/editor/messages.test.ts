import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { readCatalogue, root } from "../support/editor-forms";
import { sayings } from "../support/sayings";

const prefix = "gateway-config.message.";

/** The code that speaks to users: all but the simulator, which is a tool of its own. */
const files = ["src", "nodes"]
    .flatMap((folder) => readdirSync(path.join(root, folder), { recursive: true, encoding: "utf8" }).map((name) => path.join(folder, name)))
    .filter((name) => name.endsWith(".ts") && !name.startsWith(path.join("src", "simulator")))
    .map((name) => ({ name, code: withoutComments(readFileSync(path.join(root, name), "utf8")) }));

const texts = new Map(
    [...readCatalogue("en-US", "gateway-config")]
        .filter(([key]) => key.startsWith(prefix))
        .map(([key, text]) => [key.slice(prefix.length), text]),
);

function withoutComments(code: string): string {
    return code.replace(/^\s*(\/\*\*?|\*|\/\/).*$/gm, "");
}

describe("errors, warnings and log lines", () => {
    it("use every text of the catalogue", () => {
        const code = files.map((file) => file.code).join("\n");
        const unused = [...texts.keys()].filter((key) => !code.includes(`"${key}"`));
        assert.deepEqual(unused, []);
    });

    it("fill exactly the places that their text has", () => {
        const all = files.flatMap(({ name, code }) => sayings(code).map((saying) => ({ name, ...saying })));
        assert.ok(all.length > 5);
        for (const { name, key, parameters } of all) {
            const places = [...(texts.get(key) ?? "").matchAll(/__([a-zA-Z]+)__/g)].map((match) => match[1] ?? "");
            assert.deepEqual([...parameters].sort(), [...new Set(places)].sort(), `${name}: ${key}`);
        }
    });

    it("take all their words from the catalogue", () => {
        // The meaning of a code is for the README; a metric's help is English as all of Prometheus' is; SQL is no text.
        const exempt = /^src[\\/](errors|outbox[\\/]sqlite-\w+|node-red[\\/]prometheus)\.ts$/;
        const sentence = /(["`])(?:(?!\1)[^\n])*?[A-Za-z]+,? [a-z]+,? [a-z]+(?:(?!\1)[^\n])*\1/g;
        const found = files
            .filter(({ name }) => !exempt.test(name))
            .flatMap(({ name, code }) => [...code.matchAll(sentence)].map((match) => `${name}: ${match[0]}`));
        assert.deepEqual(found, []);
    });
});
