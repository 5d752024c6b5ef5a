import assert from "node:assert/strict";
import { inspect } from "node:util";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { GatewayError } from "../../../src/errors";
import { type EncodedPayload, encodePayload, payloadBytes, returnedPayload } from "../../../src/protocol/payload";
import { assertFits, maxPayloadBytes } from "../../../src/protocol/payload-limit";
import { parseQos } from "../../../src/protocol/qos";
import { throwsCode } from "../../support/assertions";

const circular: Record<string, unknown> = {};
circular.self = circular;
const hostile = {
    get value() {
        throw new Error("a getter that throws");
    },
};

/** A value as a Function node makes it, in a context with constructors of its own. */
function inOtherContext(code: string): unknown {
    return runInNewContext(code);
}

/** Payloads that JSON would turn into something else without an error, with the path of the value. */
const lossy: readonly [path: string, payload: unknown][] = [
    ["payload", Number.NaN],
    ["payload", new Map([["a", 1]])],
    ["payload", new Set([1])],
    ["payload", new WeakMap()],
    ["payload", new WeakSet()],
    ["payload", new ArrayBuffer(2)],
    ["payload", new DataView(new ArrayBuffer(2))],
    ["payload", Promise.resolve(1)],
    ["payload", new Error("gone")],
    ["payload", /x/],
    ["payload", Object.assign(new Error("gone"), { code: "EPIPE" })],
    ["payload", inOtherContext("new Map()")],
    ["payload.temp", { temp: Number.NaN }],
    ["payload.error", { error: Object.assign(new RangeError("gone"), { code: "EPIPE" }) }],
    ["payload.d.values[2]", { d: { values: [1, 2, Number.POSITIVE_INFINITY] } }],
    ["payload[1].a", [{ a: 1 }, { a: Number.NEGATIVE_INFINITY }]],
    ['payload["b c"].d', { "b c": { d: new Set() } }],
    ["payload.a.b.c.d.e", { a: { b: { c: { d: { e: new Error("deep") } } } } }],
    ["payload.a.b.c[1]", { a: { b: { c: new Float64Array([1, Number.NaN]) } } }],
    ["payload.a", inOtherContext("({ a: Promise.resolve() })")],
];

