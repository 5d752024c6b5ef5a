import assert from "node:assert/strict";
import { readdirSync, readFileSync } from "node:fs";
import path from "node:path";
import { errorTable } from "../../src/errors";
import { brokenLinks, documentLinks, linksOf } from "../support/markdown";

const inFolder = readdirSync("docs").filter((name) => name.endsWith(".md"));
const documents = ["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", ...inFolder.map((name) => path.join("docs", name))];
const textOf = (document: string): string => readFileSync(document, "utf8");

describe("docs/troubleshooting.md", () => {
    it("docs/troubleshooting.md lists exactly the errors of the error table, with the same text and a remedy each", () => {
        const rows = [...textOf("docs/troubleshooting.md").matchAll(/^\| `(GW_\w+)` \| (\w+) \| ([^|]+) \| [^|]+ \|$/gm)].map(
            ([, code, scope, meaning]) => [code, { scope, meaning }],
        );
        const table = Object.entries(errorTable).map(([code, { scope, meaning }]) => [code, { scope, meaning }]);
        assert.deepEqual(Object.fromEntries(rows), Object.fromEntries(table));
    });
});

describe("README.md", () => {
    it("README.md names the two commands of a fresh clone", () => {
        for (const command of ["npm ci && npm start", "npm ci && npm test"]) assert.ok(textOf("README.md").includes(command), command);
    });

    it("README.md links to every other document", () => {
        const reached = linksOf(textOf("README.md")).map(({ file }) => path.normalize(file));
        assert.deepEqual(
            documents.filter((document) => document !== "README.md" && !reached.includes(document)),
            [],
        );
    });
});

describe("the documents", () => {
    it("documents link only to existing files and headings", () => {
        const links = documentLinks(".", documents);
        assert.ok(links.length > 20);
        assert.ok(links.some(({ anchor }) => anchor !== undefined));
        assert.deepEqual(brokenLinks(".", links), []);
    });
});

describe("test/support/README.md", () => {
    it("test/support/README.md names every file that tests share, and no other", () => {
        const page = textOf("test/support/README.md");
        const shared = ["", "doubles/", "drivers/"].flatMap((folder) =>
            readdirSync(path.join("test/support", folder))
                .filter((name) => name.endsWith(".ts"))
                .map((name) => `${folder}${name}`),
        );
        const named = [...page.matchAll(/`((?:doubles\/|drivers\/)?[\w-]+\.ts)`/g)].map(([, file = ""]) => file);
        assert.deepEqual([...new Set(named)].sort(), shared.sort());
    });

    it("a double imports no driver", () => {
        const doubles = readdirSync("test/support/doubles").map((name) => path.join("test/support/doubles", name));
        assert.ok(doubles.length > 10);
        assert.deepEqual(
            doubles.filter((file) => /from "[^"]*\/drivers\//.test(textOf(file))),
            [],
        );
    });
});
