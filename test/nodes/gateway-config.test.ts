import assert from "node:assert/strict";
import helper from "node-red-node-test-helper";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import { FaultyLine } from "../support/doubles/faulty-line";
import { commandNode, deploy, eventNode, gatewayNode, Inbox, load, node, observers, withRuntime } from "../support/drivers/flow-runner";
import { freePortPair } from "../support/ports";
import { codeOf, errorTextOf, memberOf } from "../support/records";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

const clientId = "g:org:gw:gw1";
const status = (message: Record<string, unknown>) => memberOf(message.status, "text");

describe("gateway-config", () => {
    let simulator: Simulator;
    withRuntime();

    beforeEach(async () => {
        simulator = await startSimulator({ port: 0, httpPort: 0, token: secretToken });
    });

    afterEach(() => simulator.close());

    const good = { gateway: { token: secretToken } };
    const connected = () => waitFor(() => simulator.observed.counts(clientId).subscribe, "the connection");

    it("opens one connection for all of its nodes, and none without a node", async () => {
        await load([gatewayNode(simulator.port), eventNode(), eventNode({ id: "event2" }), commandNode(), ...observers], good);
        await connected();
        assert.equal(simulator.observed.total("connect"), 1);
        await helper.unload();
        simulator.observed.clear();
        await load([gatewayNode(simulator.port), ...observers], good);
        assert.equal(simulator.observed.total("connect"), 0);
    });

    it("subscribes to its notifications before the first publish", async () => {
        await load([gatewayNode(simulator.port), eventNode(), ...observers], good);
        node("event").receive({ typeId: "pump", deviceId: "p1", payload: 1 });
        await new Inbox("completed").next();
        const commands = simulator.observed.packets().map(({ command }) => command);
        assert.deepEqual(commands.slice(0, 3), ["connect", "subscribe", "publish"]);
    });

    for (const order of ["after", "before"]) {
        it(`prefers the configuration with a token to an imported copy without one that stands ${order} it`, async () => {
            const [original, copy] = [gatewayNode(simulator.port), gatewayNode(simulator.port, { id: "copy" })];
            const gateways = order === "after" ? [original, copy] : [copy, original];
            const users = [eventNode({ id: "of the copy", gateway: "copy" }), eventNode()];
            await load([...gateways, ...users, ...observers], { ...good, copy: {} });
            const [completed, caught] = [new Inbox("completed"), new Inbox("caught")];
            node("event").receive({ typeId: "pump", deviceId: "p1", payload: 1 });
            await completed.next();
            node("of the copy").receive({ typeId: "pump", deviceId: "p2", payload: 2 });
            const { error } = await caught.next(({ payload }) => payload === 2);
            assert.equal(codeOf({ error }), "GW_CONFIG");
            assert.match(errorTextOf({ error }), /uses the identity g:org:gw:gw1/);
            await deploy([copy, users[0] ?? eventNode(), ...observers]);
            await waitFor(() => simulator.observed.counts(clientId).disconnect, "the end of the original");
        });
    }

    it("rejects a second configuration with the same client id at the same server", async () => {
        const own = { platform: "broker", registration: "always", clientId: "press-line" };
        const gateways = [gatewayNode(simulator.port, own), gatewayNode(simulator.port, { ...own, id: "second", deviceId: "gw2" })];
        const users = [eventNode(), eventNode({ id: "of the second", gateway: "second" })];
        await load([...gateways, ...users, ...observers], { ...good, second: { token: "other" } });
        const caught = new Inbox("caught");
        node("of the second").receive({ typeId: "pump", deviceId: "p2", payload: 2 });
        const { error } = await caught.next(({ payload }) => payload === 2);
        assert.equal(codeOf({ error }), "GW_CONFIG");
        assert.match(errorTextOf({ error }), /of the identity g:org:gw:gw1, connects to .* with the client id press-line as well/);
    });

    it("closes with DISCONNECT, well within the time that Node-RED allows", async () => {
        await load([gatewayNode(simulator.port), eventNode(), ...observers], good);
        await connected();
        await helper.unload();
        await waitFor(() => simulator.observed.counts(clientId).disconnect, "DISCONNECT");
    });

    it("closes within 5 s on a dead line with events in flight and waiting", async () => {
        const line = await FaultyLine.to(simulator.port);
        try {
            await load([gatewayNode(line.port, { outbox: "memory" }), eventNode(), ...observers], good);
            await connected();
            node("event").receive({ typeId: "pump", deviceId: "p1", payload: 0 });
            await new Inbox("completed").next();
            line.blackHole();
            for (let payload = 1; payload <= 500; payload++) node("event").receive({ typeId: "pump", deviceId: "p1", payload });
            const startMs = performance.now();
            await helper.unload();
            assert.ok(performance.now() - startMs < 5_000);
        } finally {
            line.close();
        }
    });

    it("shows its status on every node that uses it, and raises its errors for their Catch nodes", async () => {
        await load([gatewayNode(simulator.port), eventNode(), ...observers], { gateway: { token: "wrong" } });
        const [caught, statuses] = [new Inbox("caught"), new Inbox("statuses")];
        const error = await caught.next();
        assert.deepEqual([codeOf(error), error.topic, error.state], ["GW_AUTH", "gateway", "not-authorised"]);
        await statuses.next((message) => status(message) === "device-event-out.status.notAuthorised");
        await statuses.next((message) => status(message) === "gateway-config.status.notAuthorised");
        const logged = helper
            .log()
            .args.flat()
            .filter((entry) => String(memberOf(entry, "msg")).includes("did not authorise"));
        assert.equal(logged.length, 1, "it is in the log although a Catch node took it");
    });

    it("shows each node one status for each change of the connection, and no more", async () => {
        await load([gatewayNode(simulator.port), eventNode(), eventNode({ id: "event2" }), ...observers], good);
        const statuses = new Inbox("statuses");
        const shown = (id: string) =>
            statuses.messages.filter((message) => memberOf(message.status, "source", "id") === id).map((message) => status(message));
        await waitFor(() => shown("event2").at(-1) === "device-event-out.status.connected", "the connection");
        const before = shown("event2").length;
        simulator.cut(clientId);
        await waitFor(() => shown("event2").length > before, "the loss");
        const name = (key: string) => `device-event-out.status.${key}`;
        await waitFor(() => shown("event2").at(-1) === name("connected"), "the next connection");
        for (const id of ["event", "event2"]) {
            assert.deepEqual(shown(id).slice(-4), [name("connected"), name("network"), name("connecting"), name("connected")]);
            assert.equal(shown(id).length, new Set(shown(id).slice(0, -3)).size + 3);
        }
    });

    it("shows neither the right nor a wrong token", async () => {
        await load([gatewayNode(simulator.port), eventNode(), ...observers], { gateway: { token: `wrong-${secretToken}` } });
        const caught = new Inbox("caught");
        await caught.next();
        const shown = JSON.stringify([helper.log().args, caught.messages]);
        assert.equal(shown.includes(`wrong-${secretToken}`), false);
    });

    it("visibly refuses to share an identity between different settings, and shares it between equal ones", async () => {
        await load(
            [
                gatewayNode(simulator.port),
                gatewayNode(simulator.port, { id: "same" }),
                gatewayNode(simulator.port, { id: "other", keepAlive: "30" }),
                eventNode(),
                eventNode({ id: "event2", gateway: "same" }),
                eventNode({ id: "event3", gateway: "other" }),
                ...observers,
            ],
            { ...good, same: { token: secretToken }, other: { token: secretToken } },
        );
        const statuses = new Inbox("statuses");
        const error = await new Inbox("caught").next();
        assert.equal(codeOf(error), "GW_CONFIG");
        assert.match(errorTextOf(error), /g:org:gw:gw1 with different settings/);
        await connected();
        assert.deepEqual(
            statuses.messages
                .filter((message) => /event3|other/.test(JSON.stringify(message.status)))
                .filter((message) => !/config$/.test(String(status(message)))),
            [],
        );
        assert.equal(simulator.observed.total("connect"), 1);
    });

    it("shares one connection between the instances of a subflow that holds it", async () => {
        await load(
            [
                { id: "sub", type: "subflow", name: "machine", in: [{ wires: [{ id: "inner" }] }], out: [] },
                gatewayNode(simulator.port, { id: "innerGateway", z: "sub", orgId: "${ORG}" }),
                eventNode({ id: "inner", z: "sub", gateway: "innerGateway" }),
                ...["one", "two"].map((id) => ({ id, type: "subflow:sub", env: [{ name: "ORG", type: "str", value: "org" }] })),
                ...observers,
            ],
            { innerGateway: { token: secretToken } },
        );
        for (const id of ["one", "two"]) node(id).receive({ typeId: "pump", deviceId: id, payload: 1 });
        const published = () => simulator.observed.packets().filter(({ command }) => command === "publish");
        await waitFor(() => published().length === 2, "an event from each instance");
        assert.equal(simulator.observed.total("connect"), 1);
    });

    it("reports invalid settings once the Catch nodes are there", async () => {
        await load([gatewayNode(simulator.port, { keepAlive: "0" }), eventNode(), ...observers], good);
        const error = await new Inbox("caught").next();
        assert.deepEqual([codeOf(error), error.topic, error.state], ["GW_CONFIG", "gateway", "config"]);
        assert.equal(simulator.observed.total("connect"), 0);
    });

    it("says that the token's environment variable is not set, instead of sending its name as the token", async () => {
        await load([gatewayNode(simulator.port), eventNode(), ...observers], { gateway: { token: "${TEST_NOT_SET}" } });
        const { error } = await new Inbox("caught").next(({ topic }) => topic === "gateway");
        assert.equal(codeOf({ error }), "GW_CONFIG");
        assert.match(errorTextOf({ error }), /token refers to the environment variable TEST_NOT_SET/);
        assert.equal(simulator.observed.total("connect"), 0);
    });

    it("accepts a token that a variable of the flow holds as a number", async () => {
        await simulator.close();
        simulator = await startSimulator({ port: 0, httpPort: 0, token: "12345678" });
        const tab = { id: "machine", type: "subflow", name: "machine", in: [], out: [] };
        await load(
            [
                tab,
                gatewayNode(simulator.port, { id: "inner", z: "machine" }),
                eventNode({ z: "machine", gateway: "inner" }),
                { id: "one", type: "subflow:machine", env: [{ name: "TOKEN", type: "num", value: "12345678" }] },
                ...observers,
            ],
            { inner: { token: "${TOKEN}" } },
        );
        await connected();
    });

    it("starts the simulator if its platform is the built-in simulator", async () => {
        await load([gatewayNode(await freePortPair(), { platform: "simulator" }), eventNode(), ...observers]);
        const completed = new Inbox("completed");
        node("event").receive({ typeId: "pump", deviceId: "p1", payload: 1, _msgid: "m" });
        assert.equal((await completed.next())._msgid, "m");
    });

    it("names the port that is in use when the built-in simulator cannot listen", async () => {
        await load([gatewayNode(simulator.port, { platform: "simulator" }), eventNode(), ...observers]);
        const error = await new Inbox("caught").next();
        assert.equal(codeOf(error), "GW_CONFIG");
        assert.match(errorTextOf(error), new RegExp(String(simulator.port)));
    });
});
