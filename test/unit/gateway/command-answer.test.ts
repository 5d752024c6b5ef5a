import assert from "node:assert/strict";
import type { ReceivedCommand } from "../../../src/gateway/inbound/command";
import { answerEvent, type FlowAnswer } from "../../../src/gateway/inbound/command-answer";
import { platformIds } from "../../../src/protocol/id-parser";
import { rejectsCode } from "../../support/assertions";

const command: ReceivedCommand = {
    id: "run-1",
    topic: "",
    levels: [],
    typeId: "pump",
    deviceId: "p1",
    commandId: "start",
    format: "json",
    payload: Buffer.of(),
    qos: 1,
    duplicate: false,
    retain: false,
    isReplayed: false,
    receivedAt: 0,
};
const given: FlowAnswer = { eventId: "{commandId}-done", rc: undefined, message: undefined, payload: null, messageId: "m1" };
const event = (answer: Partial<FlowAnswer>, of: Partial<ReceivedCommand> = {}) =>
    answerEvent({ ...command, ...of }, "n1", { ...given, ...answer }, platformIds);

describe("answer to a command", () => {
    it("an answer is an event of the command's device, of QoS 1 and high priority, done when it is safe", () => {
        const { device, eventId, format, qos, priority, completionMode, messageId, nodeId } = event({});
        assert.deepEqual(
            [device, eventId, format, qos, priority, completionMode, messageId, nodeId],
            [{ typeId: "pump", deviceId: "p1" }, "start-done", "json", 1, "high", "safe", "m1", "n1"],
        );
    });

    for (const [name, answer, text] of [
        ["everything", { rc: 200, message: "ok", payload: { a: [1] } }, '{"commandId":"start","rc":200,"message":"ok","d":{"a":[1]}}'],
        ["nothing", { payload: undefined }, '{"commandId":"start","d":null}'],
        ["a code that is a text", { rc: "E1" }, '{"commandId":"start","rc":"E1","d":null}'],
        ["a text", { payload: 'a "text"' }, '{"commandId":"start","d":"a \\"text\\""}'],
        [
            "a text that is JSON, unchanged",
            { payload: '{"n":12345678901234567890}' },
            '{"commandId":"start","d":{"n":12345678901234567890}}',
        ],
    ] as const) {
        it(`an answer can contain ${name}`, () => assert.equal(event(answer).payload, text));
    }

    it("fills the command's id in wherever it has a place, whatever that is", () => {
        assert.equal(event({ eventId: "{commandId}.{commandId}" }, { commandId: "$&" }).eventId, "$&.$&");
        assert.equal(event({}, { commandId: 'a"b' }).payload, '{"commandId":"a\\"b","d":null}');
    });

    for (const [name, answer, of, code] of [
        ["a Buffer", { payload: Buffer.of(1) }, {}, "GW_INVALID_PAYLOAD"],
        ["a function", { payload: () => 1 }, {}, "GW_INVALID_PAYLOAD"],
        ["a number that JSON has not", { payload: { a: Number.NaN } }, {}, "GW_INVALID_PAYLOAD"],
        ["a code that is none", { rc: Number.NaN }, {}, "GW_INVALID_PAYLOAD"],
        ["a message that is none", { message: [] }, {}, "GW_INVALID_PAYLOAD"],
        ["an event id that is too long", {}, { commandId: "x".repeat(20_000) }, "GW_INVALID_ID"],
        ["an event id that is none", {}, { commandId: "a\u0001" }, "GW_INVALID_ID"],
        ["a device that cannot be", {}, { deviceId: "a b" }, "GW_INVALID_ID"],
    ] as const) {
        it(`an answer cannot be ${name}`, () => rejectsCode(code, (async () => event(answer, of))()));
    }
});
