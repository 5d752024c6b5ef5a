import assert from "node:assert/strict";
import fc from "fast-check";
import { GatewayError } from "../../../src/errors";
import { commandDatatypes, decodeCommandPayload } from "../../../src/protocol/command-payload";
import { throwsCode } from "../../support/assertions";

const invalidUtf8 = Buffer.from([0x66, 0xff, 0xfe]);

describe("command payload", () => {
    it("a payload is parsed, or becomes a string or a Buffer, by the command's format", () => {
        assert.deepEqual(decodeCommandPayload(Buffer.from('{"a":1}'), "json", "auto"), { a: 1 });
        for (const format of ["text", "txt", "csv", "xml"]) assert.equal(decodeCommandPayload(Buffer.from("é"), format, "auto"), "é");
        assert.deepEqual(decodeCommandPayload(Buffer.from("x"), "bin", "auto"), Buffer.from("x"));
        assert.equal(decodeCommandPayload(Buffer.from("x"), "custom", "auto"), "x");
        assert.deepEqual(decodeCommandPayload(invalidUtf8, "custom", "auto"), invalidUtf8);
    });

    it("without a format, parses a JSON object or array only", () => {
        const decode = (bytes: string | Buffer) => decodeCommandPayload(Buffer.from(bytes), undefined, "auto");
        assert.deepEqual(decode('{"a":1}'), { a: 1 });
        assert.deepEqual(decode("\n [1, 2]"), [1, 2]);
        for (const text of ["1", "true", '"a"', "null", "", "on", "{on", "[1", " ", "[".repeat(60_000)]) assert.equal(decode(text), text);
        assert.deepEqual(decode(invalidUtf8), invalidUtf8);
    });

    it("an explicit datatype overrides the format", () => {
        assert.deepEqual(decodeCommandPayload(Buffer.from("[1]"), "bin", "json"), [1]);
        assert.equal(decodeCommandPayload(Buffer.from("[1]"), "json", "utf8"), "[1]");
        assert.deepEqual(decodeCommandPayload(Buffer.from("[1]"), "json", "buffer"), Buffer.from("[1]"));
    });

    it("rejects bytes that do not match the datatype", () => {
        throwsCode("GW_BAD_COMMAND", () => decodeCommandPayload(Buffer.from("{bad"), "json", "auto"));
        throwsCode("GW_BAD_COMMAND", () => decodeCommandPayload(Buffer.alloc(0), "json", "auto"));
        throwsCode("GW_BAD_COMMAND", () => decodeCommandPayload(invalidUtf8, "text", "auto"));
        throwsCode("GW_BAD_COMMAND", () => decodeCommandPayload(Buffer.from([0x22, 0xff, 0x22]), "json", "auto"));
    });

    it("rejects JSON nested so deeply that cloning it would end the process, but accepts 100 levels", () => {
        const nested = (levels: number) => Buffer.from(`${"[".repeat(levels)}"]{["${"]".repeat(levels)}`);
        throwsCode("GW_BAD_COMMAND", () => decodeCommandPayload(nested(101), "json", "auto"));
        throwsCode("GW_BAD_COMMAND", () => decodeCommandPayload(nested(60_000), "x", "json"));
        assert.doesNotThrow(() => decodeCommandPayload(nested(100), "json", "auto"));
    });

    it("never throws anything but GW_BAD_COMMAND, whatever the bytes", () => {
        fc.assert(
            fc.property(
                fc.uint8Array(),
                fc.option(fc.string(), { nil: undefined }),
                fc.constantFrom(...commandDatatypes),
                (bytes, format, datatype) => {
                    try {
                        decodeCommandPayload(Buffer.from(bytes), format, datatype);
                    } catch (error) {
                        assert.ok(error instanceof GatewayError && error.code === "GW_BAD_COMMAND");
                    }
                },
            ),
        );
    });
});
