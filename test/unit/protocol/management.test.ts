import assert from "node:assert/strict";
import fc from "fast-check";
import { maxJsonDepth, memberSource, parseJsonObject } from "../../../src/protocol/json";
import { encodeAnswer, type ManagementMessage, parseManagementMessage } from "../../../src/protocol/management";
import { requestData } from "../../../src/protocol/management-request";
import { parseManagementTopic } from "../../../src/protocol/topic";
import { throwsCode } from "../../support/assertions";

function parse(suffix: string, payload: unknown): ManagementMessage {
    const bytes = Buffer.isBuffer(payload) ? payload : Buffer.from(typeof payload === "string" ? payload : JSON.stringify(payload));
    return parseManagementMessage({ typeId: "s", deviceId: "1", levels: suffix.split("/") }, bytes);
}

function request(suffix: string, payload: unknown) {
    const message = parse(suffix, payload);
    assert.ok(message.kind === "request", `${suffix} is ${message.kind}`);
    return message.request;
}

describe("a device management message of the platform", () => {
    for (const [suffix, action] of [
        ["mgmt/initiate/device/reboot", "device/reboot"],
        ["mgmt/initiate/device/factory_reset", "device/factoryReset"],
        ["mgmt/initiate/firmware/download", "firmware/download"],
        ["mgmt/initiate/firmware/update", "firmware/update"],
    ] as const) {
        it(`a message on ${suffix} is a request for ${action}`, () => {
            const { reqId, ...rest } = request(suffix, { reqId: "r1" });
            assert.deepEqual(rest, { typeId: "s", deviceId: "1", action });
            assert.deepEqual(reqId, { value: "r1", source: '"r1"' });
        });
    }

    it("accepts the fields of observe and cancel as objects or as names", () => {
        for (const suffix of ["observe", "cancel"]) {
            for (const fields of [[{ field: "mgmt.firmware" }], ["mgmt.firmware"]]) {
                const { fields: parsed } = request(suffix, { d: { fields }, reqId: "r" });
                assert.deepEqual([...(parsed?.keys() ?? [])], ["mgmt.firmware"]);
            }
        }
    });

    it("reads bundle, action and optional parameters of a custom action", () => {
        const { bundleId, actionId, fields } = request("mgmt/custom/b1/a1", { d: { fields: [{ field: "p", value: "v" }] }, reqId: "r" });
        assert.deepEqual({ bundleId, actionId, fields: [...(fields ?? [])] }, { bundleId: "b1", actionId: "a1", fields: [["p", "v"]] });
        assert.equal(request("mgmt/custom/b1/a1", { reqId: "r" }).fields, undefined);
    });

    for (const suffix of ["foo", "mgmt/initiate/device", "mgmt/custom/b1", "mgmt/custom/b1/a1/x", "device/update/location", "__proto__"]) {
        it(`a message on ${suffix} is an unknown request`, () => {
            const message = parse(suffix, { reqId: "r" });
            assert.deepEqual(message.kind === "unusable" && { rc: message.rc, reqId: message.reqId?.source }, { rc: 501, reqId: '"r"' });
        });
    }

    for (const [what, suffix, payload] of [
        ["data that is not an object", "mgmt/initiate/device/reboot", { d: 5, reqId: "r" }],
        ["fields that are not an array", "observe", { d: { fields: "mgmt.firmware" }, reqId: "r" }],
        ["no fields", "observe", { reqId: "r" }],
        ["empty fields", "cancel", { d: { fields: [] }, reqId: "r" }],
        ["a field without a name", "observe", { d: { fields: [{ value: 1 }] }, reqId: "r" }],
        ["an update without a value", "device/update", { d: { fields: [{ field: "location" }] }, reqId: "r" }],
    ] as const) {
        it(`a request with ${what} is rejected with an explanation`, () => {
            const message = parse(suffix, payload);
            assert.ok(message.kind === "unusable" && message.rc === 400 && message.reqId);
            assert.match(message.reason, /\w+ .*\.$/);
        });
    }

    it("a request that is not a JSON object, not UTF-8 or nested too deeply cannot be answered", () => {
        const deep = `{"reqId":"r","d":{"x":${"[".repeat(maxJsonDepth)}${"]".repeat(maxJsonDepth)}}}`;
        for (const payload of ["", "no", "[]", "5", "null", '{"reqId":', Buffer.from([0x7b, 0xff, 0x7d]), deep]) {
            const message = parse("mgmt/initiate/device/reboot", payload);
            assert.ok(message.kind === "unusable" && message.rc === 400 && message.reqId === undefined);
        }
    });

    it("a request whose id would fill the answer cannot be answered", () => {
        const message = parse("mgmt/initiate/device/reboot", { reqId: "x".repeat(5000) });
        assert.ok(message.kind === "unusable" && message.reqId === undefined);
    });

    it("a request without an id, or with null, wants no answer", () => {
        assert.equal(request("device/update", { d: { fields: [{ field: "location", value: {} }] } }).reqId, undefined);
        assert.equal(request("mgmt/initiate/device/reboot", { reqId: null }).reqId, undefined);
    });

    it("a message on response is never a request, whatever follows", () => {
        assert.deepEqual(parse("response", { rc: 200, reqId: "r", message: "m", d: { a: 1 } }), {
            kind: "response",
            reqId: "r",
            answer: { rc: 200, message: "m", d: { a: 1 } },
        });
        for (const payload of ["x", { rc: 200 }, { reqId: "r" }, { rc: "no", reqId: "r" }]) {
            assert.equal(parse("response", payload).kind, "ignored");
        }
        assert.equal(parse("response/x", { rc: "200", reqId: "r" }).kind, "response");
    });

    it("keeps member names such as __proto__ as plain data", () => {
        const { fields, d } = request(
            "device/update",
            '{"d":{"fields":[{"field":"__proto__","value":{"polluted":1}}],"__proto__":{"a":1}}}',
        );
        assert.deepEqual(Object.keys(Object.fromEntries(fields ?? [])), ["__proto__"]);
        assert.ok(d && Object.hasOwn(d, "__proto__"));
        assert.equal(Reflect.get({}, "polluted"), undefined);
    });

    it("the parser never throws, whatever the bytes and the topic", () => {
        const anyTopic = fc.oneof(
            fc.string(),
            fc
                .array(fc.oneof(fc.string(), fc.constantFrom("type", "id", "mgmt", "custom", "response", "observe", "device", "update")))
                .map((levels) => ["iotdm-1/type/s/id/1", ...levels].join("/")),
            fc
                .constantFrom("observe", "cancel", "device/update", "mgmt/custom/b/a", "response")
                .map((suffix) => `iotdm-1/type/s/id/1/${suffix}`),
        );
        const anyPayload = fc.oneof(
            fc.uint8Array().map((bytes) => Buffer.from(bytes)),
            fc.json().map((text) => Buffer.from(text)),
            fc
                .record({ d: fc.oneof(fc.jsonValue(), fc.record({ fields: fc.jsonValue() })), reqId: fc.jsonValue(), rc: fc.jsonValue() })
                .map((value) => Buffer.from(JSON.stringify(value))),
        );
        fc.assert(
            fc.property(anyTopic, anyPayload, (topic, payload) => {
                const parts = parseManagementTopic(topic);
                if (parts) parseManagementMessage(parts, payload);
            }),
        );
    });
});

