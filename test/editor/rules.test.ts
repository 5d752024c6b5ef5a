import assert from "node:assert/strict";
import fc from "fast-check";
import { defaultPort, gatewayRules, parseGatewayOptions, platforms, transports } from "../../src/gateway/gateway-options";
import { parseCommandSettings } from "../../src/node-red/device-command-in";
import { eventRules } from "../../src/node-red/device-event-out";
import { parseResponderSettings, responderRules } from "../../src/node-red/dm-responder";
import { parseNotificationSettings } from "../../src/node-red/gateway-notify-in";
import { gatewayTopics } from "../../src/protocol/gateway-topics";
import { IdParser, platformIds } from "../../src/protocol/id-parser";
import { mqttClientId, parseDeviceId, parseLevel, parseOrgId, parseTypeId } from "../../src/protocol/identity";
import { commandFilter, eventTopic, notifyTopic } from "../../src/protocol/topic";
import { numberOption, variablePattern } from "../../src/settings";
import { callFormModule, FormHost } from "../support/drivers/editor-forms";

const host = new FormHost();

/** Whether the runtime takes a value: its parsers throw when they do not. */
function accepts(parse: (value: string) => unknown, value: string): boolean {
    try {
        parse(value);
        return true;
    } catch {
        return false;
    }
}

const awkward = fc.oneof(
    fc.string({ maxLength: 40 }),
    fc.string({ unit: "binary", maxLength: 4 }),
    fc.stringMatching(/^[A-Za-z0-9_.-]{0,38}$/),
    fc.constantFrom(
        "+",
        "#",
        "a/b",
        "a b",
        "capteur-é",
        "\u007f",
        "\u0080",
        "\uffff",
        "\ufdd0",
        "\ud800",
        "😀",
        "a\nb",
        "a".repeat(16_385),
    ),
);

/** A value with variables is judged when they are known, so the editor accepts what the parser does not. */
const hasVariables = (value: string): boolean => variablePattern.test(value);

function agrees(
    judge: (value: string) => unknown,
    parse: (value: string) => unknown,
    special: (value: string) => boolean = () => false,
    values: fc.Arbitrary<string> = awkward,
): void {
    fc.assert(
        fc.property(values, (value) => {
            fc.pre(!hasVariables(value));
            assert.equal(judge(value) === true, special(value) || accepts(parse, value), JSON.stringify(value));
        }),
        { numRuns: 300 },
    );
}

/** What the forms show of the topics of a gateway with these settings. */
function shownEvent(settings: object, parts: object): unknown {
    return callFormModule("gateway-topics", "shownEvent", settings, parts);
}

function shownCommands(settings: object, parts: object): unknown {
    return callFormModule("gateway-topics", "shownCommands", settings, parts);
}

