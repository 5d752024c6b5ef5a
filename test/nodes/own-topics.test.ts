import assert from "node:assert/strict";
import { connectAsync, type MqttClient } from "mqtt";
import helper from "node-red-node-test-helper";
import {
    commandNode,
    eventNode,
    type FlowNode,
    gatewayNode,
    Inbox,
    load,
    node,
    observers,
    responderNode,
    withRuntime,
} from "../support/drivers/flow-runner";
import { Mosquitto, passwordFile } from "../support/drivers/mosquitto";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

const templates = { eventTopic: "plant/{gatewayId}-{deviceId}/telemetry", commandTopic: "plant/{deviceId}/do/{commandId}" };
const wholeTemplates = {
    eventTopic: "{orgId}/{typeId}/{deviceId}/evt/{eventId}/{format}",
    commandTopic: "{orgId}/{typeId}/{deviceId}/cmd/{commandId}/{format}",
};

/** What the runtime has logged since the flow was loaded. */
function logLines(): { id: string; msg: string }[] {
    return helper.log().args.map(([line]: { id?: unknown; msg?: unknown }[]) => ({ id: String(line?.id), msg: String(line?.msg) }));
}

/** The nodes on a broker whose topics the user chose. */
describe("own topics on Mosquitto", () => {
    let broker: Mosquitto;
    let application: MqttClient;
    let received: { topic: string; payload: string }[] = [];
    withRuntime();

    before(async () => {
        broker = await Mosquitto.start({
            general: ["allow_anonymous false", "password_file {dir}/passwords"],
            files: { passwords: passwordFile({ edge: secretToken, application: "application" }) },
        });
        application = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { username: "application", password: "application" });
        application.on("message", (topic, payload) => received.push({ topic, payload: payload.toString() }));
        await application.subscribeAsync(["plant/#", "org/#"], { qos: 1 });
    });

    after(async () => {
        await application?.endAsync();
        await broker?.stop();
    });

    beforeEach(() => {
        received = [];
    });

    /** Loads a flow and waits until the gateway has this many subscriptions. */
    async function start(properties: Record<string, unknown>, nodes: readonly FlowNode[], subscriptions: number): Promise<void> {
        const before = broker.count(/Sending SUBACK to edge 7/);
        const connected = broker.count(/Sending CONNACK to edge 7/);
        const gateway = gatewayNode(broker.port, { clientId: "edge 7", userName: "edge", ...properties });
        await load([gateway, ...nodes, ...observers], { gateway: { token: secretToken } });
        await broker.logged(/Sending CONNACK to edge 7/, connected + 1);
        await broker.logged(/Sending SUBACK to edge 7/, before + subscriptions);
    }

    it("events are sent on own topics, with the user's own client id and user name", async () => {
        await start(templates, [eventNode()], 0);
        const completed = new Inbox("completed");
        node("event").receive({ deviceId: "Pumpe 7 (Süd)", payload: { n: 1 } });
        await completed.count(1);
        await waitFor(() => received.length === 1, "the event");
        assert.deepEqual(received, [{ topic: "plant/gw1-Pumpe 7 (Süd)/telemetry", payload: '{"n":1}' }]);
        await broker.logged(/as edge 7 .*u'edge'/);
    });

    it("events need only the ids that own topics name", async () => {
        await start({ eventTopic: "org/{deviceId}" }, [eventNode({ eventId: "" })], 0);
        const completed = new Inbox("completed");
        node("event").receive({ deviceId: "d1", payload: 1 });
        await completed.count(1);
        await waitFor(() => received.length === 1, "the event");
        assert.deepEqual(received, [{ topic: "org/d1", payload: "1" }]);
    });

    it("an event without a device, or with an illegal id, is rejected on own topics", async () => {
        await start(templates, [eventNode()], 0);
        const caught = new Inbox("caught");
        for (const deviceId of [undefined, "a/b", "x".repeat(256)]) node("event").receive({ deviceId, payload: 1 });
        const failures = await caught.count(3);
        assert.deepEqual(
            failures.map(({ error }) => (error as { code?: string }).code),
            ["GW_INVALID_ID", "GW_INVALID_ID", "GW_INVALID_ID"],
        );
    });

    it("illegal ids are replaced if the rule says so, and logged once each", async () => {
        await start({ ...templates, idRule: "replace" }, [eventNode(), commandNode({ deviceId: "a/b" })], 1);
        const completed = new Inbox("completed");
        for (const [payload, deviceId] of ["a/b", "a/b", "a+b"].entries()) node("event").receive({ deviceId, payload });
        await completed.count(3);
        await waitFor(() => received.length === 3, "the events");
        const idOf = (number: string) =>
            received
                .find(({ payload }) => payload === number)
                ?.topic.split("/")[1]
                ?.slice("gw1-".length);
        const [first, second, third] = [idOf("0"), idOf("1"), idOf("2")];
        assert.match(first ?? "", /^a_b-[0-9a-f]{6}$/);
        assert.equal(first, second);
        assert.notEqual(first, third);
        const lines = logLines().map(({ msg }) => msg);
        for (const text of ['"a/b"', '"a+b"']) assert.equal(lines.filter((line) => line.includes(`in place of ${text}`)).length, 1, text);

        const commands = new Inbox("commands");
        await application.publishAsync(`plant/${first}/do/start`, "now", { qos: 1 });
        assert.equal((await commands.next()).deviceId, first);
    });

    it("commands on own topics lack the parts that the topics do not name, and are parsed by their content", async () => {
        await start(templates, [commandNode()], 1);
        const commands = new Inbox("commands");
        for (const payload of ['{"speed":5}', "[1]", "5", "on", Buffer.from([0xff])]) {
            await application.publishAsync("plant/pump-7/do/start", payload, { qos: 1 });
        }
        const messages = await commands.count(5);
        assert.deepEqual(
            messages.map(({ payload }) => payload),
            [{ speed: 5 }, [1], "5", "on", Buffer.from([0xff])],
        );
        const { _msgid, payload, command, receivedAt, ...rest } = messages[0] ?? {};
        assert.deepEqual(rest, { topic: "plant/pump-7/do/start", deviceId: "pump-7", commandId: "start", qos: 1, duplicate: false });
    });

    it("each command arrives once at each node that wants it, over one filter", async () => {
        const nodes = [
            commandNode(),
            commandNode({ id: "one", typeId: "pump", deviceId: "p1", wires: [["one-pump"]] }),
            commandNode({ id: "own", target: "gateway", wires: [["own-commands"]] }),
            { id: "one-pump", type: "helper" },
            { id: "own-commands", type: "helper" },
        ];
        const subscribes = broker.count(/^\d+: \torg\//);
        await start(wholeTemplates, nodes, 1);
        const [all, one, own] = [new Inbox("commands"), new Inbox("one-pump"), new Inbox("own-commands")];
        for (const address of ["pump/p1", "pump/p2", "gw/gw1", "fan/p1"]) {
            await application.publishAsync(`org/${address}/cmd/start/text`, address, { qos: 1 });
        }
        await all.count(3);
        await own.count(1);
        assert.deepEqual(
            [all, one, own].map(({ messages }) => messages.map(({ payload }) => payload)),
            [["pump/p1", "pump/p2", "fan/p1"], ["pump/p1"], ["gw/gw1"]],
        );
        assert.deepEqual(
            broker.log
                .filter((line) => /^\d+: \torg\//.test(line))
                .slice(subscribes)
                .map((line) => line.replace(/^\d+: \t/, "")),
            ["org/+/+/cmd/+/+ (QoS 1)"],
        );
    });

    it("own topics without a type name the gateway by its id alone", async () => {
        const nodes = [
            commandNode(),
            commandNode({ id: "own", target: "gateway", wires: [["own-commands"]] }),
            { id: "own-commands", type: "helper" },
        ];
        await start(templates, nodes, 1);
        const [devices, own] = [new Inbox("commands"), new Inbox("own-commands")];
        await application.publishAsync("plant/gw1/do/restart", "", { qos: 1 });
        await application.publishAsync("plant/p1/do/restart", "", { qos: 1 });
        await devices.count(1);
        assert.deepEqual(
            [devices.messages.map(({ deviceId }) => deviceId), own.messages.map(({ deviceId }) => deviceId)],
            [["p1"], ["gw1"]],
        );
    });

    it("own topics have no topic of notifications, which a broker for few levels would refuse", async () => {
        const logged = broker.log.length;
        await start(templates, [commandNode(), eventNode()], 1);
        const completed = new Inbox("completed");
        node("event").receive({ deviceId: "p1", payload: 1 });
        await completed.count(1);
        assert.deepEqual(
            broker.log.slice(logged).filter((line) => line.includes("iot-2")),
            [],
        );
    });

    it("the last will is published on the own topic of events", async () => {
        await start({ ...wholeTemplates, will: "link" }, [eventNode()], 0);
        await application.publishAsync("unused", "", { qos: 0 });
        // Another client with the same id ends the connection without a DISCONNECT.
        const other = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, {
            clientId: "edge 7",
            username: "edge",
            password: secretToken,
        });
        await waitFor(() => received.length > 0, "the will");
        await other.endAsync();
        assert.deepEqual(received[0], { topic: "org/gw/gw1/evt/link/text", payload: "offline" });
    });

    for (const [name, flowNode] of [
        ["a dm-responder", responderNode()],
        ["a gateway-notify-in", { id: "notify", type: "gateway-notify-in", gateway: "gateway", wires: [["commands"]] }],
        ["a device-command-in that asks for a type", commandNode({ typeId: "pump" })],
        ["a device-command-in that asks for a format", commandNode({ format: "json" })],
    ] as const) {
        it(`own topics refuse ${name}, which they cannot serve`, async () => {
            await start(templates, [flowNode, eventNode()], 0);
            const errors = logLines().filter(({ id, msg }) => id === flowNode.id && msg.includes("GW_CONFIG"));
            assert.equal(errors.length, 1, JSON.stringify(errors));
        });
    }

    it("own topics leave out the gateway if its events could come back as commands", async () => {
        await load([
            gatewayNode(broker.port, { eventTopic: "a/{deviceId}", commandTopic: "{deviceId}/{commandId}" }),
            eventNode(),
            ...observers,
        ]);
        const caught = new Inbox("caught");
        node("event").receive({ deviceId: "p1", payload: 1 });
        const { error } = await caught.next(({ payload }) => payload === 1);
        assert.match(String((error as Error).message), /\+\/\+ matches the event topic a\/pump-7/);
    });
});
