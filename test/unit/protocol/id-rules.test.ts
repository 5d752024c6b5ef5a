import assert from "node:assert/strict";
import fc from "fast-check";
import {
    type IdRule,
    idRule,
    isLegalId,
    levelRule,
    mqttTextRule,
    ownFirstLevelRule,
    ownLevelRule,
    replaceId,
} from "../../../src/protocol/id-rules";

const rules: Readonly<Record<string, IdRule>> = { idRule, levelRule, ownLevelRule, ownFirstLevelRule, mqttTextRule };
const anyText = fc.oneof(
    fc.string({ minLength: 1, maxLength: 60 }),
    fc.string({ unit: "binary", minLength: 1, maxLength: 300 }),
    fc.stringMatching(/^[$\w /#+é]{1,50}$/),
);

describe("rules of ids", () => {
    it("keeps a legal id as it is", () => {
        assert.equal(replaceId("pump-7", idRule), "pump-7");
        assert.equal(replaceId("température 1", levelRule), "température 1");
    });

    it("replaces illegal characters by _ and adds a hash of the original", () => {
        assert.match(replaceId("Pump 7", idRule), /^Pump_7-[0-9a-f]{6}$/);
        assert.match(replaceId("a/b+c#d", levelRule), /^a_b_c_d-[0-9a-f]{6}$/);
        assert.match(replaceId("😀", idRule), /^_-[0-9a-f]{6}$/);
    });

    it("cuts an id that is too long, so that it ends in a hash of the original", () => {
        const id = replaceId("x".repeat(37), idRule);
        assert.match(id, /^x{29}-[0-9a-f]{6}$/);
        assert.notEqual(id, replaceId("x".repeat(38), idRule));
    });

    it("splits no character when it cuts", () => {
        const id = replaceId("😀".repeat(64), ownLevelRule);
        assert.match(id, /^(?:😀){62}-[0-9a-f]{6}$/u);
        assert.equal(Buffer.byteLength(id), 62 * 4 + 7);
    });

    it("lets no id begin an own topic with $, where it could name a shared subscription", () => {
        assert.equal(isLegalId("$share", ownFirstLevelRule), false);
        assert.equal(isLegalId("a$", ownFirstLevelRule), true);
        assert.match(replaceId("$share", ownFirstLevelRule), /^_share-[0-9a-f]{6}$/);
    });

    it("counts the bytes of an id, not its characters", () => {
        assert.equal(isLegalId("é".repeat(127), ownLevelRule), true);
        assert.equal(isLegalId("é".repeat(128), ownLevelRule), false);
        assert.equal(isLegalId("x".repeat(255), ownLevelRule), true);
        assert.equal(isLegalId("x".repeat(256), ownLevelRule), false);
    });

    for (const [name, rule] of Object.entries(rules)) {
        it(`makes a legal id of any text: ${name}`, () => {
            fc.assert(
                fc.property(anyText, (text) => {
                    const id = replaceId(text, rule);
                    assert.ok(isLegalId(id, rule), JSON.stringify(id));
                    assert.ok(Buffer.byteLength(id) <= rule.maxBytes);
                    assert.equal(id === text, isLegalId(text, rule));
                    assert.equal(replaceId(id, rule), id);
                }),
                { numRuns: 1000 },
            );
        });
    }

    it("makes different ids of texts that differ in illegal characters only", () => {
        const texts = new Set<string>();
        for (let first = 0; first < 64; first++) {
            for (let second = 0; second < 64; second++) texts.add(`sensor${String.fromCharCode(0x4e00 + first, 0x4e00 + second)}`);
        }
        assert.equal(new Set([...texts].map((text) => replaceId(text, idRule))).size, texts.size);
    });

    it("makes different ids of halves of surrogate pairs, which are one and the same in UTF-8", () => {
        assert.notEqual(replaceId("a\ud800", levelRule), replaceId("a\ud801", levelRule));
    });
});