describe("the rules of forms", () => {
    const str = { typeIdType: "str", deviceIdType: "str", eventIdType: "str" };
    const blankOrAny = (value: string): boolean => value === "" || value === "+";
    const blank = (value: string): boolean => value === "";

    it("the form and the runtime agree on the gateway's identity", () => {
        agrees((value) => host.validate("gateway-config", "orgId", value), parseOrgId);
        agrees((value) => host.validate("gateway-config", "typeId", value), parseTypeId);
        agrees((value) => host.validate("gateway-config", "deviceId", value), parseDeviceId);
        agrees(
            (value) => host.validate("gateway-config", "will", value),
            (value) => parseLevel(value, "will"),
            blank,
        );
    });

    it("the form and the runtime agree on the server's address", () => {
        const hosts = fc.oneof(
            awkward,
            fc.stringMatching(/^[0-9A-Fa-f:.[\]%]{0,12}$/),
            fc.constantFrom(
                "mqtts://broker",
                "broker:8883",
                "fd00::7",
                "[::1]",
                "user@broker",
                "a\\b",
                " broker ",
                "broker/path",
                "broker?a",
            ),
        );
        const identity = { orgId: "org", typeId: "gw", deviceId: "gw1" };
        agrees(
            (value) => host.validate("gateway-config", "host", value),
            (value) => parseGatewayOptions({ ...identity, host: value }),
            undefined,
            hosts,
        );
        agrees(
            (value) => host.validate("gateway-config", "path", value, { transport: "wss" }),
            (value) => parseGatewayOptions({ ...identity, host: "broker", transport: "wss", path: value }),
            undefined,
            fc.oneof(
                awkward,
                awkward.map((path) => `/${path}`),
                fc.constantFrom("/mqtt", "/mqtt?a=b", "mqtt", "/a b"),
            ),
        );
    });

    it("the form and the runtime agree on the type, device and event id of an event", () => {
        agrees((value) => host.validate("device-event-out", "typeId", value, str), parseTypeId);
        agrees((value) => host.validate("device-event-out", "deviceId", value, str), parseDeviceId);
        agrees(
            (value) => host.validate("device-event-out", "eventId", value, str),
            (value) => parseLevel(value, "eventId"),
        );
        agrees(
            (value) => host.validate("device-event-out", "format", value),
            (value) => parseLevel(value, "format"),
            blank,
        );
    });

    it("the form and the runtime agree on which commands to receive", () => {
        agrees((value) => host.validate("device-command-in", "typeId", value), parseTypeId, blankOrAny);
        agrees((value) => host.validate("device-command-in", "deviceId", value), parseDeviceId, blankOrAny);
        for (const property of ["commandId", "format"]) {
            agrees(
                (value) => host.validate("device-command-in", property, value),
                (value) => parseLevel(value, property),
                blankOrAny,
            );
        }
    });

    it("the form and the runtime agree on the event that answers a command", () => {
        const answer = { acknowledge: "flow" };
        for (const values of [(value: string) => value, (value: string) => `{commandId}${value}{commandId}`]) {
            agrees(
                (value) => host.validate("device-command-in", "answer", values(value), answer),
                (value) =>
                    parseCommandSettings(
                        { id: "n", z: "t", type: "device-command-in", name: "", answer: values(value), ...answer },
                        platformIds,
                    ),
                blank,
            );
        }
    });

    it("the form and the runtime agree on which devices to manage", () => {
        agrees((value) => host.validate("dm-responder", "typeId", value, { target: "device" }), parseTypeId, blankOrAny);
        agrees((value) => host.validate("dm-responder", "deviceId", value, { target: "device" }), parseDeviceId, blankOrAny);
    });

    /** Numbers as people may enter them, near the bounds of a rule and far from them. */
    const numbers = ({ min, max }: { min: number; max: number }) =>
        fc.oneof(
            fc.constantFrom(min - 1, min - 0.5, min, min + 0.5, min + 1, max - 1, max, max + 0.5, max + 1, 0).map(String),
            fc.double({ min: -2 * max, max: 2 * max, noNaN: true }).map(String),
            fc.constantFrom("1.0", " 5 ", "05", "1e3", "0x10", "-0", ".5", "5.", "1,5", "Infinity", "NaN", "", "  ", "\u0665"),
            awkward,
        );

    it("the form and the runtime agree on every number", () => {
        const complete = { platform: "broker", host: "a", orgId: "org", typeId: "gw", deviceId: "1" };
        const parsers = {
            "gateway-config": (property: string) => (value: string) => parseGatewayOptions({ ...complete, [property]: value }),
            "dm-responder": (property: string) => (value: string) => parseResponderSettings({ [property]: value }),
            "device-event-out": () => (value: string) => numberOption({ ttl: value }, "ttl", { ...eventRules.ttl, fallback: 0 }),
        } as const;
        const rules = { "gateway-config": gatewayRules, "dm-responder": responderRules, "device-event-out": eventRules } as const;
        let judged = 0;
        for (const type of ["gateway-config", "dm-responder", "device-event-out"] as const) {
            for (const [property, rule] of Object.entries(rules[type])) {
                if (!("min" in rule)) continue;
                judged += 1;
                agrees((value) => host.validate(type, property, value), parsers[type](property), undefined, numbers(rule));
            }
        }
        assert.equal(judged, 14);
    });

    it("the form and the runtime agree on JSON objects and lists of bundles", () => {
        const json = fc.oneof(
            awkward,
            fc.jsonValue({ maxDepth: 2 }).map((value) => JSON.stringify(value)),
            fc.dictionary(fc.string(), fc.string()).map((value) => JSON.stringify(value)),
            fc.constantFrom("", "  ", "{}", " {} ", "[]", "null"),
        );
        for (const property of ["deviceInfo", "metadata"]) {
            const parse = (value: string) => parseResponderSettings({ [property]: value });
            agrees((value) => host.validate("dm-responder", property, value), parse, undefined, json);
        }
        const bundles = fc.oneof(
            awkward,
            fc.array(awkward, { maxLength: 3 }).map((ids) => ids.join(", ")),
        );
        const parse = (value: string) => parseResponderSettings({ bundles: value });
        agrees((value) => host.validate("dm-responder", "bundles", value), parse, undefined, bundles);
    });

    it("the form and the runtime agree on the transport and the default port of each platform", () => {
        const identity = { host: "a", orgId: "org", typeId: "gw", deviceId: "1" };
        for (const platform of platforms) {
            for (const transport of transports) {
                const parse = (value: string) => parseGatewayOptions({ ...identity, platform, transport: value });
                const outcome = host.validate("gateway-config", "transport", transport, { platform });
                assert.equal(outcome === true, accepts(parse, transport), `${platform} ${transport}`);
                const shown = callFormModule("previews", "defaultPort", platform, transport);
                assert.equal(shown, String(defaultPort(platform, transport)), `${platform} ${transport}`);
            }
        }
    });

    it("the previews show the topics that the runtime uses", () => {
        const gateway = { orgId: "org", typeId: "gw", deviceId: "1" };
        const device = { typeId: "pump", deviceId: "17" };
        assert.equal(callFormModule("previews", "defaultClientId", gateway), mqttClientId(gateway));
        assert.equal(shownEvent(gateway, { ...device, eventId: "status", format: "json" }), eventTopic(device, "status", "json"));
        assert.equal(shownCommands(gateway, { ...device, commandId: "", format: "" }), commandFilter(device));
        const parts = { typeId: "", commandId: "start", format: "json" };
        assert.equal(shownCommands(gateway, parts), commandFilter({ commandId: "start", format: "json" }));
        assert.equal(callFormModule("previews", "platformTopics.notifications", gateway), notifyTopic(gateway));
    });

    describe("of own topics", () => {
        const identity = { orgId: "org", typeId: "gw", deviceId: "1" };
        const broker = { ...identity, platform: "broker", host: "a" };
        const anyPart = fc.constantFrom(
            "a",
            "cmd",
            "$x",
            "{orgId}",
            "{typeId}",
            "{deviceId}",
            "{eventId}",
            "{commandId}",
            "{format}",
            "{x}",
            "+",
        );
        const anyTemplate = fc.oneof(
            awkward,
            fc
                .array(
                    fc.array(anyPart, { maxLength: 2 }).map((parts) => parts.join("")),
                    { maxLength: 4 },
                )
                .map((levels) => levels.join("/")),
            fc.constantFrom(
                "",
                "{deviceId}",
                "{deviceId}/{commandId}",
                "{deviceId}/{eventId}",
                "a/{deviceId}/cmd/{commandId}",
                "$share/{deviceId}",
            ),
        );

        it("the form and the runtime agree on every pair of templates", () => {
            let accepted = 0;
            fc.assert(
                fc.property(anyTemplate, anyTemplate, (eventTemplate, commandTemplate) => {
                    fc.pre(!hasVariables(eventTemplate) && !hasVariables(commandTemplate));
                    const templates = { eventTopic: eventTemplate, commandTopic: commandTemplate };
                    const judged = (["eventTopic", "commandTopic"] as const).every(
                        (property) => host.validate("gateway-config", property, templates[property], { ...broker, ...templates }) === true,
                    );
                    const taken = accepts(() => parseGatewayOptions({ ...broker, ...templates }), "");
                    assert.equal(judged, taken, JSON.stringify(templates));
                    if (taken) accepted += 1;
                }),
                { numRuns: 2000 },
            );
            assert.ok(accepted > 50, `only ${accepted} pairs were valid`);
        });

        it("the form and the runtime agree on client id, user name and last will", () => {
            const own = { ...broker, eventTopic: "{eventId}-{deviceId}/x" };
            for (const property of ["clientId", "userName", "will"]) {
                agrees(
                    (value) => host.validate("gateway-config", property, value, own),
                    (value) => parseGatewayOptions({ ...own, [property]: value }),
                    undefined,
                    fc.oneof(awkward, fc.constantFrom("$SYS", "x".repeat(253), "x".repeat(254), "x".repeat(255), "x".repeat(256))),
                );
            }
        });

        for (const policy of ["strict", "replace"] as const) {
            for (const templates of [
                { eventTopic: "", commandTopic: "" },
                { eventTopic: "sensors/{deviceId}", commandTopic: "cmd/{deviceId}/{commandId}" },
                { eventTopic: "{typeId}/{eventId}/{deviceId}.{format}", commandTopic: "{deviceId}/{typeId}/cmd/{commandId}/{format}" },
            ]) {
                it(`the form and the runtime agree on ids: ${policy}, ${JSON.stringify(templates)}`, () => {
                    const own = { ...broker, ...templates, idRule: policy };
                    host.gateways.set("own", own);
                    const topics = gatewayTopics({ identity, ...templates });
                    const ids = new IdParser(topics, policy);
                    for (const property of ["typeId", "deviceId", "eventId", "format"] as const) {
                        agrees(
                            (value) => host.validate("device-event-out", property, value, { ...str, gateway: "own" }),
                            (value) => ids.ofEvent(property, value),
                            (value) => property === "format" && blank(value),
                        );
                    }
                    for (const property of ["typeId", "deviceId", "commandId", "format"] as const) {
                        agrees(
                            (value) => host.validate("device-command-in", property, value, { gateway: "own" }),
                            (value) => ids.ofCommand(property, value),
                            blankOrAny,
                        );
                    }
                    for (const property of ["typeId", "deviceId"] as const) {
                        agrees(
                            (value) => host.validate("dm-responder", property, value, { target: "device", gateway: "own" }),
                            (value) => parseResponderSettings({ target: "device", [property]: value }, ids),
                        );
                    }
                });

                it(`the previews show the topics that the runtime uses: ${policy}, ${JSON.stringify(templates)}`, () => {
                    const own = { ...broker, ...templates, idRule: policy };
                    const topics = gatewayTopics({ identity, ...templates });
                    const ids = new IdParser(topics, policy);
                    fc.assert(
                        fc.property(awkward, awkward, (deviceId, commandId) => {
                            const isGood = accepts(() => [ids.ofEvent("deviceId", deviceId), ids.ofCommand("commandId", commandId)], "");
                            fc.pre(isGood && deviceId !== "+" && commandId !== "+");
                            const device = { typeId: "pump", deviceId: ids.parse("deviceId", deviceId) };
                            const shown = {
                                ...device,
                                deviceId: callFormModule("gateway-topics", "replacedId", own, "deviceId", deviceId),
                            };
                            assert.equal(
                                shownEvent(own, { ...shown, eventId: "status", format: "json" }),
                                topics.eventTopic(device, "status", "json"),
                            );
                            assert.equal(
                                shownCommands(own, { deviceId, commandId }),
                                topics.commandFilter({ deviceId: device.deviceId, commandId: ids.parse("commandId", commandId) }),
                            );
                        }),
                    );
                });
            }
        }

        it("a node that needs the platform is marked", () => {
            host.gateways.set("own", { ...broker, eventTopic: "sensors/{deviceId}" });
            host.gateways.set("platform", { ...broker, platform: "maximo", eventTopic: "sensors/{deviceId}" });
            for (const [type, property, value] of [
                ["gateway-notify-in", "request", "any"],
                ["dm-responder", "target", "gateway"],
            ] as const) {
                assert.equal(typeof host.validate(type, property, value, { gateway: "own" }), "string", type);
                for (const gateway of ["platform", "", "unknown"])
                    assert.equal(host.validate(type, property, value, { gateway }), true, gateway);
            }
        });

        it("own topics are not validated on another platform, nor while a variable is unknown", () => {
            for (const platform of ["maximo", "simulator"]) {
                assert.equal(host.validate("gateway-config", "eventTopic", "+", { ...broker, platform }), true);
            }
            const withVariable = { ...broker, eventTopic: "plant/${LINE}/{deviceId}", commandTopic: "${TOPIC}" };
            for (const property of ["eventTopic", "commandTopic"] as const) {
                assert.equal(host.validate("gateway-config", property, withVariable[property], withVariable), true);
            }
            assert.equal(shownEvent(withVariable, { typeId: "t", deviceId: "d", eventId: "e", format: "json" }), "plant/…/d");
        });
    });

    it("a property that a flow leaves out has its default, unless the user must fill it in", () => {
        const left = { eventId: undefined, eventIdType: undefined, deviceIdType: undefined };
        for (const property of ["eventId", "typeId", "deviceId", "format", "ttl"]) {
            assert.equal(host.validate("device-event-out", property, undefined, left), true, property);
        }
        for (const property of ["port", "transport", "path", "keepAlive", "outboxMaxMb", "will"]) {
            assert.equal(host.validate("gateway-config", property, undefined), true, property);
        }
        for (const property of ["host", "orgId"]) assert.equal(typeof host.validate("gateway-config", property, undefined), "string");
    });

    it("a form does not validate a property that is not used", () => {
        for (const property of ["typeId", "deviceId"]) {
            assert.equal(host.validate("device-event-out", property, "a/b", { ...str, source: "gateway" }), true);
            assert.equal(host.validate("device-command-in", property, "a/b", { target: "gateway" }), true);
            assert.equal(host.validate("dm-responder", property, "a/b", { target: "gateway" }), true);
        }
        for (const property of ["timeout", "answer"]) {
            assert.equal(host.validate("device-command-in", property, "0/", { acknowledge: "received" }), true);
            assert.equal(typeof host.validate("device-command-in", property, "0/", { acknowledge: "flow" }), "string");
        }
        assert.equal(host.validate("gateway-config", "host", "", { platform: "simulator" }), true);
        assert.equal(host.validate("gateway-config", "path", "no path", { transport: "tls" }), true);
    });

    it("a form validates only the syntax of a value that comes with the message", () => {
        assert.equal(host.validate("device-event-out", "deviceId", "payload.id", { deviceIdType: "msg" }), true);
        assert.equal(typeof host.validate("device-event-out", "deviceId", "", { deviceIdType: "msg" }), "string");
        assert.equal(typeof host.validate("device-event-out", "deviceId", "!", { deviceIdType: "jsonata" }), "string");
    });

    const cases: [Parameters<FormHost["validate"]>[0], string, string[], string[]][] = [
        ["gateway-config", "port", ["", "1", "443", "65535"], ["0", "65536", "-1", "1.5", "x", "1e3", "0x10"]],
        ["gateway-config", "keepAlive", ["", "1", "3600"], ["0", "3601", "1.5", "sixty"]],
        ["gateway-config", "outboxMaxMb", ["", "0.5", "1000000"], ["0", "-1", "1000001"]],
        ["gateway-config", "maxInFlight", ["", "1", "1000"], ["0", "1001"]],
        ["gateway-config", "registrationLimit", ["", "1", "128"], ["0", "129"]],
        ["gateway-config", "maxRate", ["", "0", "0.5", "50"], ["-1", ".5"]],
        ["gateway-config", "maxRateKb", ["", "0", "0.5", "1000000"], ["-1", "1000001", "1 KB"]],
        [
            "gateway-config",
            "host",
            ["a.b-c.example", "10.0.0.1", "::1", "fe80::1%eth0"],
            ["", "mqtts://a", "a:8883", "a/b", "a b", "user@a", "[::1]", "a\\b"],
        ],
        ["gateway-config", "path", ["/", "/mqtt", "/a/b?c=d"], ["mqtt", "/a b", "/a#b"]],
        ["gateway-notify-in", "interval", ["", "1", "86400"], ["0", "86401", "x"]],
        ["gateway-notify-in", "silentAfter", ["1", "600", "31536000"], ["", " ", "0", "-1", "x"]],
        ["dm-responder", "lifetime", ["", "0", "3600"], ["1", "3599", "-1"]],
        ["dm-responder", "timeout", ["", "1", "30"], ["0"]],
        ["dm-responder", "deviceInfo", ["", "{}", '{"model":"x"}'], ["[]", "null", "1", "{", '{"model":5}']],
        ["dm-responder", "metadata", ["", "{}", '{"site":{"room":5}}'], ["[]", "null", "1", "{"]],
        ["dm-responder", "bundles", ["", "a-v1", "a-v1, b.v2"], ["a b", "a,,b", "a/b"]],
        ["device-command-in", "timeout", ["", "1", "3600"], ["0", "3601", "soon"]],
        ["device-event-out", "ttl", ["", "0.5", "86400"], ["0", "-1", "soon"]],
    ];
    const runtime: Partial<Record<string, (properties: Record<string, unknown>) => unknown>> = {
        "gateway-config": (properties) => parseGatewayOptions({ host: "a", orgId: "org", typeId: "gw", deviceId: "1", ...properties }),
        "dm-responder": parseResponderSettings,
        "gateway-notify-in": (properties) =>
            parseNotificationSettings({ id: "n", type: "gateway-notify-in", name: "", z: "tab", ...properties }),
    };
    for (const [type, property, good, bad] of cases) {
        it(`${type}: the form and the runtime accept and reject the same values of ${property}`, () => {
            const about = property === "interval" ? "gateway" : "devices";
            const judge = (value: string) => {
                const properties = { platform: "broker", transport: "wss", acknowledge: "flow", about, [property]: value };
                const parse = runtime[type];
                const words = host.validate(type, property, value, properties);
                if (parse)
                    assert.equal(
                        accepts(() => parse(properties), value),
                        words === true,
                        `${value} at runtime`,
                    );
                return words;
            };
            for (const value of good) assert.equal(judge(value), true, value);
            for (const value of bad) assert.equal(typeof judge(value), "string", value);
        });
    }
});
