import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { connectionCauses } from "../../src/connection/reason";
import { languages, nodeTypes, readCatalogue, root } from "../support/drivers/editor-forms";

/** The files whose statuses only one type of node shows. */
const owners: Readonly<Record<string, string>> = { "dm-responder.ts": "dm-responder", "device-command-in.ts": "device-command-in" };

/** The keys below `status.` that the runtime can show on a type, and those that tell of a backlog. */
function shownKeys(type: string): Set<string> {
    const folder = path.join(root, "src", "node-red");
    const code = readdirSync(folder)
        .filter((name) => name.endsWith(".ts") && (owners[name] ?? type) === type)
        .map((name) => readFileSync(path.join(folder, name), "utf8"))
        .join("\n");
    const reasons = readFileSync(path.join(folder, "gateway-status.ts"), "utf8");
    const words = [
        ...code.matchAll(/\bfill: "\w+".* key: (?:.*\?\? )?"(\w+)"/g),
        ...reasons.matchAll(/^\s+GW_\w+: "(\w+)",$|\?\? "(\w+)"/gm),
    ];
    return new Set([...words.map((match) => match[1] ?? match[2] ?? ""), ...connectionCauses, "queued", "queuedHigh", "drainingHigh"]);
}

describe("statuses", () => {
    for (const language of languages) {
        it(`every status in ${language} starts with at most 20 characters of fixed text, followed by numbers and ids`, () => {
            const texts = nodeTypes.flatMap((type) => [...readCatalogue(language, type)]).filter(([key]) => key.includes(".status."));
            assert.ok(texts.length > 100);
            for (const [key, text] of texts) {
                const own = text.replace(/^__status__/, "");
                assert.ok(own.replace(/__\w+?__/g, "").trim().length <= 20, `${key}: ${text}`);
                assert.match(own, /^[^_]*\p{L}[^_]*($|__.*__[^\p{L}]*$)/u, `${key}: ${text}`);
            }
        });
    }

    for (const type of nodeTypes) {
        it(`each status of ${type} has a text, and each text a status`, () => {
            const prefix = `${type}.status.`;
            const written = [...readCatalogue("en-US", type).keys()].filter((key) => key.startsWith(prefix));
            assert.deepEqual(written.map((key) => key.slice(prefix.length)).sort(), [...shownKeys(type)].sort());
        });
    }
});
