import assert from "node:assert/strict";
import { existsSync, readFileSync } from "node:fs";
import { errorTable } from "../../src/errors";

const readme = readFileSync("README.md", "utf8");

describe("README", () => {
    it("lists exactly the errors of the error table, in the same words", () => {
        const rows = [...readme.matchAll(/^\| `(GW_\w+)` \| (\w+) \| (.+) \|$/gm)].map(([, code, scope, meaning]) => [
            code,
            { scope, meaning },
        ]);
        assert.deepEqual(Object.fromEntries(rows), errorTable);
    });

    it("links only to files that exist", () => {
        const links = [...readme.matchAll(/\]\(([^)#]+)\)/g)]
            .map(([, target]) => target ?? "")
            .filter((target) => !target.startsWith("http"));
        assert.ok(links.length > 5);
        assert.deepEqual(
            links.filter((target) => !existsSync(target)),
            [],
        );
    });
});
