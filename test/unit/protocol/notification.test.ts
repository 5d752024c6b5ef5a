import assert from "node:assert/strict";
import fc from "fast-check";
import { notifiedDevice, notifiedTopic, parseNotification } from "../../../src/protocol/notification";

const ruleBroken = {
    Request: "Publish",
    Time: "2026-11-23T04:15:43.228Z",
    Topic: "iot-2/evt/status/fmt/json",
    Client: "g:org:mygw:gw1",
    RC: 276,
    Message: "The topic is not valid: iot-2/evt/status/fmt/json The topic does not match an authorized rule",
};
const registrationFailed = {
    Request: "Publish",
    Time: "2026-11-23T04:21:39.356Z",
    Topic: "iot-2/org/type/autotype/id/failA/evt/e/fmt/json",
    Type: "autotype",
    Id: "failA",
    Client: "g:org:mygw:gwreg",
    RC: 177,
    Message: "Failed to create device.",
};

function fieldsOf(value: unknown) {
    return parseNotification(Buffer.from(JSON.stringify(value))).fields;
}

describe("gateway notification", () => {
    it("reads what the platform sends when a topic breaks a rule (case 40)", () => {
        assert.deepEqual(parseNotification(JSON.stringify(ruleBroken)), {
            malformed: false,
            fields: {
                request: "publish",
                time: "2026-11-23T04:15:43.228Z",
                topic: "iot-2/evt/status/fmt/json",
                clientId: "g:org:mygw:gw1",
                rc: 276,
                message: ruleBroken.Message,
            },
            raw: ruleBroken,
        });
    });

    it("reads the return code as a number and the request in lower case, however they are written (case 41)", () => {
        assert.deepEqual(fieldsOf({ ...ruleBroken, RC: "180", Request: "publish" }), { ...fieldsOf(ruleBroken), rc: 180 });
        assert.deepEqual(fieldsOf({ RC: "many", Request: "SubScribe" }), { request: "subscribe" });
        assert.equal(fieldsOf({ request: "Publish", rc: 1 }).rc, 1);
    });

    it("keeps extra keys, and marks what is not a JSON object (case 42)", () => {
        assert.deepEqual(parseNotification('{"RC":1,"More":{"a":[1]}}').raw, { RC: 1, More: { a: [1] } });
        for (const text of ["", "hello", "[1]", "null", "17", '"text"', "{"]) {
            assert.deepEqual(parseNotification(Buffer.from(text)), { malformed: true, fields: {}, raw: text });
        }
    });

    it("reads Unsubscribe, and an unknown request (case 43)", () => {
        assert.equal(fieldsOf({ Request: "Unsubscribe" }).request, "unsubscribe");
        assert.equal(fieldsOf({ Request: "Teleport" }).request, "teleport");
    });

    it("leaves out missing and unusable members", () => {
        assert.deepEqual(fieldsOf({}), {});
        assert.deepEqual(fieldsOf({ Topic: null, Type: { a: 1 }, Id: 17, Message: ["x"] }), { deviceId: "17" });
    });

    it("names the device by its own ids first (case 44)", () => {
        assert.deepEqual(notifiedDevice(fieldsOf(registrationFailed)), { typeId: "autotype", deviceId: "failA" });
        assert.deepEqual(notifiedDevice({ ...fieldsOf(registrationFailed), typeId: "my type" }), { typeId: "my type", deviceId: "failA" });
    });

    it("names the device by the topic otherwise, with the organisation inserted or not", () => {
        const expected = { typeId: "t", deviceId: "d" };
        assert.deepEqual(notifiedDevice({ topic: "iot-2/type/t/id/d/evt/e/fmt/json" }), expected);
        assert.deepEqual(notifiedDevice({ topic: "iot-2/org/type/t/id/d/evt/e/fmt/json" }), expected);
        assert.deepEqual(notifiedDevice({ topic: "iotdevice-1/org/type/t/id/d/mgmt/manage" }), expected);
        assert.deepEqual(notifiedDevice({ topic: "iot-2/type/t/id/d" }), expected);
        for (const topic of ["", "iot-2/evt/status/fmt/json", "$SYS/foo", "iot-2/type//id/d/evt/e/fmt/json", "iot-2/type/t"]) {
            assert.equal(notifiedDevice({ topic }), undefined, topic);
        }
        assert.equal(notifiedDevice({}), undefined);
    });

    it("returns the topic without the organisation, even if the organisation or type is called type or id", () => {
        assert.equal(notifiedTopic(fieldsOf(registrationFailed)), "iot-2/type/autotype/id/failA/evt/e/fmt/json");
        assert.equal(notifiedTopic({ topic: "iot-2/type/type/t/id/d/evt/e/fmt/json" }), "iot-2/type/t/id/d/evt/e/fmt/json");
        assert.equal(notifiedTopic({ topic: "iot-2/type/type/id/id/evt/e/fmt/json" }), "iot-2/type/type/id/id/evt/e/fmt/json");
        assert.equal(notifiedTopic({ topic: "foo/bar" }), "foo/bar");
        assert.equal(notifiedTopic({}), undefined);
    });

    it("keeps a notification as text if it is nested so deeply that cloning it would end the process", () => {
        const text = `{"RC":276,"x":${"[".repeat(20_000)}${"]".repeat(20_000)}}`;
        assert.deepEqual(parseNotification(Buffer.from(text)), { malformed: true, fields: {}, raw: text });
    });

    it("keeps a notification as text, cut to the platform's limit, if it is larger than any message of the platform", () => {
        const text = JSON.stringify({ RC: 276, Message: "m".repeat(200_000) });
        assert.deepEqual(parseNotification(Buffer.from(text)), { malformed: true, fields: {}, raw: text.slice(0, 131_072) });
        const largest = JSON.stringify({ Message: "m".repeat(131_072 - 14) });
        assert.equal(parseNotification(Buffer.from(largest)).malformed, false);
    });

    it("names no device with an id that is too long", () => {
        const longest = "x".repeat(36);
        assert.deepEqual(notifiedDevice({ typeId: longest, deviceId: longest }), { typeId: longest, deviceId: longest });
        assert.equal(notifiedDevice({ typeId: "t", deviceId: `${longest}x` }), undefined);
        assert.equal(notifiedDevice({ topic: `iot-2/type/${longest}x/id/d/evt/e/fmt/json` }), undefined);
    });

    it("never throws, whatever the members", () => {
        fc.assert(
            fc.property(fc.oneof(fc.json(), fc.string()), (text) => {
                const { fields } = parseNotification(Buffer.from(text));
                notifiedDevice(fields);
                notifiedTopic(fields);
            }),
        );
    });

    it("never throws, whatever the bytes", () => {
        fc.assert(
            fc.property(fc.uint8Array({ maxLength: 300 }), (bytes) => {
                const { malformed, raw } = parseNotification(Buffer.from(bytes));
                assert.ok(!malformed || typeof raw === "string");
            }),
        );
    });
});
