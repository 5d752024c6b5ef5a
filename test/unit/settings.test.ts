import assert from "node:assert/strict";
import { fillVariables, variablePattern } from "../../src/settings";

describe("variables in a text", () => {
    const values: Readonly<Record<string, unknown>> = { A: "one", B: "two", EMPTY: "", NUMBER: 5, NESTED: "${A}" };
    const fill = (text: string) => fillVariables(text, (name) => values[name]);

    it("variables within a text get their values, alone or among others", () => {
        for (const [text, expected] of [
            ["${A}", "one"],
            ["$(A)", "one"],
            ["${A}-${B}", "one-two"],
            ["x${A}y${NUMBER}", "xoney5"],
            ["${A}${EMPTY}${B}", "onetwo"],
        ] as const) {
            assert.equal(fill(text), expected);
            assert.match(text, variablePattern);
        }
    });

    it("a variable that is not set stays in the text, and a value is not searched for variables", () => {
        assert.equal(fill("${A}-${NOT_SET}"), "one-${NOT_SET}");
        assert.equal(fill("$(NOT_SET)"), "$(NOT_SET)");
        assert.equal(fill("${NESTED}"), "${A}");
    });

    it("texts that only resemble variables, and JSON, stay as they are", () => {
        for (const text of ["", "A", "$A", "${}", "${A B}", "x$(A)", "$ {A}", '{"name": "${A}"}', ' {"name": "${A}"}']) {
            assert.equal(fill(text), text);
            assert.doesNotMatch(text, variablePattern);
        }
    });
});
