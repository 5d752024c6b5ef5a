import assert from "node:assert/strict";
import { existsSync, readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { errorTable } from "../../src/errors";

const readme = readFileSync("README.md", "utf8");

describe("README", () => {
    it("lists exactly the errors of the error table, in the same words, each with what to do", () => {
        const rows = [...readme.matchAll(/^\| `(GW_\w+)` \| (\w+) \| ([^|]+) \| [^|]+ \|$/gm)].map(([, code, scope, meaning]) => [
            code,
            { scope, meaning },
        ]);
        assert.deepEqual(Object.fromEntries(rows), errorTable);
    });
});

describe("README and the documents", () => {
    const inFolder = readdirSync("docs").filter((name) => name.endsWith(".md"));
    const documents = ["README.md", "CONTRIBUTING.md", "SECURITY.md", ...inFolder.map((name) => path.join("docs", name))];
    const linksOf = (document: string): string[] =>
        [...readFileSync(document, "utf8").matchAll(/\]\(([^)#]+)\)/g)]
            .map(([, target]) => target ?? "")
            .filter((target) => !target.startsWith("http"))
            .map((target) => path.join(path.dirname(document), target));

    it("link only to files that exist", () => {
        const links = documents.flatMap(linksOf);
        assert.ok(links.length > 20);
        assert.deepEqual(
            links.filter((target) => !existsSync(target)),
            [],
        );
    });

    it("lead from the README to every document", () => {
        const reached = linksOf("README.md");
        assert.deepEqual(
            documents.slice(1).filter((document) => !reached.includes(document)),
            [],
        );
    });
});
