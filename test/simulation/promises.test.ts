import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { promises } from "./support/promises";

describe("the promises that histories check", () => {
    for (const [document, sentence] of Object.values(promises)) {
        it(`stand in ${document}: ${sentence}`, () => {
            const text = readFileSync(document, "utf8").replace(/\s+/g, " ");
            assert.ok(text.includes(sentence));
        });
    }
});
