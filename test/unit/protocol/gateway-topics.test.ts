import assert from "node:assert/strict";
import fc from "fast-check";
import { assertLevelsFit, deviceOfCommand, deviceOfFilter, gatewayTopics } from "../../../src/protocol/gateway-topics";
import { isLegalId, ownFirstLevelRule } from "../../../src/protocol/id-rules";
import { commandFilter, eventTopic, notifyTopic } from "../../../src/protocol/topic";
import { disjointFilters } from "../../../src/routing/disjoint-filters";
import { filterCovers } from "../../../src/routing/topic-filter";
import { anyLevel } from "../../support/arbitraries";
import { throwsCode } from "../../support/assertions";

const identity = { orgId: "plant1", typeId: "edge", deviceId: "gw-3" };
const pump = { typeId: "pump", deviceId: "pump-7" };
const platform = gatewayTopics({ identity, eventTopic: "", commandTopic: "" });
const own = (events: string, commands = "") => gatewayTopics({ identity, eventTopic: events, commandTopic: commands });

describe("topics of a gateway", () => {
    describe("of the platform", () => {
        it("the platform's topics are those of the protocol", () => {
            assert.equal(platform.areOwn, false);
            assert.equal(platform.eventTopic(pump, "status", "json"), eventTopic(pump, "status", "json"));
            assert.equal(platform.commandFilter({ ...pump }), commandFilter(pump));
            assert.equal(platform.notifyTopic, notifyTopic(identity));
        });

        it("the platform's topics name the only device of a filter", () => {
            assert.equal(deviceOfFilter(platform, commandFilter(pump)), "pump/pump-7");
            assert.equal(deviceOfFilter(platform, commandFilter({ typeId: "pump" })), undefined);
            assert.equal(deviceOfFilter(platform, commandFilter({ deviceId: "pump-7" })), undefined);
            assert.equal(deviceOfFilter(platform, "iotdm-1/type/+/id/+/#"), undefined);
        });

        it("the platform's topics are for devices with legal ids only", () => {
            assert.equal(deviceOfCommand(platform, { ...pump, commandId: "start", format: "json" }), "pump/pump-7");
            assert.equal(deviceOfCommand(platform, { ...pump, deviceId: "pump 7", commandId: "start", format: "json" }), undefined);
        });
    });

    describe("of the user", () => {
        it("own topics apply as soon as one of the two is set", () => {
            assert.equal(own("sensors/{deviceId}").areOwn, true);
            assert.equal(own("", "cmd/{deviceId}/{commandId}").areOwn, true);
            assert.equal(own("", "cmd/{deviceId}/{commandId}").eventTopic(pump, "status", "json"), eventTopic(pump, "status", "json"));
            assert.equal(own("sensors/{deviceId}").commandFilter({ ...pump }), commandFilter(pump));
        });

        it("own topics have no topic of notifications", () => assert.equal(own("sensors/{deviceId}").notifyTopic, undefined));

        it("own topics leave out the parts of a command that they do not name", () => {
            const topics = own("", "cmd/{deviceId}/{commandId}");
            assert.deepEqual(topics.parseCommand(["cmd", "pump-7", "start"]), { deviceId: "pump-7", commandId: "start" });
            assert.equal(topics.parseCommand(["cmd", "pump-7"]), undefined);
            assert.equal(deviceOfCommand(topics, { deviceId: "pump-7", commandId: "start" }), "device/pump-7");
            assert.equal(deviceOfFilter(topics, "cmd/pump-7/+"), "device/pump-7");
            assert.equal(deviceOfFilter(topics, "cmd/+/start"), undefined);
        });

        it("own topics name the gateway itself by the ids that commands have", () => {
            assert.deepEqual(own("", "cmd/{deviceId}/{commandId}").gatewayParts, { deviceId: "gw-3" });
            assert.deepEqual(own("", "cmd/{typeId}/{deviceId}/{commandId}").gatewayParts, { typeId: "edge", deviceId: "gw-3" });
        });

        it("own topics accept ids of 255 bytes, like event ids, but none that begins a topic with $", () => {
            const topics = own("{deviceId}/{eventId}");
            assert.equal(deviceOfCommand(topics, { deviceId: "Pumpe 7, Halle Süd", commandId: "x" }), "device/Pumpe 7, Halle Süd");
            assert.equal(deviceOfCommand(topics, { deviceId: "x".repeat(256), commandId: "x" }), undefined);
            assert.equal(deviceOfCommand(topics, { deviceId: "$SYS", commandId: "x" }), undefined);
        });

        it("own topics reject an event whose ids together make a level too long", () => {
            const topics = own("{typeId}-{deviceId}/x");
            const check = (typeId: string, deviceId: string) => assertLevelsFit(topics.eventTopic({ typeId, deviceId }, "status", "json"));
            check("a".repeat(127), "b".repeat(127));
            throwsCode("GW_INVALID_ID", () => check("a".repeat(128), "b".repeat(127)));
            throwsCode("GW_INVALID_ID", () => check("é".repeat(64), "é".repeat(64)));
            assertLevelsFit(`${"a".repeat(255)}/${"é".repeat(127)}`);
        });

        it("own topics are rejected if an event could come back as a command, with an example", () => {
            assert.throws(() => own("a/{deviceId}/{eventId}", "a/{deviceId}/{commandId}"), {
                code: "GW_CONFIG",
                message: /a\/\+\/\+ matches the event topic a\/pump-7\/status/,
            });
            assert.throws(() => own("iot-2/type/{typeId}/id/{deviceId}/cmd/{eventId}/fmt/{format}"), {
                code: "GW_CONFIG",
                message: /the event topic iot-2\/type\/pump\/id\/pump-7\/cmd\/status\/fmt\/json/,
            });
        });

        for (const [events, commands, message] of [
            ["sensors/{device}", "", /^eventTopic contains "\{device\}"\. Use only .*\{deviceId\}, \{eventId\}, \{format\}/],
            ["sensors", "", /^eventTopic must contain \{deviceId\}/],
            ["", "x/{deviceId}", /^commandTopic must contain \{commandId\}/],
            ["", "x-{deviceId}/{commandId}", /^commandTopic has the level "x-\{deviceId\}"/],
            ["+/{deviceId}", "", /^eventTopic has "\+"/],
            [`{deviceId}/${"x".repeat(300)}`, "", /^eventTopic has "x{80}…"/],
        ] as const) {
            it(`own topics are rejected with a reason: ${JSON.stringify(events.slice(0, 30))} and ${JSON.stringify(commands)}`, () => {
                assert.throws(() => own(events, commands), { code: "GW_CONFIG", message });
            });
        }

        it("give back any command that they address", () => {
            const anyOwnId = anyLevel.filter((id) => isLegalId(id, ownFirstLevelRule));
            const parts = fc.record({ typeId: anyOwnId, deviceId: anyOwnId, commandId: anyOwnId, format: anyOwnId });
            const topics = own("", "{deviceId}/{orgId}/{typeId}/cmd/{commandId}/{format}");
            fc.assert(
                fc.property(parts, (command) => {
                    assert.deepEqual(topics.parseCommand(topics.commandFilter(command).split("/")), { ...command });
                    assert.equal(deviceOfCommand(topics, command), `${command.typeId}/${command.deviceId}`);
                }),
            );
        });

        it("own topics make filters that are joined without an overlap: one for each wanted command, and none for an event", () => {
            const few = fc.constantFrom("a", "b", "c");
            const parts = { typeId: few, deviceId: few, commandId: few, format: few };
            const pairs = fc.constantFrom(
                ["{typeId}/{deviceId}/evt/{eventId}", "{typeId}/{deviceId}/cmd/{commandId}/{format}"],
                ["a/{deviceId}{eventId}/{format}", "b/{commandId}/{deviceId}"],
                ["{deviceId}", "{deviceId}/{commandId}"],
                ["{typeId}/{eventId}/x-{deviceId}", "{format}/{deviceId}/{commandId}/{typeId}"],
            );
            const selections = fc.array(fc.record(parts, { requiredKeys: [] }), { minLength: 1, maxLength: 6 });
            const ids = fc.array(fc.record({ ...parts, eventId: few }), { minLength: 20, maxLength: 20 });
            fc.assert(
                fc.property(pairs, selections, ids, ([events, commands], selected, tried) => {
                    const topics = own(events, commands);
                    const wanted = selected.map((selection) => topics.commandFilter(selection));
                    const held = [...disjointFilters(new Map(wanted.map((filter) => [filter, 1]))).keys()];
                    const copies = (topic: string) => held.filter((filter) => filterCovers(filter, topic)).length;
                    for (const { eventId, ...command } of tried) {
                        const topic = topics.commandFilter(command);
                        if (wanted.some((filter) => filterCovers(filter, topic))) assert.equal(copies(topic), 1, `${topic} by ${held}`);
                        assert.equal(copies(topics.eventTopic(command, eventId, command.format)), 0, `an event by ${held}`);
                    }
                }),
            );
        });
    });
});
