import assert from "node:assert/strict";
import fc from "fast-check";
import { GatewayError } from "../../../src/errors";
import { parseGatewayOptions } from "../../../src/gateway/gateway-options";
import { shownAs } from "../../../src/settings";
import { throwsCode } from "../../support/assertions";

const minimal = { orgId: "org", typeId: "gw", deviceId: "gw1", host: "example.com" };

describe("gateway options", () => {
    it("has the documented defaults", () => {
        assert.deepEqual(parseGatewayOptions(minimal), {
            identity: { orgId: "org", typeId: "gw", deviceId: "gw1" },
            clientId: "g:org:gw:gw1",
            userName: undefined,
            platform: "maximo",
            host: "example.com",
            port: 443,
            transport: "tls",
            path: "/",
            cleanSession: true,
            keepAliveS: 60,
            outbox: "disk",
            outboxMaxBytes: 104_857_600,
            outboxMaxAgeMs: 604_800_000,
            outboxFull: "reject",
            undeliveredMaxBytes: 10_485_760,
            outboxReservedShare: 0.1,
            maxRate: 0,
            maxRateBytes: 0,
            autoConnect: true,
            maxInFlight: 100,
            registration: "always",
            registrationLimit: 8,
            registrationBackoffMs: 600_000,
            willEventId: undefined,
            eventTopic: "",
            commandTopic: "",
            idRule: "strict",
        });
    });

    describe("of the user's own broker", () => {
        const broker = { ...minimal, platform: "broker" };
        const own = { eventTopic: "a/{deviceId}", commandTopic: "b/{deviceId}/{commandId}", clientId: "plant 7", userName: "edge" };

        it("accepts own topics, client id and user name", () => {
            const { eventTopic, commandTopic, clientId, userName } = parseGatewayOptions({ ...broker, ...own });
            assert.deepEqual({ eventTopic, commandTopic, clientId, userName }, own);
        });

        for (const platform of ["maximo", "simulator"]) {
            it(`ignores own topics on ${platform}, whatever the form held before`, () => {
                const faulty = { eventTopic: "+", commandTopic: "${NOT_SET}", clientId: "a\u0000", userName: "${NOT_SET}" };
                assert.deepEqual(parseGatewayOptions({ ...minimal, ...faulty, platform }), parseGatewayOptions({ ...minimal, platform }));
            });
        }

        for (const [name, value] of [
            ["eventTopic", "sensors"],
            ["commandTopic", "cmd/{deviceId}"],
            ["clientId", "a\u0000"],
            ["clientId", "x".repeat(256)],
            ["userName", "\ud800"],
        ] as const) {
            it(`rejects the ${name} ${JSON.stringify(value.slice(0, 20))}`, () => {
                assert.throws(() => parseGatewayOptions({ ...broker, [name]: value }), {
                    code: "GW_CONFIG",
                    message: new RegExp(`^${name} `),
                });
            });
        }

        it("rejects a last will that does not fit own topics", () => {
            const will = "x".repeat(256);
            assert.equal(parseGatewayOptions({ ...broker, will }).willEventId, will);
            throwsCode("GW_CONFIG", () => parseGatewayOptions({ ...broker, ...own, will }));
            throwsCode("GW_CONFIG", () => parseGatewayOptions({ ...broker, eventTopic: "{deviceId}-{eventId}", will: "x".repeat(255) }));
        });
    });

    for (const [platform, transport, port] of [
        ["maximo", "tls", 443],
        ["maximo", "wss", 443],
        ["broker", "tls", 8883],
        ["broker", "tcp", 1883],
        ["broker", "wss", 443],
        ["broker", "ws", 80],
    ] as const) {
        it(`uses port ${port} for ${transport} to ${platform} by default`, () => {
            assert.equal(parseGatewayOptions({ ...minimal, platform, transport }).port, port);
        });
    }

    it("connects to the simulator on this machine, whatever the form held before", () => {
        const options = parseGatewayOptions({ ...minimal, platform: "simulator", host: "example.com", transport: "wss" });
        assert.deepEqual([options.host, options.port, options.transport], ["127.0.0.1", 18830, "tcp"]);
    });

    it("ignores an unset variable in a property that is not used", () => {
        assert.equal(
            parseGatewayOptions({ ...minimal, platform: "simulator", host: "${NOT_SET}", transport: "${NOT_SET}" }).host,
            "127.0.0.1",
        );
    });

    it("accepts numeric ids, as in variables of a flow", () => {
        assert.deepEqual(parseGatewayOptions({ ...minimal, orgId: 1, typeId: 2, deviceId: 3 }).identity, {
            orgId: "1",
            typeId: "2",
            deviceId: "3",
        });
    });

    it("accepts IPv4 and IPv6 addresses as host, and ignores an unused path", () => {
        for (const host of ["10.0.0.7", "fd00::7", "::ffff:10.0.0.7", " broker "]) {
            assert.equal(parseGatewayOptions({ ...minimal, host, path: "mqtt" }).host, host.trim());
        }
    });

    it("reads numbers and booleans from the strings of environment variables", () => {
        const options = parseGatewayOptions({ ...minimal, port: "8443", cleanSession: "false", keepAlive: " 30 ", outboxMaxMb: "0.5" });
        assert.deepEqual([options.port, options.cleanSession, options.keepAliveS, options.outboxMaxBytes], [8443, false, 30, 524_288]);
    });

    it("errors show no character of a value that must not be shown, cut or masked or escaped", () => {
        // None of these letters is in a text of this package.
        const secret = fc.string({
            unit: fc.constantFrom(..."ЖЩЮЯ", '"', "\\", "/", "@", "?", "#", ":", " "),
            minLength: 1,
            maxLength: 90,
        });
        const shown = (property: string) => ({ [shownAs]: { [property]: "${VARIABLE}" } });
        const properties = ["platform", "host", "port", "transport", "path", "orgId", "typeId", "deviceId", "cleanSession", "keepAlive"];
        for (const property of properties) {
            const others = property === "path" ? { platform: "broker", transport: "wss" } : {};
            fc.assert(
                fc.property(secret, (value) => {
                    try {
                        parseGatewayOptions({ ...minimal, ...others, [property]: value, ...shown(property) });
                    } catch (thrown) {
                        assert.ok(thrown instanceof GatewayError);
                        assert.doesNotMatch(thrown.message, /[ЖЩЮЯ]/);
                        assert.match(thrown.message, /\$\{VARIABLE\}/);
                    }
                }),
                { numRuns: 100 },
            );
        }
    });

    const refused: [string, Record<string, unknown>, RegExp][] = [
        ["a missing host", { host: "" }, /host is ""/],
        ["a host that is a URL", { host: "mqtts://example.com" }, /host/],
        ["a host with a path", { host: "example.com/x" }, /host is "example\.com\/x"; .*without scheme, port or path/],
        ["a host with a port", { host: "example.com:8883" }, /host is "example\.com:8883"; .*without scheme, port or path/],
        ["an address in brackets", { host: "[::1]" }, /host is "\[::1\]"/],
        ["a missing organisation", { orgId: undefined }, /orgId is missing/],
        ["a type with a space", { typeId: "my type" }, /typeId is "my type"/],
        ["an empty device id", { deviceId: "" }, /deviceId is empty/],
        ["an unset variable as device id", { deviceId: "${NOT_SET}" }, /deviceId.*variable NOT_SET, which is not set/],
        ["an unset variable among others", { deviceId: "a-${NOT_SET}-${OTHER}" }, /deviceId.*variable NOT_SET, which is not set/],
        ["an unset variable within a host", { host: "${NOT_SET}.example.com" }, /host.*variable NOT_SET, which is not set/],
        ["an unset variable as port, in the older notation", { port: "$(NOT_SET)" }, /port.*variable NOT_SET, which is not set/],
        ["an unknown platform", { platform: "aws" }, /platform is "aws"; it must be one of maximo, broker, simulator/],
        ["an unencrypted transport to Maximo", { transport: "tcp" }, /Maximo accepts only tls and wss/],
        ["port 0", { port: "0" }, /port is "0"; it must be a whole number from 1 to 65535/],
        ["port 65536", { port: 65_536 }, /port/],
        ["a port that is not a number", { port: "mqtt" }, /port/],
        ["keep alive 0", { keepAlive: "0" }, /keepAlive/],
        ["keep alive 3601", { keepAlive: "3601" }, /keepAlive/],
        ["an outbox of 0 MB", { outboxMaxMb: "0" }, /outboxMaxMb/],
        ["a negative age", { outboxMaxAge: "-1" }, /outboxMaxAge/],
        ["a reserve of 51 percent", { outboxReserve: "51" }, /outboxReserve is "51"; it must be a number from 0 to 50/],
        ["a negative reserve", { outboxReserve: "-1" }, /outboxReserve/],
        ["a negative list of undelivered events", { undeliveredMaxMb: "-1" }, /undeliveredMaxMb/],
        ["an unknown policy", { outboxFull: "block" }, /outboxFull/],
        ["maxInFlight 1001", { maxInFlight: "1001" }, /maxInFlight/],
        ["registrationLimit 129", { registrationLimit: "129" }, /registrationLimit/],
        ["a rate in scientific notation", { maxRate: "1e9" }, /maxRate/],
        ["a last will that is not a topic level", { will: "a/b" }, /will is "a\/b"/],
        ["a path without a slash", { transport: "wss", path: "mqtt" }, /path is "mqtt"/],
        ["cleanSession maybe", { cleanSession: "maybe" }, /cleanSession/],
        ["an object as host", { host: {} }, /host is of type object/],
    ];
    for (const [name, properties, words] of refused) {
        it(`rejects ${name}, and names the property`, () => {
            const error = throwsCode("GW_CONFIG", () => parseGatewayOptions({ ...minimal, ...properties }));
            assert.match(error.message, words);
        });
    }
});
