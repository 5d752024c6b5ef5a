import assert from "node:assert/strict";
import helper from "node-red-node-test-helper";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import { ListeningBroker } from "../support/doubles/listening-broker";
import {
    commandNode,
    coreNodes,
    deploy,
    eventNode,
    type FlowMessage,
    type FlowNode,
    gatewayNode,
    Inbox,
    load,
    node,
    observers,
    registrations,
    withRuntime,
} from "../support/drivers/flow-runner";
import { codeOf, memberOf, requireRecord } from "../support/records";
import { waitFor } from "../support/wait-for";

const clientId = "g:org:gw:gw1";
const commandTopic = (deviceId: string, commandId = "start") => `iot-2/type/pump/id/${deviceId}/cmd/${commandId}/fmt/json`;
const answerTopic = (deviceId: string, eventId: string) => `iot-2/type/pump/id/${deviceId}/evt/${eventId}/fmt/json`;
const durable = { cleanSession: false };
const forFlow = { acknowledge: "flow", inputs: 1 };
const withAnswer = { ...forFlow, answer: "{commandId}-done" };

describe("commands that the flow sends back", () => {
    let simulator: Simulator;
    withRuntime();

    beforeEach(async () => {
        simulator = await startSimulator({ port: 0, httpPort: 0 });
    });

    afterEach(() => simulator.close());

    const session = () => simulator.organisation("org").sessions.get(clientId);
    const unacknowledged = () => session()?.unacknowledged ?? 0;
    const subscribed = (filters = 2) => waitFor(() => session()?.subscriptions.size === filters, "the subscriptions");
    const send = (deviceId: string, commandId = "start", payload = "{}") =>
        simulator.publish("org", commandTopic(deviceId, commandId), payload, 1);
    const acknowledged = (left = 0) => waitFor(() => unacknowledged() === left, `${left} unacknowledged commands`);
    const published = (eventId: string) =>
        simulator.observed
            .packets()
            .filter(({ command, topic }) => command === "publish" && topic?.includes(`/evt/${eventId}/`))
            .map(({ topic, payload }) => ({ topic, payload: JSON.parse(String(payload)) }));

    async function start(nodes: readonly Record<string, unknown>[], gateway: Record<string, unknown> = {}) {
        await load([gatewayNode(simulator.port, gateway), ...nodes.map((properties) => commandNode(properties)), ...observers]);
        const inboxes = { commands: new Inbox("commands"), caught: new Inbox("caught"), statuses: new Inbox("statuses") };
        await subscribed();
        return inboxes;
    }

    /** The code with which a message fails that comes back to a node. */
    async function failure(caught: Inbox, id: string, message: object): Promise<unknown> {
        const before = caught.messages.length;
        node(id).receive({ ...message });
        const [failed] = (await caught.count(before + 1)).slice(before);
        return failed && codeOf(failed);
    }

    it("a command is acknowledged when the flow sends it back, and not before", async () => {
        const { commands, statuses } = await start([forFlow]);
        send("p1");
        const command = await commands.next();
        await statuses.next(({ status }) => /^device-command-in.status.inWork$/.test(String(memberOf(status, "text"))));
        assert.equal(unacknowledged(), 1);
        node("command").receive(command);
        await acknowledged();
        await statuses.next(({ status }) => memberOf(status, "text") === "device-command-in.status.connected");
    });

    it("commands may come back in any order, and are acknowledged in the order of arrival", async () => {
        const { commands } = await start([forFlow]);
        for (const deviceId of ["p1", "p2", "p3"]) send(deviceId);
        const [first, second, third] = await commands.count(3);
        assert.ok(first && second && third);
        for (const command of [third, second]) node("command").receive(command);
        assert.equal(unacknowledged(), 3);
        node("command").receive(first);
        await acknowledged();
    });

    it("hold up neither the events of the gateway nor requests and notifications of the platform", async () => {
        await load([gatewayNode(simulator.port), commandNode(forFlow), eventNode(), ...observers]);
        const [commands, completed] = [new Inbox("commands"), new Inbox("completed")];
        await subscribed();
        for (let index = 0; index < 5; index++) send(`p${index}`);
        await commands.count(5);
        node("event").receive({ typeId: "pump", deviceId: "p1", payload: 1 });
        await completed.next();
        assert.equal(unacknowledged(), 5);
    });

    it("a message fails with GW_BAD_COMMAND without the command, with an unknown one, at the wrong node, or a second time", async () => {
        const { commands, caught } = await start([
            { ...forFlow, id: "one" },
            { ...forFlow, id: "two" },
        ]);
        send("p1");
        const received = await commands.count(2);
        const of = (id: string) => requireRecord(received.find(({ command }) => memberOf(command, "nodeId") === id));
        const strange: unknown[] = [undefined, null, "x", 5, [], {}, { id: 5, nodeId: "one" }, { id: "x" }, { id: "x", nodeId: "one" }];
        for (const command of strange) assert.equal(await failure(caught, "one", { payload: 1, command }), "GW_BAD_COMMAND");
        assert.equal(await failure(caught, "one", of("two")), "GW_BAD_COMMAND");
        node("one").receive(of("one"));
        assert.equal(await failure(caught, "one", of("one")), "GW_BAD_COMMAND");
        assert.equal(unacknowledged(), 1);
        node("two").receive(of("two"));
        await acknowledged();
    });

    it("a message fails with GW_BAD_COMMAND at a node that waits for no command", async () => {
        const { commands, caught } = await start([{}]);
        send("p1");
        const command = await commands.next();
        await acknowledged();
        assert.equal(await failure(caught, "command", command), "GW_BAD_COMMAND");
    });

    it("time out: they are acknowledged, raised with GW_COMMAND_TIMEOUT, and fail with it when they come late", async () => {
        const { commands, caught } = await start([{ ...forFlow, timeout: "1" }]);
        send("p1", "start", '{"speed":5}');
        const { _msgid, ...command } = await commands.next();
        const { _msgid: _other, error, ...raised } = await caught.next();
        assert.equal(codeOf({ error }), "GW_COMMAND_TIMEOUT");
        assert.deepEqual(raised, command);
        assert.match(String(memberOf(error, "message")), /did not send the command start for pump\/p1 back within 1 s/);
        await acknowledged();
        assert.equal(await failure(caught, "command", command), "GW_COMMAND_TIMEOUT");
    });

    it("commands are listed with their outcome and the time they took, and counted by it in the metrics", async () => {
        const { commands } = await start([{ ...forFlow, timeout: "1" }]);
        send("p1");
        send("p2", "stop");
        const [first] = await commands.count(2);
        assert.ok(first);
        const listed = async () => {
            const { body } = await helper.request().get("/gateway-config/gateway/commands").expect(200);
            return (Array.isArray(body) ? body : []).map(requireRecord);
        };
        assert.deepEqual(
            (await listed()).map(({ typeId, deviceId, commandId, outcome, tookMs }) => [typeId, deviceId, commandId, outcome, tookMs]),
            [
                ["pump", "p1", "start", "working", undefined],
                ["pump", "p2", "stop", "working", undefined],
            ],
        );
        node("command").receive(first);
        await acknowledged();
        const [answered, timedOut] = await listed();
        assert.deepEqual([answered?.outcome, timedOut?.outcome], ["answered", "timeout"]);
        assert.ok(Number(answered?.tookMs) < 1000 && Number(timedOut?.tookMs) >= 1000);
        const { text } = await helper.request().get("/wiotp-gateway/metrics").expect(200);
        const labels = `gateway="${clientId}"`;
        for (const line of [
            `wiotp_gateway_commands_total{${labels},outcome="answered"} 1`,
            `wiotp_gateway_commands_total{${labels},outcome="timeout"} 1`,
            `wiotp_gateway_commands_total{${labels},outcome="stale"} 0`,
            `wiotp_gateway_command_seconds_count{${labels}} 2`,
            `wiotp_gateway_commands_in_work{${labels}} 0`,
        ]) {
            assert.ok(text.split("\n").includes(line), line);
        }
    });

    it("commands are kept over a deploy that stops their node, and handed to the new one as duplicates", async () => {
        const flow = (name: string) => [gatewayNode(simulator.port), commandNode({ ...forFlow, name }), ...observers];
        await load(flow("before"));
        let commands = new Inbox("commands");
        await subscribed();
        send("p1");
        send("p2");
        const [first] = await commands.count(2);
        assert.ok(first);
        node("command").receive(first);
        await acknowledged(1);
        await deploy(flow("after"));
        commands = new Inbox("commands");
        // The helper's node has not been restarted, and gets what comes after the deploy.
        const again = await waitFor(() => commands.messages[0], "the command again").catch(() => undefined);
        assert.deepEqual([again?.deviceId, again?.duplicate, unacknowledged()], ["p2", true, 1]);
        assert.ok(again);
        node("command").receive(again);
        await acknowledged();
        assert.equal(simulator.observed.counts(clientId).connect, 1);
    });

    it("commands that no node takes any more after a deploy are acknowledged with a warning", async () => {
        const flow = (...nodes: FlowNode[]) => [gatewayNode(simulator.port), eventNode(), ...nodes, ...observers];
        await load(flow(commandNode(forFlow)));
        const commands = new Inbox("commands");
        await subscribed();
        send("p1");
        await commands.next();
        await deploy(flow());
        await acknowledged();
        const logged = helper
            .log()
            .args.flat()
            .map((line) => String(memberOf(line, "msg")));
        assert.equal(logged.filter((line) => /^No node takes the command start for pump\/p1 any more/.test(line)).length, 1);
    });

    it("a command that may be old goes to Catch with GW_STALE_COMMAND if the node refuses such, and is acknowledged", async () => {
        const flow = [gatewayNode(simulator.port, durable), commandNode({ replayed: "refuse" }), ...observers];
        await load(flow);
        const [commands, caught] = [new Inbox("commands"), new Inbox("caught")];
        await subscribed();
        await deploy(flow.filter(({ id }) => id !== "gateway" && id !== "command"));
        await waitFor(() => simulator.observed.counts(clientId).disconnect === 1, "the end of the connection");
        send("p1", "start", '{"speed":5}');
        await deploy(flow);
        const stale = await caught.next();
        assert.deepEqual([codeOf(stale), stale.replayed, stale.retain, stale.payload], ["GW_STALE_COMMAND", true, undefined, { speed: 5 }]);
        await acknowledged();
        send("p2");
        assert.deepEqual([(await commands.next()).deviceId, commands.messages[0]?.replayed], ["p2", undefined]);
    });

    describe("with an answer", () => {
        it("a command is answered by an event of its device, and acknowledged when that is safe", async () => {
            simulator.faults.add({ fault: "withholdPuback", topic: "*/evt/start-done/*" });
            const { commands } = await start([withAnswer]);
            send("p1");
            const command = await commands.next();
            node("command").receive({ ...command, rc: 200, message: "running", payload: { speed: 5 } });
            await waitFor(() => published("start-done").length === 1, "the answer");
            assert.deepEqual(published("start-done")[0], {
                topic: answerTopic("p1", "start-done"),
                payload: { commandId: "start", rc: 200, message: "running", d: { speed: 5 } },
            });
            assert.equal(unacknowledged(), 1, "the answer is not safe");
        });

        it("an answer leaves out what the message lacks, and does not mention a missing payload", async () => {
            const { commands } = await start([withAnswer]);
            send("p1");
            const { payload: _payload, ...command } = await commands.next();
            node("command").receive(command);
            await acknowledged();
            assert.deepEqual(published("start-done")[0]?.payload, { commandId: "start", d: null });
        });

        for (const [name, more, code] of [
            ["a Buffer", { payload: Buffer.from("x") }, "GW_INVALID_PAYLOAD"],
            ["what JSON cannot express", { payload: { a: 1n } }, "GW_INVALID_PAYLOAD"],
            ["a message that is an object", { message: {} }, "GW_INVALID_PAYLOAD"],
            ["more than the platform takes", { payload: "x".repeat(140_000) }, "GW_PAYLOAD_TOO_LARGE"],
        ] as const) {
            it(`a command whose answer is ${name} fails, stays in progress, and may be answered again`, async () => {
                const { commands, caught } = await start([withAnswer]);
                send("p1");
                const command = await commands.next();
                assert.equal(await failure(caught, "command", { ...command, ...more }), code);
                assert.equal(unacknowledged(), 1);
                node("command").receive({ ...command, payload: 1 });
                await acknowledged();
                assert.equal(published("start-done").length, 1);
            });
        }

        it("the message that comes back completes once the answer is safe", async () => {
            await load([
                gatewayNode(simulator.port),
                commandNode(withAnswer),
                ...observers.map((each) => (each.id === "complete" ? { ...each, scope: ["command"] } : each)),
            ]);
            const [commands, finished] = [new Inbox("commands"), new Inbox("completed")];
            await subscribed();
            send("p1");
            const command = await commands.next();
            node("command").receive({ ...command, rc: 1 });
            assert.equal((await finished.next()).rc, 1);
            assert.equal(published("start-done").length, 1);
        });

        it("an answer waits while the line is cut, and its command is acknowledged on the next connection", async () => {
            const { commands, statuses } = await start([withAnswer], durable);
            send("p1");
            const command = await commands.next();
            simulator.setLink(true);
            await statuses.next(({ status }) => memberOf(status, "fill") === "red");
            node("command").receive({ ...command, rc: 200 });
            simulator.setLink(false);
            await waitFor(() => published("start-done").length === 1, "the answer");
            await acknowledged();
            assert.equal(commands.messages.length, 1);
        });

        it("a command is answered although the session is gone, and nothing is acknowledged on a connection without it", async () => {
            const { commands } = await start([withAnswer]);
            send("p1");
            const command = await commands.next();
            simulator.cut(clientId);
            await waitFor(() => simulator.observed.counts(clientId).connect === 2, "the next connection");
            node("command").receive(command);
            await waitFor(() => published("start-done").length === 1, "the answer");
            assert.equal(simulator.observed.counts(clientId).puback ?? 0, 0);
        });
    });

    describe("after passing through", () => {
        const types = [
            ...registrations,
            coreNodes(
                "common/60-link.js",
                "function/10-function.js",
                "function/15-change.js",
                "sequence/17-split.js",
                "parsers/70-JSON.js",
            ),
        ];
        const code = (id: string, func: string, to: string[], more: object = {}): FlowNode => ({
            id,
            type: "function",
            func,
            outputs: 1,
            wires: [to],
            ...more,
        });
        const subflow = [
            {
                id: "sub",
                type: "subflow",
                name: "sub",
                in: [{ wires: [{ id: "inside" }] }],
                out: [{ wires: [{ id: "inside", port: 0 }] }],
            },
            { id: "inside", type: "function", z: "sub", func: "return msg;", outputs: 1, wires: [] },
        ];
        const paths: Readonly<Record<string, readonly FlowNode[]>> = {
            "two wires, which clone them": [code("first", "return null;", []), code("second", "return msg;", ["command"])],
            "link nodes": [
                { id: "first", type: "link out", mode: "link", links: ["second"] },
                { id: "second", type: "link in", links: ["first"], wires: [["command"]] },
            ],
            "a link call": [
                { id: "first", type: "link call", links: ["called"], linkType: "static", timeout: "30", wires: [["command"]] },
                { id: "called", type: "link in", links: [], wires: [["returned"]] },
                { id: "returned", type: "link out", mode: "return", links: [] },
            ],
            "a subflow": [...subflow, { id: "first", type: "subflow:sub", wires: [["command"]] }],
            "split and join": [
                code("first", "msg.payload = [1, 2, 3]; return msg;", ["split"]),
                { id: "split", type: "split", splt: "\\n", spltType: "str", arraySplt: 1, arraySpltType: "len", wires: [["join"]] },
                { id: "join", type: "join", mode: "auto", wires: [["command"]] },
            ],
            "a context store": [
                code("first", "flow.set('kept', [...(flow.get('kept') || []), msg.command]); return { payload: 1 };", ["second"]),
                code("second", "msg.command = flow.get('kept').shift(); return msg;", ["command"]),
            ],
            JSON: [
                code("first", "return { payload: { command: msg.command } };", ["text"]),
                { id: "text", type: "json", action: "str", property: "payload", wires: [["parsed"]] },
                { id: "parsed", type: "json", action: "obj", property: "payload", wires: [["second"]] },
                code("second", "return msg.payload;", ["command"]),
            ],
            "a change node": [
                {
                    id: "first",
                    type: "change",
                    rules: [{ t: "set", p: "payload", pt: "msg", to: "done", tot: "str" }],
                    wires: [["command"]],
                },
            ],
        };
        for (const [name, nodes] of Object.entries(paths)) {
            it(`a command that passes through ${name} is still answered`, async () => {
                const wires = [nodes.some(({ id }) => id === "second") && name.startsWith("two") ? ["first", "second"] : ["first"]];
                await load([gatewayNode(simulator.port), commandNode({ ...withAnswer, wires }), ...nodes, ...observers], {}, types);
                const caught = new Inbox("caught");
                await subscribed();
                for (const deviceId of ["p1", "p2"]) send(deviceId);
                await waitFor(() => published("start-done").length === 2 || caught.messages.length > 0, "both answers");
                assert.deepEqual(caught.messages, []);
                await acknowledged();
                assert.deepEqual(
                    published("start-done").map(({ topic }) => topic),
                    ["p1", "p2"].map((deviceId) => answerTopic(deviceId, "start-done")),
                );
            });
        }

        it("a command from inside a subflow is still answered", async () => {
            const inside: FlowNode[] = [
                { id: "sub", type: "subflow", name: "sub", in: [], out: [] },
                { ...commandNode({ ...withAnswer, wires: [["work"]] }), z: "sub" },
                { ...code("work", "return msg;", ["command"]), z: "sub" },
            ];
            await load([gatewayNode(simulator.port), ...inside, { id: "instance", type: "subflow:sub" }, ...observers], {}, types);
            await subscribed();
            send("p1");
            await waitFor(() => published("start-done").length === 1, "the answer");
            await acknowledged();
        });
    });
});