describe("an answer to the platform", () => {
    it("an answer repeats the id byte for byte, even numbers beyond a double's precision and escaped text", () => {
        for (const source of ['"r1"', '"caf\\u00e9"', "12345678901234567890", "1e3", '{ "a": [1, 2] }', "true", '""']) {
            const { reqId } = request("mgmt/initiate/device/reboot", `{ "d" : {"reqId":"inner"}, "reqId" : ${source} }`);
            assert.ok(reqId);
            assert.equal(encodeAnswer({ rc: 202 }, reqId), `{"rc":202,"reqId":${source}}`);
        }
    });

    it("an answer contains message and data only if they are given", () => {
        const reqId = { value: "r", source: '"r"' };
        assert.equal(encodeAnswer({ rc: 500, message: "no" }, reqId), '{"rc":500,"message":"no","reqId":"r"}');
        assert.equal(encodeAnswer({ rc: 200, d: { a: 1 } }, reqId), '{"rc":200,"d":{"a":1},"reqId":"r"}');
    });

    it("finds the source of any member of any JSON object", () => {
        fc.assert(
            fc.property(fc.dictionary(fc.string(), fc.jsonValue({ maxDepth: 3 })), fc.constantFrom(undefined, 1, "\t"), (object, space) => {
                const text = JSON.stringify(object, undefined, space);
                for (const [name, value] of Object.entries(object)) {
                    assert.equal(JSON.stringify(JSON.parse(memberSource(text, name) ?? "missing")), JSON.stringify(value));
                }
                assert.equal(memberSource(text, "not there at all"), undefined);
            }),
        );
    });

    it("finds the last of two members with the same name, as the parser does", () => {
        const text = '{"reqId":"a","re\\u0071Id":"b"}';
        assert.equal(parseJsonObject(Buffer.from(text))?.members.reqId, "b");
        assert.equal(memberSource(text, "reqId"), '"b"');
    });
});

