import assert from "node:assert/strict";
import fc from "fast-check";
import { isLegalId, ownFirstLevelRule } from "../../../src/protocol/id-rules";
import { commandFilter, eventTopic } from "../../../src/protocol/topic";
import { type TemplateFault, type TemplateKind, TopicTemplate, type TopicValues } from "../../../src/protocol/topic-template";
import { filterCovers } from "../../../src/routing/topic-filter";
import { anyLevel } from "../../support/arbitraries";

const gateway = { orgId: "plant1", gatewayTypeId: "edge", gatewayId: "gw-3" };
const example = { typeId: "pump", deviceId: "pump-7", eventId: "status", commandId: "start", format: "json" };
const anyOwnId = anyLevel.filter((id) => isLegalId(id, ownFirstLevelRule));
const anyValues = fc.record({ typeId: anyOwnId, deviceId: anyOwnId, eventId: anyOwnId, commandId: anyOwnId, format: anyOwnId });

function parsed(kind: TemplateKind, text: string): TopicTemplate {
    const template = TopicTemplate.parse(kind, text, gateway);
    assert.ok(template instanceof TopicTemplate, `${text}: ${JSON.stringify(template)}`);
    return template;
}

function fault(kind: TemplateKind, text: string): TemplateFault {
    const template = TopicTemplate.parse(kind, text, gateway);
    assert.ok(!(template instanceof TopicTemplate), `${text} was accepted`);
    return template;
}

/** A level of a template of commands: a text, or one name. */
const anyCommandLevel = fc.constantFrom(
    "a",
    "b",
    "$x",
    "cmd",
    "{orgId}",
    "{gatewayId}",
    "{typeId}",
    "{deviceId}",
    "{commandId}",
    "{format}",
);
const anyCommandTemplate = fc
    .array(anyCommandLevel, { maxLength: 4 })
    .chain((levels) => fc.shuffledSubarray([...levels, "{commandId}", "{deviceId}"], { minLength: levels.length + 2 }))
    .map((levels) => levels.join("/"));
/** A level of a template of events may mix texts and names. */
const anyEventPiece = fc.constantFrom("a", "b", "$", "cmd", "{orgId}", "{typeId}", "{deviceId}", "{eventId}", "{format}");
const anyEventTemplate = fc
    .tuple(fc.array(fc.array(anyEventPiece, { minLength: 1, maxLength: 3 }), { maxLength: 4 }), fc.nat())
    .map(([levels, place]) => {
        const all: string[][] = [...levels];
        all.splice(place % (levels.length + 1), 0, ["{deviceId}"]);
        return all.map((pieces) => pieces.join("")).join("/");
    });

