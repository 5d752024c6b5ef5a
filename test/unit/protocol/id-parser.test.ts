import assert from "node:assert/strict";
import { gatewayTopics } from "../../../src/protocol/gateway-topics";
import { IdParser, platformIds } from "../../../src/protocol/id-parser";
import { throwsCode } from "../../support/assertions";

const identity = { orgId: "plant1", typeId: "edge", deviceId: "gw-3" };

function ids(policy: "strict" | "replace", eventTopic = "", commandTopic = "") {
    const replaced: [string, string][] = [];
    const topics = gatewayTopics({ identity, eventTopic, commandTopic });
    return { parser: new IdParser(topics, policy, (id, text) => replaced.push([id, text])), replaced };
}

describe("ids of flows", () => {
    it("rejects an illegal id if the rule is strict", () => {
        const { parser, replaced } = ids("strict");
        assert.equal(parser.ofEvent("deviceId", "pump-7"), "pump-7");
        assert.equal(parser.ofEvent("deviceId", 7), "7");
        for (const value of ["pump 7", "x".repeat(37)]) throwsCode("GW_INVALID_ID", () => parser.ofEvent("deviceId", value));
        assert.deepEqual(replaced, []);
    });

    it("replaces an illegal id if the rule says so, and announces each new id once", () => {
        const { parser, replaced } = ids("replace");
        const id = parser.ofEvent("deviceId", "pump 7");
        assert.match(id, /^pump_7-[0-9a-f]{6}$/);
        assert.equal(parser.ofEvent("deviceId", "pump 7"), id);
        assert.equal(parser.ofCommand("deviceId", "pump 7"), id);
        const eventId = parser.ofEvent("eventId", "a/b");
        assert.deepEqual(replaced, [
            [id, "pump 7"],
            [eventId, "a/b"],
        ]);
    });

    it("rejects a missing id or one of a wrong type even if the rule replaces illegal characters", () => {
        const { parser } = ids("replace");
        for (const value of [undefined, null, "", {}, [], true, -1, 1.5])
            throwsCode("GW_INVALID_ID", () => parser.ofEvent("deviceId", value));
    });

    it("never replaces a format, which says how to read the payload", () => {
        const { parser } = ids("replace");
        throwsCode("GW_INVALID_ID", () => parser.parse("format", "a/b"));
    });

    it("accepts an event without ids that its topic does not name", () => {
        const { parser } = ids("strict", "sensors/{deviceId}");
        for (const missing of [undefined, null, ""]) {
            assert.equal(parser.ofEvent("typeId", missing), "device");
            assert.equal(parser.ofEvent("eventId", missing), "event");
            throwsCode("GW_INVALID_ID", () => parser.ofEvent("deviceId", missing));
        }
        assert.equal(parser.ofEvent("typeId", "pump"), "pump");
        throwsCode("GW_INVALID_ID", () => parser.ofEvent("typeId", "a/b"));
        throwsCode("GW_INVALID_ID", () => platformIds.ofEvent("typeId", undefined));
    });

    it("rejects ids of commands whose topic does not name them", () => {
        const { parser } = ids("strict", "", "cmd/{deviceId}/{commandId}");
        assert.equal(parser.ofCommand("deviceId", "pump-7"), "pump-7");
        assert.throws(() => parser.ofCommand("typeId", "pump"), { code: "GW_CONFIG", message: /^typeId is set, but commandTopic/ });
        throwsCode("GW_CONFIG", () => parser.ofCommand("format", "json"));
    });

    it("limits ids on own topics to 255 bytes", () => {
        const { parser } = ids("strict", "sensors/{deviceId}");
        assert.equal(parser.ofEvent("deviceId", "x".repeat(255)), "x".repeat(255));
        assert.throws(() => parser.ofEvent("deviceId", "x".repeat(256)), { code: "GW_INVALID_ID", message: /256 bytes long.*at most 255/ });
        assert.equal(ids("replace", "sensors/{deviceId}").parser.ofEvent("deviceId", "x".repeat(300)).length, 255);
    });

    it("announces a replaced id again only after ten thousand others, so that memory stays bounded", () => {
        const { parser, replaced } = ids("replace");
        for (let i = 0; i < 10_000; i++) parser.parse("deviceId", `no ${i}`);
        parser.parse("deviceId", "no 0");
        assert.equal(replaced.length, 10_000);
        parser.parse("deviceId", "no 10000");
        parser.parse("deviceId", "no 0");
        assert.equal(replaced.length, 10_002);
    });
});