describe("the gateway's requests to the platform", () => {
    const now = Date.UTC(2026, 0, 1);

    it("a manage request leaves out empty objects", () => {
        const data = requestData("manage", { lifetime: 0, supports: {}, deviceInfo: {}, metadata: { a: 1 } }, now);
        assert.equal(JSON.stringify(data), '{"lifetime":0,"metadata":{"a":1}}');
    });

    for (const payload of [
        { lifetime: 3599 },
        { lifetime: -1 },
        { lifetime: "3600" },
        { lifetime: 3600.5 },
        { supports: { deviceActions: "yes" } },
        { deviceInfo: { serialNumber: 5 } },
        { deviceInfo: [] },
        { metadata: "x" },
        5,
        [],
        Buffer.from("{}"),
    ]) {
        it(`rejects a manage request of ${JSON.stringify(payload)}`, () => {
            throwsCode("GW_DM_INVALID", () => requestData("manage", payload, now));
        });
    }

    it("a location requires latitude and longitude", () => {
        const location = { latitude: 48.2, longitude: -120, accuracy: 5, measuredDateTime: new Date(now) };
        assert.equal(
            JSON.stringify(requestData("location", location, now)),
            '{"latitude":48.2,"longitude":-120,"accuracy":5,"measuredDateTime":"2026-01-01T00:00:00.000Z"}',
        );
        for (const bad of [
            { latitude: 1 },
            { longitude: 1 },
            { latitude: 91, longitude: 0 },
            { latitude: "1", longitude: 1 },
            { latitude: Number.NaN, longitude: 0 },
        ]) {
            throwsCode("GW_DM_INVALID", () => requestData("location", bad, now));
        }
        throwsCode("GW_DM_INVALID", () => requestData("location", { ...location, updatedDateTime: "yesterday" }, now));
    });

    it("an error code may be a number or data", () => {
        assert.deepEqual(requestData("addErrorCode", 7, now), { errorCode: 7 });
        assert.deepEqual(requestData("addErrorCode", { errorCode: 7 }, now), { errorCode: 7 });
        throwsCode("GW_DM_INVALID", () => requestData("addErrorCode", { errorCode: "7" }, now));
    });

    it("a log entry has a Buffer as base64, and defaults for time and severity", () => {
        assert.deepEqual(requestData("addLog", { message: "hot", data: Buffer.from("abc") }, now), {
            message: "hot",
            timestamp: "2026-01-01T00:00:00.000Z",
            data: "YWJj",
            severity: 0,
        });
        assert.equal(requestData("addLog", { message: "", data: "YWJj", severity: 2 }, now)?.data, "YWJj");
        for (const bad of [
            {},
            { message: 5 },
            { message: "m", severity: 3 },
            { message: "m", data: "not base64!" },
            { message: "m", timestamp: 5 },
        ]) {
            throwsCode("GW_DM_INVALID", () => requestData("addLog", bad, now));
        }
    });

    it("notify is sent with fields, even if it was written in the old form", () => {
        const fields = [{ field: "f", value: 1 }];
        assert.deepEqual(requestData("notify", { fields }, now), { fields });
        assert.deepEqual(requestData("notify", { field: "f", value: 1 }, now), { fields });
        for (const bad of [{}, { fields: [] }, { fields: [{ field: "f" }] }, { fields: ["f"] }]) {
            throwsCode("GW_DM_INVALID", () => requestData("notify", bad, now));
        }
    });

    it("a request without data has no member for it", () => {
        for (const action of ["unmanage", "clearErrorCodes", "clearLog"] as const)
            assert.equal(requestData(action, { x: 1 }, now), undefined);
    });

    it("reports a payload whose getters throw", () => {
        const hostile = {
            get latitude() {
                throw new Error("boom");
            },
        };
        assert.match(throwsCode("GW_DM_INVALID", () => requestData("location", hostile, now)).message, /boom/);
    });

    it("throws nothing but a GatewayError, whatever the payload", () => {
        const actions = fc.constantFrom("manage", "location", "addErrorCode", "addLog", "notify", "clearLog");
        fc.assert(
            fc.property(actions, fc.anything({ withNullPrototype: true, withBigInt: true }), (action, payload) => {
                try {
                    requestData(action, payload, now);
                } catch (thrown) {
                    throwsCode("GW_DM_INVALID", () => {
                        throw thrown;
                    });
                }
            }),
        );
    });
});