describe("topic templates", () => {
    it("a blank template stands for the platform's topics", () => {
        assert.equal(parsed("event", "").topic(example), eventTopic(example, "status", "json"));
        assert.equal(parsed("command", "").filter({}), commandFilter({}));
        assert.equal(parsed("command", "").filter(example), commandFilter(example));
    });

    it("a template fills in the ids of the gateway, the device and the message", () => {
        const template = parsed("event", "{orgId}/{gatewayTypeId}/{gatewayId}/{typeId}/{deviceId}/{eventId}.{format}");
        assert.equal(template.topic(example), "plant1/edge/gw-3/pump/pump-7/status.json");
    });

    it("a template fills in a part of a level, and a name that occurs more than once", () => {
        assert.equal(parsed("event", "sensors/{typeId}-{deviceId}/of-{deviceId}").topic(example), "sensors/pump-pump-7/of-pump-7");
    });

    it("a template makes filters with + for each absent part", () => {
        const template = parsed("command", "{orgId}/{typeId}/{deviceId}/cmd/{commandId}");
        assert.equal(template.filter({}), "plant1/+/+/cmd/+");
        assert.equal(template.filter({ deviceId: "pump-7" }), "plant1/+/pump-7/cmd/+");
        assert.equal(template.filter(example), "plant1/pump/pump-7/cmd/start");
    });

    for (const [kind, text, expected, value] of [
        ["event", "a/b", "missingName", "{deviceId}"],
        ["command", "a/{orgId}", "missingName", "{commandId}, {deviceId}"],
        ["command", "a/{deviceId}", "missingName", "{commandId}"],
        ["event", "{deviceid}/a", "unknownName", "{deviceid}"],
        ["event", "{deviceId}/{commandId}", "unknownName", "{commandId}"],
        ["command", "{deviceId}/{commandId}/{eventId}", "unknownName", "{eventId}"],
        ["event", "{deviceId}/{}", "unknownName", "{}"],
        ["event", "{deviceId}/{", "unknownName", "{"],
        ["event", "{{deviceId}}", "unknownName", "{{deviceId}}"],
        ["event", "{deviceId}/a}b", "unknownName", "a}b"],
        ["event", "{deviceId}/${deviceId}{x", "unknownName", "${deviceId}{x"],
        ["command", "{deviceId}/x{commandId}", "partialLevel", "x{commandId}"],
        ["command", "{deviceId}/{commandId}x", "partialLevel", "{commandId}x"],
        ["command", "{deviceId}{commandId}", "partialLevel", "{deviceId}{commandId}"],
        ["command", "{deviceId}/{commandId}/a{orgId}b", "partialLevel", "a{orgId}b"],
        ["event", "/{deviceId}", "badLevel", ""],
        ["event", "{deviceId}/", "badLevel", ""],
        ["event", "a//{deviceId}", "badLevel", ""],
        ["event", "+/{deviceId}", "badLevel", "+"],
        ["event", "{deviceId}/#", "badLevel", "#"],
        ["event", "{deviceId}/a\n", "badLevel", "a\n"],
        ["event", `{deviceId}/${"x".repeat(256)}`, "badLevel", "x".repeat(256)],
        ["event", "$share/{deviceId}", "badLevel", "$share/{deviceId}"],
        ["event", "$sh{deviceId}/a", "badLevel", "$sh{deviceId}/a"],
    ] as const) {
        it(`a template for topics of ${kind}s is rejected with ${expected}: ${JSON.stringify(text.slice(0, 40))}`, () => {
            assert.deepEqual(fault(kind, text), { fault: expected, value });
        });
    }

    it("a template may have 128 levels, and no more", () => {
        parsed("event", `{deviceId}${"/a".repeat(127)}`);
        assert.equal(fault("event", `{deviceId}${"/a".repeat(128)}`).fault, "badLevel");
    });

    it("a template may begin with a topic of the server, such as those of AWS", () => {
        assert.equal(parsed("event", "$aws/things/{deviceId}/shadow/update").topic(example), "$aws/things/pump-7/shadow/update");
    });

    it("a template parses any topic of commands that it makes, whatever the ids", () => {
        fc.assert(
            fc.property(anyCommandTemplate, anyValues, (text, values) => {
                const template = parsed("command", text);
                const topic = template.topic(values);
                const expected = Object.fromEntries(Object.entries(values).filter(([name]) => text.includes(`{${name}}`)));
                assert.deepEqual(template.parse(topic.split("/")), expected, topic);
                assert.ok(filterCovers(template.filter({}), topic) || topic.startsWith("$"), topic);
                assert.equal(template.filter(values), topic);
            }),
            { numRuns: 1000 },
        );
    });

    it("a template parses only topics that it makes", () => {
        fc.assert(
            fc.property(
                anyCommandTemplate,
                fc.array(fc.constantFrom("", "a", "b", "cmd", "plant1", "gw-3", "x"), { maxLength: 7 }),
                (text, levels) => {
                    const template = parsed("command", text);
                    const values = template.parse(levels);
                    if (values) assert.equal(template.topic(values), levels.join("/"));
                },
            ),
            { numRuns: 1000 },
        );
    });

    it("a template parses no topic in which one name has two values", () => {
        assert.equal(parsed("command", "{deviceId}/{commandId}/{deviceId}").parse(["a", "b", "c"]), undefined);
    });

    it("a template never throws, whatever the text", () => {
        fc.assert(
            fc.property(
                fc.constantFrom("event", "command"),
                fc.oneof(fc.string({ unit: "binary" }), fc.stringMatching(/^[{}/\w$+#]{0,30}$/)),
                (kind, text) => {
                    TopicTemplate.parse(kind, text, gateway);
                },
            ),
            { numRuns: 1000 },
        );
    });
});

describe("commands that match events", () => {
    const overlap = (events: string, commands: string) => parsed("event", events).topicMatchedBy(parsed("command", commands), example);

    for (const [events, commands, topic] of [
        ["{typeId}/{deviceId}/{eventId}", "{typeId}/{deviceId}/{commandId}", "pump/pump-7/status"],
        ["a/{deviceId}/{eventId}", "a/{deviceId}/{commandId}", "a/pump-7/status"],
        ["a/x-{deviceId}/cmd", "a/{deviceId}/{commandId}", "a/x-pump-7/cmd"],
        ["a/x-{deviceId}/{eventId}/b", "a/x-1/{deviceId}/{commandId}", "a/x-1/status/b"],
        ["a/{deviceId}/{typeId}{eventId}", "{deviceId}/{commandId}/cmd", "a/pump-7/cmd"],
        ["{deviceId}/{eventId}/{deviceId}", "a/{deviceId}/{commandId}", "a/status/a"],
        ["{orgId}/{deviceId}/x", "plant1/{deviceId}/{commandId}", "plant1/pump-7/x"],
        ["{deviceId}/é.*", "{deviceId}/{commandId}", "pump-7/é.*"],
    ] as const) {
        it(`finds that commands match events: ${events} and ${commands}`, () => assert.equal(overlap(events, commands), topic));
    }

    for (const [events, commands] of [
        ["", ""],
        ["{deviceId}/evt/{eventId}", "{deviceId}/cmd/{commandId}"],
        ["{deviceId}/{eventId}", "{deviceId}/cmd/{commandId}"],
        ["sensors/{deviceId}/telemetry", "sensors/{deviceId}/commands/{commandId}"],
        ["x-{deviceId}/{eventId}", "y-1/{deviceId}/{commandId}"],
        ["{deviceId}/b/{deviceId}", "a/{commandId}/c/{deviceId}"],
        ["{deviceId}/{deviceId}", "{commandId}/{deviceId}/$x"],
        ["{deviceId}/{eventId}/{deviceId}", "{deviceId}/{commandId}/$x"],
        ["{deviceId}/{eventId}/{deviceId}", "a/{deviceId}/b/{commandId}"],
        ["$aws/{deviceId}", "{commandId}/{deviceId}"],
        ["{deviceId}/{eventId}/a", "$aws/{commandId}/{deviceId}"],
        ["{deviceId}x/{eventId}", "{deviceId}/{commandId}/y"],
    ] as const) {
        it(`finds that commands match no event: ${events} and ${commands}`, () => assert.equal(overlap(events, commands), undefined));
    }

    it("finds that commands match events exactly if there is such a topic", () => {
        const anyFew = fc.constantFrom("a", "b", "cmd", "ab", "$", "plant1", "x");
        const few = fc
            .record({ typeId: anyFew, deviceId: anyFew, eventId: anyFew, format: anyFew })
            .filter((values) => Object.values(values).every((id) => isLegalId(id, ownFirstLevelRule)));
        const templates = fc
            .tuple(anyEventTemplate, anyCommandTemplate)
            .filter(([events]) => TopicTemplate.parse("event", events, gateway) instanceof TopicTemplate);
        let found = 0;
        fc.assert(
            fc.property(templates, fc.array(few, { minLength: 20, maxLength: 20 }), ([events, commands], candidates) => {
                const template = parsed("event", events);
                const filter = parsed("command", commands).filter({});
                const topic = template.topicMatchedBy(parsed("command", commands), example);
                if (topic !== undefined) {
                    found += 1;
                    assert.ok(filterCovers(filter, topic), `${filter} does not match ${topic}`);
                    assert.ok(isTopicOf(events, topic), `${topic} is none of ${events}`);
                } else {
                    for (const values of candidates)
                        assert.ok(!filterCovers(filter, template.topic(values)), `${filter} matches ${template.topic(values)}`);
                }
            }),
            { numRuns: 3000 },
        );
        assert.ok(found > 20, `only ${found} overlaps were generated`);
    });
});

/** Whether some ids make this topic of the template: an independent check by trying all ways to cut its levels. */
function isTopicOf(template: string, topic: string): boolean {
    const pieces = template.replaceAll("{orgId}", gateway.orgId).split(/(\{\w+\})/);
    const fits = (rest: string, [piece, ...others]: string[], values: TopicValues & Record<string, string>): boolean => {
        if (piece === undefined) return rest === "";
        if (!piece.startsWith("{")) return rest.startsWith(piece) && fits(rest.slice(piece.length), others, values);
        const name = piece.slice(1, -1);
        for (let length = 1; length <= rest.length && rest[length - 1] !== "/"; length++) {
            const id = rest.slice(0, length);
            if ((values[name] ?? id) === id && fits(rest.slice(length), others, { ...values, [name]: id })) return true;
        }
        return false;
    };
    return fits(topic, pieces, {});
}
