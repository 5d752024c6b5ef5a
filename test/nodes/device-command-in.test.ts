import assert from "node:assert/strict";
import helper from "node-red-node-test-helper";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import { commandNode, eventNode, gatewayNode, Inbox, load, observers, withRuntime } from "../support/drivers/flow-runner";
import { codeOf, memberOf } from "../support/records";
import { waitFor } from "../support/wait-for";

const clientId = "g:org:gw:gw1";
/** Of errors in Node-RED's log. */
const errorLevel = 20;
const commandTopic = (typeId: string, deviceId: string, commandId = "setSpeed", format = "json") =>
    `iot-2/type/${typeId}/id/${deviceId}/cmd/${commandId}/fmt/${format}`;

describe("device-command-in", () => {
    let simulator: Simulator;
    withRuntime();

    beforeEach(async () => {
        simulator = await startSimulator({ port: 0, httpPort: 0 });
    });

    afterEach(() => simulator.close());

    /** The filters that were subscribed for commands. */
    const subscribed = () =>
        simulator.observed
            .packets()
            .filter(({ command, topic }) => command === "subscribe" && topic?.includes("/cmd/"))
            .map(({ filters }) => filters);

    async function start(...nodes: Record<string, unknown>[]): Promise<Inbox> {
        await load([gatewayNode(simulator.port), ...nodes.map((properties) => commandNode(properties)), ...observers]);
        const inbox = new Inbox("commands");
        await waitFor(() => simulator.observed.counts(clientId).subscribe === 2, "notify and command subscriptions");
        return inbox;
    }

    const send = (topic: string, payload: string | Buffer = "{}") => simulator.publish("org", topic, payload, 1);

    it("subscribes with + for each part that is blank or +", async () => {
        await start({ typeId: "", deviceId: "+", commandId: "setSpeed", format: "" });
        assert.deepEqual(subscribed(), [["iot-2/type/+/id/+/cmd/setSpeed/fmt/+"]]);
    });

    it("subscribes to the device it names, with any command and format", async () => {
        await start({ typeId: "pump", deviceId: "17" });
        assert.deepEqual(subscribed(), [["iot-2/type/pump/id/17/cmd/+/fmt/+"]]);
    });

    it("outputs a command with its ids, format, QoS and parsed payload", async () => {
        const commands = await start({});
        send(commandTopic("pump", "p1"), '{"speed":5}');
        const before = Date.now();
        const { _msgid, receivedAt, command: reference, ...command } = await commands.next();
        assert.equal(typeof _msgid, "string");
        assert.ok(Math.abs(Date.parse(String(receivedAt)) - before) < 10_000);
        assert.match(String(receivedAt), /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/);
        assert.deepEqual([typeof memberOf(reference, "id"), memberOf(reference, "nodeId")], ["string", "command"]);
        assert.deepEqual(command, {
            topic: commandTopic("pump", "p1"),
            payload: { speed: 5 },
            typeId: "pump",
            deviceId: "p1",
            commandId: "setSpeed",
            format: "json",
            qos: 1,
            duplicate: false,
        });
    });

    it("subscribes to a filter once for several nodes, and delivers the command once to each of them", async () => {
        const commands = await start({ id: "one" }, { id: "two" });
        send(commandTopic("pump", "p1"));
        await commands.count(2);
        assert.equal(subscribed().length, 1);
        assert.equal(commands.messages.length, 2);
    });

    it("gives each node its own copy of the bytes, so that flows cannot change each other's", async () => {
        const commands = await start({ id: "one", datatype: "buffer" }, { id: "two", datatype: "buffer" });
        send(commandTopic("pump", "p1"), "abc");
        await commands.count(2);
        const [first, second] = commands.messages.map(({ payload }) => payload);
        assert.ok(Buffer.isBuffer(first) && Buffer.isBuffer(second));
        first.fill(0);
        assert.equal(second.toString(), "abc");
    });

    it("delivers each command once to nodes with overlapping filters, although the server sends a copy for each filter", async () => {
        const commands = await start({ id: "all" }, { id: "one", typeId: "pump", deviceId: "p1" });
        send(commandTopic("pump", "p1", "first"));
        send(commandTopic("pump", "p1", "second"));
        await commands.count(4);
        assert.deepEqual(commands.messages.map(({ commandId }) => commandId).sort(), ["first", "first", "second", "second"]);
        assert.deepEqual(subscribed(), [["iot-2/type/+/id/+/cmd/+/fmt/+"]]);
    });

    it("leaves the gateway's own commands to nodes that ask for the gateway", async () => {
        const commands = await start({ target: "device" });
        send(commandTopic("gw", "gw1", "own"));
        send(commandTopic("pump", "p1", "other"));
        assert.equal((await commands.next()).commandId, "other");
        assert.equal(commands.messages.length, 1);
    });

    it("outputs the gateway's own commands on nodes that ask for the gateway", async () => {
        const commands = await start({ target: "gateway" });
        send(commandTopic("gw", "gw1", "own"));
        assert.equal((await commands.next()).commandId, "own");
        assert.deepEqual(subscribed(), [["iot-2/type/gw/id/gw1/cmd/+/fmt/+"]]);
    });

    it("sends a command that cannot be parsed to Catch, with GW_BAD_COMMAND and its bytes", async () => {
        const commands = await start({});
        const caught = new Inbox("caught");
        send(commandTopic("pump", "p1"), "{bad");
        const { error, payload, typeId, deviceId, commandId } = await caught.next();
        assert.equal(codeOf({ error }), "GW_BAD_COMMAND");
        assert.deepEqual([Buffer.isBuffer(payload) && payload.toString(), typeId, deviceId, commandId], ["{bad", "pump", "p1", "setSpeed"]);
        send(commandTopic("pump", "p1", "next"));
        assert.equal((await commands.next()).commandId, "next");
        assert.equal(commands.messages.length, 1);
    });

    it("survives every kind of JSON in a command", async () => {
        const commands = await start({});
        const payloads = ['{"__proto__":{"polluted":1}}', "null", "[]", '"text"', "1e999", `${"[".repeat(100)}${"]".repeat(100)}`];
        for (const payload of payloads) send(commandTopic("pump", "p1"), payload);
        await commands.count(payloads.length);
        assert.equal(Reflect.get({}, "polluted"), undefined);
    });

    for (const [name, properties] of [
        ["# as device id", { deviceId: "#" }],
        ["a partial wildcard", { deviceId: "dev+" }],
        ["a command id with a slash", { commandId: "a/b" }],
        ["QoS 3", { qos: "3" }],
        ["a command id from a variable that is not set", { commandId: "${TEST_NOT_SET}" }],
    ] as const) {
        it(`rejects ${name} visibly, and subscribes to nothing`, async () => {
            await load([gatewayNode(simulator.port), commandNode(properties), { ...eventNode() }, ...observers]);
            await waitFor(() => simulator.observed.counts(clientId).subscribe, "the connection");
            assert.deepEqual(subscribed(), []);
            const logged: unknown[] = helper.log().args.flat();
            const errors = logged.filter((line) => memberOf(line, "level") === errorLevel);
            assert.deepEqual(
                errors.map((line) => memberOf(line, "id")),
                ["command"],
            );
        });
    }

    it("shows and raises on its node that the platform refused a subscription, and keeps the connection", async () => {
        simulator.faults.add({ fault: "refuseSubscribe", topic: "*/cmd/*" });
        await load([gatewayNode(simulator.port), commandNode({ typeId: "pump", deviceId: "p1" }), ...observers]);
        const caught = new Inbox("caught");
        const { error } = await caught.next();
        assert.deepEqual([codeOf({ error }), memberOf(error, "source", "id")], ["GW_SUBSCRIBE_REFUSED", "command"]);
        assert.equal(simulator.observed.counts(clientId).connect, 1);
    });
});
