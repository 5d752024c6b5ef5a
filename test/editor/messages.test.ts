import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { readCatalogue, root } from "../support/drivers/editor-forms";
import { translateCalls } from "../support/translate-calls";

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

/** Where sentences stand that no catalogue can hold. */
const exempt: ReadonlySet<string> = new Set([
    // What the codes mean, for the documents.
    "src/errors",
    // SQL.
    "src/outbox/store/sqlite-file",
    "src/outbox/store/undelivered-table",
    "src/outbox/store/sqlite-schema",
    // Help of the metrics, English as all of Prometheus' is.
    "src/node-red/admin/prometheus",
    // For MQTT.js alone.
    "src/connection/mqtt-client",
    // Answers to the platform, whose own words are English.
    "src/protocol/management",
    "src/management/device-firmware",
    "src/management/platform-requests",
    "src/management/request-dispatcher",
    "src/management/request-rules",
    // What the simulated platform says.
    "src/gateway/monitor/simulator-control",
]);

describe("texts of errors, warnings and log lines", () => {
    it("the code uses every text of the catalogue", () => {
        const code = files.map((file) => file.code).join("\n");
        const unused = [...texts.keys()].filter((key) => !code.includes(`"${key}"`));
        assert.deepEqual(unused, []);
    });

    it("the code fills exactly the places of each text", () => {
        const all = files.flatMap(({ name, code }) => translateCalls(code).map((call) => ({ name, ...call })));
        assert.ok(all.length > 5);
        for (const { name, key, parameters } of all) {
            const places = [...(texts.get(key) ?? "").matchAll(/__([a-zA-Z]+)__/g)].map((match) => match[1] ?? "");
            assert.deepEqual([...parameters].sort(), [...new Set(places)].sort(), `${name}: ${key}`);
        }
    });

    it("the code takes every error, warning and log line from the catalogue", () => {
        const sentence = /(["`])(?:(?!\1)[^\n])*?[A-Za-z]+,? [a-z]+,? [a-z]+(?:(?!\1)[^\n])*\1/g;
        const found = files
            .filter(({ name }) => !exempt.has(name.replace(/\.ts$/, "").split(path.sep).join("/")))
            .flatMap(({ name, code }) => [...code.matchAll(sentence)].map((match) => `${name}: ${match[0]}`));
        assert.deepEqual(found, []);
    });
});
