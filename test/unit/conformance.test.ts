import assert from "node:assert/strict";
import { readFileSync } from "node:fs";

const page = readFileSync("docs/conformance.md", "utf8");

describe("the page about what is tested of the protocol", () => {
    const rows = [...page.matchAll(/^\| (\d+) \| .+ \| (.+) \|$/gm)].map(([, number, tests = ""]) => ({ number: Number(number), tests }));

    it("has each of the seventy cases once", () => {
        assert.deepEqual(
            rows.map(({ number }) => number),
            Array.from({ length: 70 }, (_, index) => index + 1),
        );
    });

    it("names only tests that are there", () => {
        for (const { number, tests } of rows) {
            for (const named of tests.split("<br>")) {
                const [, file, words = ""] = /^`([\w/-]+)`: (.+)$/.exec(named) ?? [];
                assert.ok(file, `case ${number}: ${named}`);
                assert.ok(readFileSync(`test/${file}.test.ts`, "utf8").includes(words), `case ${number}: ${named}`);
            }
        }
    });
});