describe("payload", () => {
    for (const [path, payload] of lossy) {
        it(`rejects ${inspect(payload, { depth: 9, compact: true, breakLength: Number.POSITIVE_INFINITY }).split("\n")[0]}, and names ${path}`, () => {
            for (const options of [{}, { wrap: true }, { wrap: true, timestampField: "ts", time: "t" }]) {
                assert.throws(
                    () => encodePayload(payload, "json", options),
                    (error) =>
                        error instanceof GatewayError && error.code === "GW_INVALID_PAYLOAD" && error.message.startsWith(`${path} is `),
                );
            }
        });
    }

    it("writes typed arrays as arrays, at any depth", () => {
        assert.equal(encodePayload(new Uint8Array([1, 2]), "json"), "[1,2]");
        assert.equal(encodePayload(new Uint8Array(), "json"), "[]");
        assert.equal(encodePayload({ a: new Float32Array([0.5]) }, "json", { wrap: true }), '{"d":{"a":[0.5]}}');
        assert.equal(encodePayload({ a: { b: { c: [new Int16Array([-1])] } } }, "json"), '{"a":{"b":{"c":[[-1]]}}}');
        assert.equal(encodePayload(new Uint8Array([1]), "json", { timestampField: "ts", time: "t" }), "[1]");
        assert.equal(encodePayload({ d: new Uint8Array([1]) }, "json", { timestampField: "ts", time: "t" }), '{"d":[1],"ts":"t"}');
        assert.equal(encodePayload(inOtherContext("({ a: new Uint8Array(2) })"), "json"), '{"a":[0,0]}');
    });

    it("leaves out and converts the same members as JSON", () => {
        class Point {
            readonly x = 1;
            readonly y = undefined;
            readonly z = () => 1;
        }
        const payload = {
            a: undefined,
            f: () => 1,
            n: null,
            o: {},
            at: new Date(0),
            bytes: Buffer.from("x"),
            p: new Point(),
            s: "NaN null {}",
        };
        assert.equal(encodePayload(payload, "json"), JSON.stringify(payload));
        assert.equal(encodePayload(new Date(Number.NaN), "json"), "null");
        assert.equal(encodePayload([undefined, () => 1, Symbol("s")], "json"), "[null,null,null]");
        assert.equal(encodePayload(Object.create(null), "json"), "{}");
        assert.equal(encodePayload({ a: Object.assign(new Error("gone"), { toJSON: () => "gone" }) }, "json"), '{"a":"gone"}');
    });

    it("encodes a value that is nested deeply", () => {
        let deep: unknown = [null];
        for (let level = 0; level < 3000; level++) deep = [deep];
        assert.equal(String(encodePayload(deep, "json")).length, 6006);
    });

    it("encodes what JSON can express", () => {
        assert.equal(encodePayload({ a: 1 }, "json"), '{"a":1}');
        assert.equal(encodePayload([1, "x", null], "json"), '[1,"x",null]');
        assert.equal(encodePayload(21.5, "json"), "21.5");
        assert.equal(encodePayload(false, "json"), "false");
        assert.equal(encodePayload(null, "json"), "null");
    });

    it("leaves a string that already is a JSON object or array unchanged", () => {
        for (const text of ['{"a":1}', " [1, 2] ", '{"n":12345678901234567890}']) assert.equal(encodePayload(text, "json"), text);
    });

    it("encodes any other string as a JSON string", () => {
        for (const text of ["hello", "21.5", "true", "{not json", ""]) assert.equal(encodePayload(text, "json"), JSON.stringify(text));
    });

    it("sends a Buffer as it is in json, bin and other formats", () => {
        const bytes = Buffer.from([0, 255, 128]);
        for (const format of ["json", "bin", "protobuf"]) assert.deepEqual(encodePayload(bytes, format), bytes);
    });

    it("keeps the bytes of a Buffer that the flow changes afterwards", () => {
        for (const format of ["json", "bin", "protobuf"]) {
            const bytes = Buffer.from([1, 2]);
            const encoded = encodePayload(bytes, format);
            bytes.fill(0);
            assert.deepEqual(encoded, Buffer.from([1, 2]));
        }
    });

    it("encodes text, bin and other formats", () => {
        assert.equal(encodePayload("é", "text"), "é");
        assert.equal(encodePayload(7, "text"), "7");
        assert.equal(encodePayload(true, "text"), "true");
        assert.equal(encodePayload("é", "bin"), "é");
        assert.equal(encodePayload("<a/>", "xml"), "<a/>");
        assert.equal(encodePayload(3, "csv"), "3");
    });

    const refused: [string, unknown, string][] = [
        ["a missing payload", undefined, "json"],
        ["a function", () => 1, "json"],
        ["a symbol", Symbol("x"), "json"],
        ["BigInt", 10n, "json"],
        ["an infinite number", Number.NEGATIVE_INFINITY, "json"],
        ["a circular object", circular, "json"],
        ["a getter that throws", hostile, "json"],
        ["an object", {}, "text"],
        ["a Buffer", Buffer.from("x"), "text"],
        ["null", null, "text"],
        ["a number", 1, "bin"],
        ["an object", {}, "bin"],
        ["a boolean", true, "csv"],
        ["an object", {}, "csv"],
    ];
    for (const [name, payload, format] of refused) {
        it(`rejects ${name} in format ${format}`, () => {
            throwsCode("GW_INVALID_PAYLOAD", () => encodePayload(payload, format));
            throwsCode("GW_INVALID_PAYLOAD", () => encodePayload(payload, format, { wrap: true, timestampField: "ts", time: "t" }));
        });
    }

    it("wraps a JSON payload as {d: …} once", () => {
        assert.equal(encodePayload({ a: 1 }, "json", { wrap: true }), '{"d":{"a":1}}');
        assert.equal(encodePayload({ d: { a: 1 } }, "json", { wrap: true }), '{"d":{"a":1}}');
        assert.equal(encodePayload(5, "json", { wrap: true }), '{"d":5}');
        assert.equal(encodePayload('{"n":12345678901234567890}', "json", { wrap: true }), '{"d":{"n":12345678901234567890}}');
        assert.equal(encodePayload("x", "text", { wrap: true }), "x");
    });

    it("adds the time of entry unless it is there, inside d when wrapped", () => {
        const options = { timestampField: "ts", time: "2026-01-01T00:00:00.000Z" };
        const stamped = '"ts":"2026-01-01T00:00:00.000Z"';
        assert.equal(encodePayload({ a: 1 }, "json", options), `{"a":1,${stamped}}`);
        assert.equal(encodePayload({ ts: 5 }, "json", options), '{"ts":5}');
        assert.equal(encodePayload({ a: 1 }, "json", { ...options, wrap: true }), `{"d":{"a":1,${stamped}}}`);
        assert.equal(encodePayload({ d: { a: 1 } }, "json", options), `{"d":{"a":1,${stamped}}}`);
        assert.equal(encodePayload('{"d":{"a":1}}', "json", options), `{"d":{"a":1,${stamped}}}`);
        assert.equal(encodePayload(' {"a":1}', "json", options), ` {${stamped},"a":1}`);
        assert.equal(encodePayload("{}", "json", options), `{${stamped}}`);
        assert.equal(encodePayload([1], "json", options), "[1]");
        assert.equal(encodePayload("x", "text", options), "x");
    });

    it("stamps a value with a toJSON method, such as a date or a decimal number, without losing it", () => {
        const options = { timestampField: "ts", time: "2026-01-01T00:00:00.000Z" };
        class Reading {
            toJSON() {
                return { value: 5 };
            }
        }
        assert.equal(encodePayload(new Date(0), "json", options), '"1970-01-01T00:00:00.000Z"');
        assert.equal(encodePayload(new Reading(), "json", options), '{"value":5,"ts":"2026-01-01T00:00:00.000Z"}');
        assert.equal(encodePayload({ d: new Date(0) }, "json", options), '{"d":"1970-01-01T00:00:00.000Z"}');
    });

    it("does not change the message it encodes", () => {
        const payload = { a: 1, d: { b: 2 } };
        encodePayload(payload, "json", { wrap: true, timestampField: "ts", time: "t" });
        assert.deepEqual(payload, { a: 1, d: { b: 2 } });
    });

    it("round-trips any JSON value, wrapped or not", () => {
        fc.assert(
            fc.property(fc.jsonValue(), (value) => {
                if (typeof value === "string") return;
                const expected = JSON.parse(JSON.stringify(value));
                assert.deepEqual(JSON.parse(String(encodePayload(value, "json"))), expected);
            }),
        );
    });
});