describe("commands of a broker", () => {
    let broker: ListeningBroker;
    withRuntime();

    beforeEach(async () => {
        broker = await ListeningBroker.start();
    });

    afterEach(() => broker.stop());

    async function start(properties: Record<string, unknown>): Promise<{ commands: Inbox; caught: Inbox }> {
        await load([gatewayNode(broker.port, durable), commandNode(properties), ...observers]);
        const inboxes = { commands: new Inbox("commands"), caught: new Inbox("caught") };
        await waitFor(() => broker.count("subscribe") === 2, "the subscriptions");
        return inboxes;
    }

    it("a retained command is marked, and refused as old if the node refuses such", async () => {
        const { commands, caught } = await start({});
        broker.publish(commandTopic("p1"), "{}", { qos: 1, retain: true });
        const { retain, replayed } = await commands.next();
        assert.deepEqual([retain, replayed], [true, true]);
        await deploy([gatewayNode(broker.port, durable), commandNode({ replayed: "refuse" }), ...observers]);
        broker.publish(commandTopic("p2"), "{}", { qos: 1, retain: true });
        assert.deepEqual([codeOf(await caught.next()), caught.messages[0]?.retain], ["GW_STALE_COMMAND", true]);
        await waitFor(() => broker.session(clientId)?.outstanding === 0, "the acknowledgement");
    });

    it("a command of QoS 2 is acknowledged with PUBREC when it comes back", async () => {
        const { commands } = await start({ ...forFlow, qos: "2" });
        broker.publish(commandTopic("p1"), "{}", { qos: 2 });
        const command = await commands.next();
        assert.equal(broker.count("pubrec"), 0);
        node("command").receive(command);
        await waitFor(() => broker.count("pubcomp") === 1, "the end");
    });

    it("a command of QoS 0 needs no acknowledgement, and is otherwise treated alike", async () => {
        const { commands, caught } = await start({ ...withAnswer, timeout: "1", qos: "0" });
        broker.publish(commandTopic("p1"), "{}");
        broker.publish(commandTopic("p2"), "{}");
        const [first] = await commands.count(2);
        assert.ok(first);
        node("command").receive(first);
        await waitFor(() => broker.taken.some(({ topic }) => topic.includes("/evt/start-done/")), "the answer");
        assert.equal(codeOf(await caught.next()), "GW_COMMAND_TIMEOUT");
        assert.deepEqual([caught.messages[0]?.deviceId, broker.count("puback")], ["p2", 0]);
    });

    it("commands beyond a hundred in the flow wait in memory, then unread on the server, and all are carried out in order", async () => {
        const { commands } = await start(forFlow);
        const statuses = new Inbox("statuses");
        const total = 1200;
        for (let index = 0; index < total; index++) broker.publish(commandTopic(`p${index}`), "{}", { qos: 1 });
        await commands.count(100);
        const full = (message: FlowMessage) => memberOf(message.status, "text") === "device-command-in.status.commandsFull";
        await statuses.next(full);
        assert.equal(commands.messages.length, 100);
        for (let index = 0; index < total; index++) {
            const command = await commands.next(({ deviceId }) => deviceId === `p${index}`);
            node("command").receive(command);
        }
        await waitFor(() => broker.session(clientId)?.outstanding === 0, "every acknowledgement");
        assert.deepEqual(
            commands.messages.map(({ deviceId }) => deviceId),
            Array.from({ length: total }, (_, index) => `p${index}`),
        );
        assert.equal(broker.connectionCount, 1);
    });
});
