import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const page = readFileSync("docs/conformance.md", "utf8");

describe("docs/conformance.md", () => {
    const rows = [...page.matchAll(/^\| (\d+) \| .+ \| (.+) \|$/gm)].map(([, number, tests = ""]) => ({ number: Number(number), tests }));

    it("lists each of the seventy cases once", () => {
        assert.deepEqual(
            rows.map(({ number }) => number),
            Array.from({ length: 70 }, (_, index) => index + 1),
        );
    });

    it("names only tests that exist", () => {
        for (const { number, tests } of rows) {
            for (const named of tests.split("<br>")) {
                const [, file, words = ""] = /^`([\w/-]+)`: (.+)$/.exec(named) ?? [];
                assert.ok(file, `case ${number}: ${named}`);
                assert.ok(readFileSync(`test/${file}.test.ts`, "utf8").includes(words), `case ${number}: ${named}`);
            }
        }
    });
});