describe("the platform's size limit", () => {
    const shortTopic = "iot-2/type/mydevice/id/d1/evt/status/fmt/json";

    it("accepts exactly 131072 bytes and not one more", () => {
        assertFits(shortTopic, maxPayloadBytes);
        throwsCode("GW_PAYLOAD_TOO_LARGE", () => assertFits(shortTopic, maxPayloadBytes + 1));
    });

    it("the limit counts multi-byte text in bytes", () => {
        assert.equal(payloadBytes("é".repeat(65_536)), maxPayloadBytes);
        assert.equal(payloadBytes(Buffer.alloc(5)), 5);
    });

    it("the limit counts the topic bytes over 200", () => {
        const topic = "x".repeat(338);
        assertFits(topic, 130_934);
        throwsCode("GW_PAYLOAD_TOO_LARGE", () => assertFits(topic, 130_935));
        const multiByte = "é".repeat(169);
        assertFits(multiByte, 130_934);
        throwsCode("GW_PAYLOAD_TOO_LARGE", () => assertFits(multiByte, 130_935));
    });
});

describe("the payload of an event that was not delivered", () => {
    const name = fc.oneof(fc.string(), fc.constantFrom("d", "ts", "a", "__proto__", "toJSON", "constructor"));
    const value = fc.letrec<{ value: unknown }>((tie) => ({
        value: fc.oneof(
            { depthSize: "small" },
            fc.string(),
            fc.double({ noNaN: true, noDefaultInfinity: true }),
            fc.integer(),
            fc.boolean(),
            fc.constant(null),
            fc.array(tie("value"), { maxLength: 4 }),
            fc.dictionary(name, tie("value"), { maxKeys: 4 }),
        ),
    })).value;
    const awkwardText = fc.constantFrom(
        '{"n":12345678901234567890}',
        ' {"a": 1.0}',
        '{"d": 5}',
        '{"d":{"a":1}, "b":2}',
        '{"d":null}',
        "[1, 2]",
        '{"a":1,"a":2}',
        '"text"',
        "5",
        "null",
        "{",
        "",
        "\0",
        "\ufeff{}",
        "\ud800",
        '{"ts":1}',
        `${"[".repeat(150)}${"]".repeat(150)}`,
    );
    const anyPayload = fc.oneof(
        value,
        value.map((each) => JSON.stringify(each)),
        value.map((each) => JSON.stringify(each, undefined, 2)),
        value.map((each) => Buffer.from(JSON.stringify(each))),
        awkwardText,
        awkwardText.map((text) => Buffer.from(text)),
        fc.uint8Array().map((bytes) => Buffer.from(bytes)),
        fc.date({ noInvalidDate: true }),
    );
    const anyFormat = fc.constantFrom("json", "text", "bin", "xml", "");
    const anySettings = fc.record({ wrap: fc.boolean(), timestampField: fc.constantFrom("", "ts", "d", "a", "__proto__x") });

    /** What a node writes; undefined for what it does not take. */
    function written(payload: unknown, format: string, settings: { wrap: boolean; timestampField: string }, time: string) {
        try {
            return encodePayload(payload, format, { ...settings, time });
        } catch {
            return undefined;
        }
    }

    /** As an outbox file returns it: text with a zero byte is stored as bytes, and what is no text becomes some. */
    function stored(payload: EncodedPayload): EncodedPayload {
        return typeof payload === "string" ? Buffer.from(payload).toString() : payload;
    }

    it("makes a node of the same settings write the same bytes, whatever the payload, the format and the settings", () => {
        fc.assert(
            fc.property(anyPayload, anyFormat, anySettings, (payload, format, settings) => {
                const first = written(payload, format, settings, "2026-01-01T00:00:00.000Z");
                if (first === undefined) return;
                const returned = returnedPayload(stored(first), format, settings);
                const again = written(returned, format, settings, "2027-02-02T00:00:00.000Z");
                assert.ok(again !== undefined, inspect(returned));
                assert.deepEqual(Buffer.from(again), Buffer.from(first), inspect(returned));
                if (format === "text") assert.equal(typeof returned, "string");
            }),
            { numRuns: 5000 },
        );
    });

    it("is the value of JSON, so that a flow can read it", () => {
        const settings = { wrap: true, timestampField: "ts" };
        for (const payload of [{ temperature: 5 }, 5, "warm", [1, 2], { d: { a: 1 } }, { d: 5 }]) {
            const first = encodePayload(payload, "json", { ...settings, time: "then" });
            assert.deepEqual(returnedPayload(first, "json", settings), JSON.parse(String(first)));
        }
    });

    it("is text or a Buffer where the value would be written differently", () => {
        const plain = { wrap: false, timestampField: "" };
        assert.equal(returnedPayload('{"n":12345678901234567890}', "json", plain), '{"n":12345678901234567890}');
        assert.deepEqual(returnedPayload(Buffer.from("5 "), "json", plain), Buffer.from("5 "));
        assert.deepEqual(returnedPayload(Buffer.from('{"a":1}'), "json", { wrap: true, timestampField: "" }), Buffer.from('{"a":1}'));
        assert.deepEqual(returnedPayload(Buffer.from([0xff]), "json", plain), Buffer.from([0xff]));
        assert.equal(returnedPayload(Buffer.from("a"), "text", plain), "a");
        assert.deepEqual(returnedPayload(Buffer.from("a"), "bin", plain), Buffer.from("a"));
    });

    it("with wrap on, an object that has a d is not wrapped again, and gets a time only inside a d that is an object", () => {
        const settings = { wrap: true, timestampField: "ts", time: "t" };
        assert.equal(encodePayload({ d: 5 }, "json", settings), '{"d":5}');
        assert.equal(encodePayload('{"d": 5}', "json", settings), '{"d": 5}');
        assert.equal(encodePayload({ d: [1] }, "json", settings), '{"d":[1]}');
        assert.equal(encodePayload({ d: {} }, "json", settings), '{"d":{"ts":"t"}}');
    });
});

describe("qos", () => {
    it("accepts QoS 0, 1 and 2 as numbers and as strings", () => {
        for (const qos of [0, 1, 2]) {
            assert.equal(parseQos(qos), qos);
            assert.equal(parseQos(String(qos)), qos);
        }
    });

    for (const value of [3, -1, 1.5, "3", "", " 1", "one", null, undefined, true, {}, [1]]) {
        it(`rejects ${JSON.stringify(value)} as QoS`, () => throwsCode("GW_INVALID_QOS", () => parseQos(value)));
    }
});
