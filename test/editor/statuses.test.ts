import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { nodeTypes, readCatalogue, root } from "../support/editor-forms";

/** The files whose statuses only one type of node shows. */
const owners: Readonly<Record<string, string>> = { "responder-status.ts": "dm-responder" };

/** The keys below `status.` that the runtime can show on a type: those it names, and each of them with a backlog. */
function shownKeys(type: string): { plain: Set<string>; queued: Set<string> } {
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
    return {
        plain: new Set(words.map((match) => match[1] ?? match[2] ?? "")),
        queued: new Set(["connecting", "connected", "disconnected", "notAuthorised", "tls", "network", "takenOver", "stalled"]),
    };
}

describe("statuses", () => {
    for (const type of nodeTypes) {
        const { plain, queued } = shownKeys(type);

        it(`of ${type} have a text each, and no text is without a status`, () => {
            const prefix = `${type}.status.`;
            const written = [...readCatalogue("en-US", type).keys()].filter((key) => key.startsWith(prefix));
            const names = written.map((key) => key.slice(prefix.length));
            for (const key of plain) assert.ok(names.includes(key), `${type} has no text for ${key}`);
            for (const key of queued) assert.ok(names.includes(`${key}Queued`), `${type} has no text for ${key}Queued`);
            for (const name of names) {
                assert.ok(plain.has(name) || queued.has(name.replace(/Queued$/, "")), `nothing shows ${name}`);
            }
        });
    }
});
