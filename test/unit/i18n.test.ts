import assert from "node:assert/strict";
import fc from "fast-check";
import { joinSentences, setTranslator, shortened, translate } from "../../src/i18n";

describe("texts of the package", () => {
    afterEach(() => setTranslator(undefined));

    it("texts are English without a Node-RED", () =>
        assert.equal(translate("protocol.qos", { value: 7 }), "The QoS is 7; it must be 0, 1 or 2."));

    it("texts are those of the catalogue", () => {
        setTranslator((key) => (key === "gateway-config.message.protocol.qos" ? "Der QoS ist __value__." : key));
        assert.equal(translate("protocol.qos", { value: 7 }), "Der QoS ist 7.");
    });

    it("shortened() cuts a text that is too long, and shows that it was longer", () => {
        assert.equal(shortened("abc", 3), "abc");
        assert.equal(shortened("abcd", 3), "abc…");
    });

    it("shortened() never splits a surrogate pair", () => {
        assert.equal(shortened("ab\ud83d\ude00", 3), "ab…");
        assert.equal(shortened("ab\ud83d\ude00", 4), "ab\ud83d\ude00");
        assert.equal(shortened("ab\ud83d\ude00c", 4), "ab\ud83d\ude00…");
        const text = fc.string({ unit: "binary", maxLength: 20 });
        fc.assert(
            fc.property(text, fc.nat(20), (whole, maxCharacters) => {
                const shown = shortened(whole, maxCharacters);
                assert.equal(Buffer.from(shown).toString(), shown, "half a pair cannot be written as UTF-8");
                if (whole.length <= maxCharacters) return assert.equal(shown, whole);
                assert.ok(whole.startsWith(shown.slice(0, -1)));
                assert.ok([maxCharacters, maxCharacters - 1].includes(shown.length - 1));
            }),
        );
    });

    it("shortened() keeps a lone surrogate as it is", () => assert.equal(shortened("a\ud83dbc", 2), "a\ud83d…"));

    it("texts are English until the catalogue is loaded", () => {
        const catalogue = new Map<string, string>();
        setTranslator((key) => catalogue.get(key) ?? `node-red-contrib-wiotp-gateway/gateway-config:${key}`);
        assert.equal(translate("protocol.qos", { value: 7 }), "The QoS is 7; it must be 0, 1 or 2.");
        catalogue.set("gateway-config.message.protocol.qos", "Der QoS ist __value__.");
        assert.equal(translate("protocol.qos", { value: 7 }), "Der QoS ist 7.");
    });

    it("texts are English if the look-up fails", () => {
        setTranslator(() => {
            throw new Error("no catalogue");
        });
        assert.equal(translate("protocol.qos", { value: 7 }), "The QoS is 7; it must be 0, 1 or 2.");
    });

    it("parameters appear in a text as they are, whatever they look like", () => {
        for (const value of ["__value__", "$t(protocol.qos)", "$&", "$1", "{{value}}", "<b>"]) {
            assert.equal(translate("protocol.qos", { value }), `The QoS is ${value}; it must be 0, 1 or 2.`);
        }
    });

    it("a text shows a place without a parameter, even if its name is that of an object's method", () => {
        setTranslator(() => "__value__ and __constructor__");
        assert.equal(translate("protocol.qos"), "__value__ and __constructor__");
    });

    it("sentences are joined as the language requires", () => {
        assert.equal(joinSentences(["One.", "Two.", "Three."]), "One. Two. Three.");
        assert.equal(joinSentences(["一。", "二。"]), "一。二。");
    });
});
