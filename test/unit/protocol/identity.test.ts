import assert from "node:assert/strict";
import fc from "fast-check";
import {
    deviceKey,
    mqttClientId,
    parseDeviceId,
    parseDeviceKey,
    parseLevel,
    parseOrgId,
    parseTypeId,
    sameDevice,
} from "../../../src/protocol/identity";
import { anyId, anyLevel } from "../../support/arbitraries";
import { throwsCode } from "../../support/assertions";

describe("identity", () => {
    it("forms the client id g:{orgId}:{typeId}:{deviceId}", () => {
        assert.equal(mqttClientId({ orgId: "abc123", typeId: "mygw", deviceId: "gw1" }), "g:abc123:mygw:gw1");
    });

    it("accepts dots, underscores, hyphens and 36 characters", () => {
        for (const id of ["a.b_c-d", "A", "0", "x".repeat(36)]) assert.equal(parseDeviceId(id), id);
    });

    it("sends a non-negative safe integer as decimal", () => {
        assert.equal(parseDeviceId(17), "17");
        assert.equal(parseLevel(0, "eventId"), "0");
    });

    for (const value of [
        undefined,
        null,
        "",
        "my type",
        "a/b",
        "d:1",
        "capteur-é",
        "x".repeat(37),
        "a+",
        "#",
        -1,
        1.5,
        Number.NaN,
        2 ** 53,
        true,
        {},
        [],
        "id\n",
        10n,
    ]) {
        it(`refuses ${typeof value} ${JSON.stringify(value, (_, item) => (typeof item === "bigint" ? `${item}n` : item))} as an id`, () => {
            for (const parse of [parseTypeId, parseDeviceId, parseOrgId]) throwsCode("GW_INVALID_ID", () => parse(value));
        });
    }

    it("never splits a surrogate pair when an error message cuts an id", () => {
        assert.throws(() => parseDeviceId(`${"x".repeat(59)}\u{1f600}y`), /deviceId is "x{59}…" \(characters: 62\)/);
    });

    it("names the property, the value and the rule when it rejects an id", () => {
        assert.throws(() => parseTypeId("my type"), /typeId is "my type" \(characters: 7\); it must be 1 to 36 of the characters/);
        assert.throws(
            () => parseDeviceId("x".repeat(5000)),
            (error: Error) => error.message.length < 250,
        );
    });

    for (const level of ["status", "température 1", "🌡", "a\u007fb", "a b", "."]) {
        it(`accepts ${JSON.stringify(level)} as a topic level`, () => assert.equal(parseLevel(level, "eventId"), level));
    }

    for (const level of [
        "",
        "a/b",
        "/",
        "+",
        "a+b",
        "#",
        "a#",
        "a\u0007b",
        "\u0000",
        "a\n",
        "\uffff",
        "\ufdd0",
        "\u{1fffe}",
        "\ud800",
        "x".repeat(16_385),
    ]) {
        it(`refuses ${JSON.stringify(level.slice(0, 10))} as a topic level`, () => {
            throwsCode("GW_INVALID_ID", () => parseLevel(level, "eventId"));
        });
    }

    it("converts any device to a key and back", () => {
        fc.assert(
            fc.property(anyId, anyId, (typeId, deviceId) => {
                assert.deepEqual(parseDeviceKey(deviceKey({ typeId, deviceId })), { typeId, deviceId });
            }),
        );
    });

    it("compares devices by both ids", () => {
        const device = { typeId: "a", deviceId: "b" };
        assert.equal(sameDevice(device, { ...device }), true);
        assert.equal(sameDevice(device, { typeId: "b", deviceId: "b" }), false);
        assert.equal(sameDevice(device, { typeId: "a", deviceId: "a" }), false);
    });

    it("accepts every level that the other tests generate", () => {
        fc.assert(fc.property(anyLevel, (level) => parseLevel(level, "x") === level));
    });
});
