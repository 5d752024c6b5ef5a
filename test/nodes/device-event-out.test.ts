import assert from "node:assert/strict";
import helper from "node-red-node-test-helper";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import { eventNode, gatewayNode, Inbox, load, node, observers, withRuntime } from "../support/drivers/flow-runner";
import { codeOf, errorTextOf, memberOf } from "../support/records";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

const clientId = "g:org:gw:gw1";

describe("device-event-out", () => {
    let simulator: Simulator;
    withRuntime();

    beforeEach(async () => {
        simulator = await startSimulator({ port: 0, httpPort: 0 });
    });

    afterEach(() => simulator.close());

    /** What the platform received as events, in order. */
    const events = () => simulator.observed.packets().filter(({ command }) => command === "publish");
    const connected = () => waitFor(() => simulator.observed.counts(clientId).subscribe ?? 0, "the connection");

    async function start(properties: Record<string, unknown> = {}): Promise<{ caught: Inbox; completed: Inbox; statuses: Inbox }> {
        await load([gatewayNode(simulator.port), eventNode(properties), ...observers]);
        const inboxes = { caught: new Inbox("caught"), completed: new Inbox("completed"), statuses: new Inbox("statuses") };
        await connected();
        return inboxes;
    }

    const send = (message: Record<string, unknown>) => node("event").receive(message);
    const device = { typeId: "pump", deviceId: "p1" };

    it("publishes an event of a device, and completes the message when the platform has acknowledged it", async () => {
        const { completed } = await start();
        send({ ...device, payload: { speed: 5 }, _msgid: "m1" });
        assert.equal((await completed.next())._msgid, "m1");
        const [event] = events();
        assert.deepEqual(
            [event?.topic, event?.payload?.toString(), event?.qos, event?.retain],
            ["iot-2/type/pump/id/p1/evt/status/fmt/json", '{"speed":5}', 1, false],
        );
    });

    it("publishes the original bytes, although the flow reuses its Buffer before they are sent", async () => {
        await load([gatewayNode(simulator.port), eventNode({ format: "bin" }), ...observers]);
        const bytes = Buffer.from("measured");
        send({ ...device, payload: bytes });
        bytes.fill("x");
        await waitFor(() => events().length === 1, "the event");
        assert.equal(events()[0]?.payload?.toString(), "measured");
    });

    it("fills several variables within an id, an event name or a format", async () => {
        Object.assign(process.env, { TEST_AREA: "hall2", TEST_KIND: "state" });
        const ids = { typeId: "${TEST_AREA}-pump", typeIdType: "str", eventId: "${TEST_AREA}.${TEST_KIND}", format: "text-${TEST_KIND}" };
        const { completed } = await start(ids);
        send({ payload: "on", deviceId: "p1" });
        await completed.next();
        assert.equal(events()[0]?.topic, "iot-2/type/hall2-pump/id/p1/evt/hall2.state/fmt/text-state");
    });

    it("leaves what looks like a variable in an expression alone", async () => {
        process.env.TEST_AREA = "hall2";
        const { completed } = await start({ deviceId: '"${TEST_AREA}" = "hall2" ? "wrong" : "p1"', deviceIdType: "jsonata" });
        send({ ...device, payload: 1 });
        await completed.next();
        assert.equal(events()[0]?.topic, "iot-2/type/pump/id/p1/evt/status/fmt/json");
    });

    it("publishes the gateway's own events", async () => {
        const { completed } = await start({ source: "gateway", eventId: "alive", format: "text" });
        send({ payload: "yes", typeId: "pump" });
        await completed.next();
        assert.equal(events()[0]?.topic, "iot-2/type/gw/id/gw1/evt/alive/fmt/text");
    });

    it("reads ids from message, flow context, environment and JSONata, and keeps the order", async () => {
        process.env.TEST_TYPE = "fan";
        const { completed } = await start({
            typeId: "TEST_TYPE",
            typeIdType: "env",
            deviceId: "'f' & payload.n",
            deviceIdType: "jsonata",
            eventId: "event",
            eventIdType: "flow",
        });
        node("event").context().flow.set("event", "spin");
        for (let n = 1; n <= 3; n++) send({ payload: { n } });
        await completed.count(3);
        assert.deepEqual(
            events().map(({ topic }) => topic),
            [1, 2, 3].map((n) => `iot-2/type/fan/id/f${n}/evt/spin/fmt/json`),
        );
    });

    it("sends a numeric id as decimal", async () => {
        const { completed } = await start();
        send({ typeId: "pump", deviceId: 17, payload: 1 });
        await completed.next();
        assert.equal(events()[0]?.topic, "iot-2/type/pump/id/17/evt/status/fmt/json");
    });

    it("reads format and QoS from the message if the form leaves them blank", async () => {
        const { completed } = await start({ format: "", qos: "" });
        send({ ...device, payload: "a,b", format: "csv", qos: 2 });
        await completed.next();
        assert.deepEqual([events()[0]?.topic, events()[0]?.qos], ["iot-2/type/pump/id/p1/evt/status/fmt/csv", 2]);
    });

    it("never sets the retain flag, whatever the message says", async () => {
        const { completed } = await start();
        send({ ...device, payload: 1, retain: true });
        await completed.next();
        assert.equal(events()[0]?.retain, false);
    });

    it("wraps and stamps a JSON payload", async () => {
        const { completed } = await start({ wrap: true, timestamp: "ts" });
        send({ ...device, payload: { speed: 5 } });
        await completed.next();
        const body = JSON.parse(events()[0]?.payload?.toString() ?? "");
        assert.equal(body.d.speed, 5);
        assert.match(body.d.ts, /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
    });

    it("publishes exactly 131072 bytes, counted in bytes of UTF-8", async () => {
        const { completed } = await start({ format: "text" });
        send({ ...device, payload: "é".repeat(65_536) });
        await completed.next();
        assert.equal(events()[0]?.payloadBytes, 131_072);
    });

    const circular: Record<string, unknown> = {};
    circular.self = circular;
    const bad: [string, Record<string, unknown>, string, Record<string, unknown>?][] = [
        ["a missing device id", { typeId: "pump", payload: 1 }, "GW_INVALID_ID"],
        ["an empty device id", { typeId: "pump", deviceId: "", payload: 1 }, "GW_INVALID_ID"],
        ["a type id with a space", { typeId: "my type", deviceId: "p1", payload: 1 }, "GW_INVALID_ID"],
        ["a device id of 37 characters", { typeId: "pump", deviceId: "x".repeat(37), payload: 1 }, "GW_INVALID_ID"],
        ["an object as device id", { typeId: "pump", deviceId: {}, payload: 1 }, "GW_INVALID_ID"],
        ["an empty event id", { ...device, event: "", payload: 1 }, "GW_INVALID_ID", { eventId: "event", eventIdType: "msg" }],
        ["an event id with a slash", { ...device, event: "a/b", payload: 1 }, "GW_INVALID_ID", { eventId: "event", eventIdType: "msg" }],
        ["an event id with +", { ...device, event: "a+", payload: 1 }, "GW_INVALID_ID", { eventId: "event", eventIdType: "msg" }],
        ["an event id with #", { ...device, event: "#", payload: 1 }, "GW_INVALID_ID", { eventId: "event", eventIdType: "msg" }],
        [
            "an event id with a control character",
            { ...device, event: "a\u0007", payload: 1 },
            "GW_INVALID_ID",
            { eventId: "event", eventIdType: "msg" },
        ],
        [
            "a device id that the form names and leaves blank",
            { ...device, payload: 1 },
            "GW_INVALID_ID",
            { deviceId: "", deviceIdType: "str" },
        ],
        ["a blank property of the message as device id", { ...device, payload: 1 }, "GW_INVALID_ID", { deviceId: "", deviceIdType: "msg" }],
        ["an event id that the form leaves blank", { ...device, payload: 1 }, "GW_INVALID_ID", { eventId: "" }],
        ["an event id from an unset variable", { ...device, payload: 1 }, "GW_CONFIG", { eventId: "${TEST_NOT_SET}" }],
        ["a format from a variable that is not set", { ...device, payload: 1 }, "GW_CONFIG", { format: "${TEST_NOT_SET}" }],
        ["a time field from a variable that is not set", { ...device, payload: 1 }, "GW_CONFIG", { timestamp: "${TEST_NOT_SET}" }],
        ["a ttl in the form that is not a number", { ...device, payload: 1 }, "GW_CONFIG", { ttl: "soon" }],
        ["a device id at a path that does not exist", { typeId: "pump", payload: 1 }, "GW_INVALID_ID", { deviceId: "payload.meta.id" }],
        ["an invalid path in the message", { ...device, payload: 1 }, "GW_CONFIG", { deviceId: "payload..id" }],
        ["a missing QoS in the message", { ...device, payload: 1 }, "GW_INVALID_QOS", { qos: "" }],
        ["a missing format in the message", { ...device, payload: 1 }, "GW_INVALID_ID", { format: "" }],
        ["a missing payload", { ...device }, "GW_INVALID_PAYLOAD"],
        ["a circular object", { ...device, payload: circular }, "GW_INVALID_PAYLOAD"],
        ["BigInt", { ...device, payload: 10n }, "GW_INVALID_PAYLOAD"],
        ["an object as text", { ...device, payload: {} }, "GW_INVALID_PAYLOAD", { format: "text" }],
        ["131073 bytes", { ...device, payload: Buffer.alloc(131_073) }, "GW_PAYLOAD_TOO_LARGE", { format: "bin" }],
        ["QoS 3", { ...device, payload: 1, qos: 3 }, "GW_INVALID_QOS", { qos: "" }],
        ["an unknown priority", { ...device, payload: 1, priority: "urgent" }, "GW_INVALID_PRIORITY", { priority: "" }],
        ["a priority of null", { ...device, payload: 1, priority: null }, "GW_INVALID_PRIORITY", { priority: "" }],
        ["a numeric priority with QoS 0", { ...device, payload: 1, priority: 1 }, "GW_INVALID_PRIORITY", { priority: "", qos: "0" }],
        ["an unknown priority in the form", { ...device, payload: 1 }, "GW_INVALID_PRIORITY", { priority: "urgent" }],
        ["a ttl that is not a number", { ...device, payload: 1, ttl: "soon" }, "GW_INVALID_PAYLOAD"],
        [
            "a JSONata expression that fails",
            { ...device, payload: "x" },
            "GW_INVALID_ID",
            { deviceId: "$number(payload)", deviceIdType: "jsonata" },
        ],
    ];
    for (const [name, message, code, properties] of bad) {
        it(`rejects ${name} with ${code}: catchable, nothing published, connection up`, async () => {
            const { caught, completed } = await start(properties);
            send({ ...message, _msgid: "bad" });
            const { error, _msgid } = await caught.next();
            assert.deepEqual([codeOf({ error }), _msgid], [code, "bad"]);
            assert.deepEqual([events().length, completed.messages.length], [0, 0]);
            assert.equal(simulator.observed.counts(clientId).connect, 1);
        });
    }

    it("reports only id and topic of a message with a getter that throws, and does not end Node-RED", async () => {
        const { caught } = await start();
        const hostile = Object.defineProperty({ ...device, payload: 10n, topic: "t", _msgid: "h" }, "boom", {
            enumerable: true,
            get() {
                throw new Error("boom");
            },
        });
        node("event").emit(
            "input",
            hostile,
            () => undefined,
            () => assert.fail("done must not be called: it would clone the message"),
        );
        const { payload, topic, _msgid, error } = await caught.next();
        assert.deepEqual([payload, topic, _msgid, codeOf({ error })], [undefined, "t", "h", "GW_INVALID_PAYLOAD"]);
    });

    it("fails every message with GW_CONFIG when no gateway is chosen", async () => {
        await load([eventNode({ gateway: "" }), ...observers]);
        const caught = new Inbox("caught");
        send({ ...device, payload: 1 });
        assert.equal(codeOf(await caught.next()), "GW_CONFIG");
    });

    for (const [what, expression, words] of [
        ["fails", "$number(payload)", /: deviceId cannot be read: Unable to cast value to a number: "x"\.$/],
        ["does not compile", "$number(", /: deviceId cannot be read: Expected "\)" before end of expression\.$/],
    ] as const) {
        it(`names the property whose JSONata expression ${what}, and the reason`, async () => {
            const { caught } = await start({ deviceId: expression, deviceIdType: "jsonata" });
            send({ ...device, payload: "x" });
            const { error } = await caught.next();
            assert.match(errorTextOf({ error }), words);
        });
    }

    it("reports an invalid id in its form before any message arrives, and ignores one that it does not use", async () => {
        const typed = { deviceId: "p 1", deviceIdType: "str" };
        await load([gatewayNode(simulator.port), eventNode(typed), eventNode({ ...typed, id: "own", source: "gateway" }), ...observers]);
        await connected();
        node("own").receive({ payload: 1 });
        await waitFor(() => events().length === 1, "the gateway's own event");
        const logged: unknown[] = helper.log().args.flat();
        const reports = logged.filter((line) => /deviceId is "p 1"/.test(String(memberOf(line, "msg"))));
        assert.deepEqual(
            reports.map((line) => memberOf(line, "id")),
            ["event"],
        );
    });

    it("fails every message with GW_CONFIG when the gateway is disabled", async () => {
        await load([gatewayNode(simulator.port, { d: true }), eventNode(), ...observers]);
        const caught = new Inbox("caught");
        send({ ...device, payload: 1 });
        assert.equal(codeOf(await caught.next()), "GW_CONFIG");
    });

    it("fails every message with GW_CONFIG, and says so on the gateway, when an environment variable is not set", async () => {
        await load([gatewayNode(simulator.port, { deviceId: "${TEST_NOT_SET}" }), eventNode(), ...observers]);
        const caught = new Inbox("caught");
        send({ ...device, payload: 1 });
        const error = Object((await caught.next(({ topic }) => topic !== "gateway")).error);
        assert.equal(error.code, "GW_CONFIG");
        assert.match(error.message, /deviceId refers to the environment variable TEST_NOT_SET, which is not set/);
    });

    it("reads identity and token from environment variables", async () => {
        Object.assign(process.env, { TEST_ORG: "acme", TEST_TOKEN: secretToken });
        await simulator.close();
        simulator = await startSimulator({ port: 0, httpPort: 0, token: secretToken });
        await load([gatewayNode(simulator.port, { orgId: "${TEST_ORG}" }), eventNode(), ...observers], {
            gateway: { token: "${TEST_TOKEN}" },
        });
        await waitFor(() => simulator.observed.counts("g:acme:gw:gw1").subscribe, "the connection");
    });

    it("rejects QoS 0 while offline, because it is never queued", async () => {
        const { caught, statuses } = await start({ qos: "0" });
        simulator.setLink(true);
        await statuses.next(({ status }) => memberOf(status, "fill") === "red");
        send({ ...device, payload: 1 });
        await caught.next((message) => codeOf(message) === "GW_NOT_CONNECTED");
    });

    it("keeps QoS 1 events while offline and delivers them in order when the link is back", async () => {
        const { completed } = await start();
        send({ ...device, payload: 0 });
        await completed.count(1);
        simulator.setLink(true);
        for (let n = 1; n <= 5; n++) send({ ...device, payload: n });
        simulator.setLink(false);
        await completed.count(6, 20_000);
        const values = events().map(({ payload }) => Number(payload));
        assert.deepEqual([...new Set(values)], [0, 1, 2, 3, 4, 5]);
    });

    it("delivers events by priority, from the form or the message, when the link is back", async () => {
        const alarms = eventNode({ id: "alarms", priority: "high" });
        await load([gatewayNode(simulator.port), eventNode({ priority: "" }), alarms, eventNode({ id: "readings" }), ...observers]);
        await connected();
        simulator.setLink(true);
        send({ ...device, payload: "low", priority: "low" });
        for (const payload of ["normal 1", "normal 2"]) send({ ...device, payload });
        node("readings").receive({ ...device, payload: "normal 3", priority: "high" });
        for (const payload of ["high 1", "high 2"]) node("alarms").receive({ ...device, payload });
        send({ ...device, payload: "high 3", priority: "high" });
        simulator.setLink(false);
        await waitFor(() => events().length === 7, "the events", 20_000);
        const arrived = events().map(({ payload }) => String(payload));
        const inOrder = ["high 1", "high 2", "high 3", "normal 1", "normal 2", "normal 3", "low"];
        assert.deepEqual(
            arrived,
            inOrder.map((payload) => JSON.stringify(payload)),
        );
    });

    it("delivers only the latest event of each device and event id when the link is back, if the form says so", async () => {
        await load([gatewayNode(simulator.port), eventNode({ offline: "latest" }), eventNode({ id: "kept" }), ...observers]);
        await connected();
        const completed = new Inbox("completed");
        simulator.setLink(true);
        for (let value = 0; value < 3; value++) {
            for (const deviceId of ["p1", "p2"]) send({ typeId: "pump", deviceId, payload: `latest ${value}` });
            node("kept").receive({ ...device, payload: `kept ${value}` });
        }
        // What is superseded is done.
        await completed.count(4);
        simulator.setLink(false);
        await waitFor(() => events().length === 5, "the events", 20_000);
        const arrived = events().map(({ topic, payload }) => [topic?.split("/")[4], JSON.parse(String(payload))]);
        assert.deepEqual(arrived.sort(), [
            ["p1", "kept 0"],
            ["p1", "kept 1"],
            ["p1", "kept 2"],
            ["p1", "latest 2"],
            ["p2", "latest 2"],
        ]);
    });

    it("adds the duration of each message to Node-RED's metrics if they are enabled", async () => {
        const { completed, caught } = await start();
        const measured: unknown[][] = [];
        const metric = (...metrics: unknown[]) => metrics.length === 0 || measured.push(metrics) > 0;
        Object.assign(node("event"), { metric });
        node("event").receive({ _msgid: "m1", typeId: "pump", deviceId: "p1", payload: 1 });
        node("event").receive({ _msgid: "m2", typeId: "pump", payload: 1 });
        await Promise.all([completed.next(), caught.next()]);
        const told = measured.filter(([event]) => event === "complete" || event === "failed");
        assert.deepEqual(told.map(([event, message, value]) => [event, message, typeof value]).sort(), [
            ["complete", { _msgid: "m1" }, "number"],
            ["failed", { _msgid: "m2" }, "number"],
        ]);
    });

    it("stamps an event with the arrival time of its message, however late it is sent, and keeps an existing time", async () => {
        const { completed } = await start({ timestamp: "ts" });
        simulator.setLink(true);
        const before = Date.now();
        send({ ...device, payload: { n: 1 } });
        send({ ...device, payload: { n: 2, ts: "2020-01-01T00:00:00Z" } });
        const after = Date.now();
        simulator.setLink(false);
        await completed.count(2, 20_000);
        const [first, second] = events().map(({ payload }) => JSON.parse(String(payload)));
        assert.ok(Date.parse(first.ts) >= before && Date.parse(first.ts) <= after, first.ts);
        assert.equal(second.ts, "2020-01-01T00:00:00Z");
    });

    it("fails an event whose time to live, from the message or the form, has passed, and sends the others", async () => {
        await load([gatewayNode(simulator.port), eventNode(), eventNode({ id: "brief", ttl: "1" }), ...observers]);
        const [caught, completed] = [new Inbox("caught"), new Inbox("completed")];
        await connected();
        simulator.setLink(true);
        send({ ...device, payload: 1, ttl: 1, _msgid: "from the message" });
        node("brief").receive({ ...device, payload: 2, ttl: 3600, _msgid: "from the form" });
        send({ ...device, payload: 3, ttl: 3600, _msgid: "kept" });
        for (const id of ["from the message", "from the form"]) {
            const { error } = await caught.next(({ _msgid }) => _msgid === id);
            assert.equal(codeOf({ error }), "GW_EXPIRED");
        }
        simulator.setLink(false);
        assert.equal((await completed.next(() => true, 20_000))._msgid, "kept");
        assert.deepEqual(
            events().map(({ payload }) => String(payload)),
            ["3"],
        );
    });
});
