import assert from "node:assert/strict";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import { deploy, eventNode, type FlowNode, gatewayNode, Inbox, load, node, observers, withRuntime } from "../support/drivers/flow-runner";
import { codeOf, errorTextOf, memberOf } from "../support/records";
import { waitFor } from "../support/wait-for";

const clientId = "g:org:gw:gw1";
const notifyTopic = "iot-2/type/gw/id/gw1/notify";

function notifyNode(properties: Record<string, unknown> = {}): FlowNode {
    return { id: "notify", type: "gateway-notify-in", gateway: "gateway", wires: [["notices"]], ...properties };
}

describe("gateway-notify-in", () => {
    let simulator: Simulator;
    withRuntime();

    beforeEach(async () => {
        simulator = await startSimulator({ port: 0, httpPort: 0, registration: { backoffMs: 1000 } });
    });

    afterEach(() => simulator.close());

    async function start(...nodes: FlowNode[]): Promise<Inbox> {
        await load([
            gatewayNode(simulator.port, { registrationBackoff: "1" }),
            eventNode(),
            ...nodes,
            ...observers,
            { id: "notices", type: "helper" },
        ]);
        const inbox = new Inbox("notices");
        await waitFor(() => simulator.observed.counts(clientId).subscribe, "the notify subscription");
        return inbox;
    }

    const notify = (payload: unknown) =>
        simulator.publish("org", notifyTopic, typeof payload === "string" ? payload : JSON.stringify(payload));

    it("subscribes to exactly the gateway's own notify topic, once for any number of nodes", async () => {
        await start(notifyNode(), notifyNode({ id: "second" }));
        const filters = simulator.observed.packets().filter(({ command }) => command === "subscribe");
        assert.deepEqual(
            filters.map(({ topic }) => topic),
            [notifyTopic],
        );
    });

    it("subscribes to the notify topic even without such a node", async () => {
        await start();
        assert.equal(simulator.observed.counts(clientId).subscribe, 1);
    });

    it("outputs a notification as typed fields, with the object as received", async () => {
        const notices = await start(notifyNode());
        const raw = { Request: "Subscribe", Time: "2026-11-23T04:17:51.922Z", Topic: "a/b", Client: clientId, RC: "276", Extra: 1 };
        notify(raw);
        const { _msgid, ...notice } = await notices.next();
        assert.equal(typeof _msgid, "string");
        assert.deepEqual(notice, {
            topic: notifyTopic,
            payload: { request: "subscribe", time: "2026-11-23T04:17:51.922Z", topic: "a/b", clientId, rc: 276 },
            raw,
        });
    });

    it("filters by request, and passes an unreadable notification only with any", async () => {
        const notices = await start(notifyNode({ request: "unsubscribe" }), notifyNode({ id: "all", wires: [["caught"]] }));
        const all = new Inbox("caught");
        for (const payload of ["not JSON", { Request: "Publish" }, { Request: "Subscribe" }, { RC: 1 }, { Request: "UNSUBSCRIBE" }]) {
            notify(payload);
        }
        await all.count(5);
        assert.deepEqual(
            notices.messages.map(({ payload }) => payload),
            [{ request: "unsubscribe" }],
        );
        const { payload, raw, malformed } = await all.next((message) => message.malformed === true);
        assert.deepEqual([payload, raw, malformed], [{}, "not JSON", true]);
    });

    it("gives each node its own copy of the message", async () => {
        await start(notifyNode(), notifyNode({ id: "second", wires: [["caught"]] }));
        const [first, second] = [new Inbox("notices"), new Inbox("caught")];
        notify({ Request: "Publish", RC: 276 });
        const [one, other] = [await first.next(), await second.next()];
        assert.notEqual(one.payload, other.payload);
        assert.notEqual(one.raw, other.raw);
    });

    it("names the refused event, raises GW_REFUSED with its ids on the node that sent it, and shows the device", async () => {
        const notices = await start(notifyNode());
        const [caught, statuses, completed] = [new Inbox("caught"), new Inbox("statuses"), new Inbox("completed")];
        simulator.faults.add({ fault: "registration", devices: "pump/p1", rc: 177, times: 1 });
        node("event").receive({ typeId: "pump", deviceId: "p1", payload: 1, _msgid: "m1" });
        const { event, payload } = await notices.next();
        const { sentAt, candidates, ...ids } = Object(event);
        assert.deepEqual(ids, { _msgid: "m1", nodeId: "event", typeId: "pump", deviceId: "p1", eventId: "status" });
        assert.deepEqual(candidates, [{ ...ids, sentAt }]);
        assert.equal(memberOf(payload, "rc"), 177);
        const { error, ...message } = await caught.next();
        assert.deepEqual([message._msgid, message.typeId, message.deviceId, message.eventId], ["m1", "pump", "p1", "status"]);
        assert.equal(codeOf({ error }), "GW_REFUSED");
        const { heldUntil, time, ...refusal } = Object(message.refusal);
        assert.deepEqual(refusal, { rc: 177, message: "Failed to create device.", willRetry: true });
        assert.ok(Date.parse(heldUntil) > Date.parse(time));
        assert.match(errorTextOf({ error }), /pump\/p1.*177.*Failed to create device/);
        await statuses.next(({ status }) => memberOf(status, "text") === "GW_REFUSED pump/p1");
        assert.equal((await completed.next())._msgid, "m1");
    });

    it("raises a refused event on the gateway, with the event's ids, if its node was removed meanwhile", async () => {
        const gateway = gatewayNode(simulator.port);
        await load([gateway, eventNode(), eventNode({ id: "other" }), ...observers]);
        const completed = new Inbox("completed");
        node("event").receive({ typeId: "pump", deviceId: "p1", payload: 1, _msgid: "registration attempt" });
        await completed.count(1);
        node("event").receive({ typeId: "pump", deviceId: "p1", payload: 2, _msgid: "m1" });
        await completed.count(2);
        await deploy([gateway, eventNode({ id: "other" }), ...observers]);
        const caught = new Inbox("caught");
        notify({ Request: "Publish", Topic: "iot-2/type/pump/id/p1/evt/status/fmt/json", Client: clientId, RC: 276, Message: "no" });
        const { error, refusal, ...message } = await caught.next();
        assert.ok(Date.parse(String(message.time)) <= Date.now());
        assert.deepEqual(message, {
            _msgid: "m1",
            typeId: "pump",
            deviceId: "p1",
            eventId: "status",
            undelivered: true,
            payload: 2,
            format: "json",
            topic: "iot-2/type/pump/id/p1/evt/status/fmt/json",
            qos: 1,
            priority: "normal",
            time: message.time,
        });
        assert.deepEqual([codeOf({ error }), memberOf(error, "source", "id")], ["GW_REFUSED", "gateway"]);
        assert.deepEqual(refusal, { rc: 276, message: "no", willRetry: false });
        assert.equal(simulator.observed.total("connect"), 1);
    });

    it("shows and raises that the server rejects its subscription while events flow, until a connection accepts it", async () => {
        simulator.faults.add({ fault: "refuseSubscribe", topic: "*/notify", times: 1 });
        const nodes = [gatewayNode(simulator.port), eventNode(), notifyNode({ wires: [] }), ...observers];
        await load(nodes);
        const [caught, completed, statuses] = [new Inbox("caught"), new Inbox("completed"), new Inbox("statuses")];
        const { error, topic } = await caught.next();
        const { code, source } = Object(error);
        assert.deepEqual([code, source.id, topic], ["GW_SUBSCRIBE_REFUSED", "notify", "subscription"]);
        const shown = () => statuses.messages.flatMap(({ status }) => (Object(status).source.id === "notify" ? [Object(status).text] : []));
        assert.equal(shown().at(-1), "gateway-notify-in.status.subscriptionRefused");
        node("event").receive({ typeId: "pump", deviceId: "p1", payload: 1 });
        await completed.next();
        await deploy([...nodes, notifyNode({ id: "deployed later", wires: [] })]);
        await caught.next((raised) => Object(raised.error).source.id === "deployed later");
        simulator.cut(clientId);
        await waitFor(() => shown().at(-1) === "gateway-notify-in.status.connected", "the next connection");
        assert.equal(simulator.observed.total("connect"), 2);
    });

    it("outputs the health of the gateway when the flows have started, and after each change", async () => {
        const health = await start(notifyNode({ about: "gateway" }));
        const { topic, payload } = await health.next(({ payload: { state } = Object() }) => state === "connected");
        assert.equal(topic, "gateway");
        const { since, waiting, ...report } = Object(payload);
        assert.ok(Date.parse(since) <= Date.now());
        assert.deepEqual(waiting, { events: 0, bytes: 0, high: 0, normal: 0, low: 0 });
        const totals = { received: 0, delivered: 0, refused: 0, expired: 0, dropped: 0, superseded: 0, undeliverable: 0 };
        assert.deepEqual(report, { state: "connected", held: 0, undelivered: 0, totals });
        simulator.setLink(true);
        const { code, reason } = Object((await health.next(({ payload: down }) => memberOf(down, "state") === "disconnected")).payload);
        assert.deepEqual([code, typeof reason], ["GW_NETWORK", "string"]);
        simulator.setLink(false);
        await waitFor(() => memberOf(health.messages.at(-1)?.payload, "state") === "connected", "the connection");
    });

    it("outputs the health of the gateway at its interval", async () => {
        const health = await start(notifyNode({ about: "gateway", interval: "1" }));
        await health.count(3);
    });

    it("outputs a device that falls silent, and the same device when it sends again", async () => {
        const changes = await start(notifyNode({ about: "devices", typeId: "pump", silentAfter: "1" }));
        for (const typeId of ["pump", "fan"]) node("event").receive({ typeId, deviceId: "p1", payload: 1 });
        const { topic, payload } = await changes.next();
        assert.equal(topic, "devices");
        const { since, lastEvent, ...change } = Object(payload);
        assert.deepEqual(change, { typeId: "pump", deviceId: "p1", silent: true });
        assert.ok(Date.parse(since) - Date.parse(lastEvent) >= 900);
        node("event").receive({ typeId: "pump", deviceId: "p1", payload: 2 });
        await changes.next(({ payload: again }) => memberOf(again, "silent") === false);
        assert.equal(changes.messages.length, 2);
    });

    it("outputs nothing if its settings are invalid", async () => {
        const notices = await start(
            notifyNode({ request: "never" }),
            notifyNode({ id: "noTime", about: "devices", silentAfter: " " }),
            notifyNode({ id: "noInterval", about: "gateway", interval: "0" }),
            notifyNode({ id: "valid", wires: [["caught"]] }),
        );
        const valid = new Inbox("caught");
        notify({ Request: "Publish" });
        await valid.next(({ payload }) => memberOf(payload, "request") === "publish");
        assert.deepEqual(notices.messages, []);
    });
});
