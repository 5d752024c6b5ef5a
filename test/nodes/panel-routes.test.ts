import assert from "node:assert/strict";
import type { NodeAPI } from "node-red";
import helper from "node-red-node-test-helper";
import type { SimulatorView } from "../../src/gateway/monitor/simulator-control";
import { close } from "../support/doubles/broker-script";
import { ListeningBroker } from "../support/doubles/listening-broker";
import {
    commandNode,
    eventNode,
    type FlowNode,
    gatewayNode,
    Inbox,
    load,
    node,
    observers,
    registrations,
    responderNode,
    withRuntime,
} from "../support/drivers/flow-runner";
import { freePortPair } from "../support/ports";
import { requireRecord } from "../support/records";
import { waitFor } from "../support/wait-for";

interface Outcome {
    readonly isDone: boolean;
    readonly key: string;
    readonly parameters?: Record<string, unknown>;
}

describe("routes of the panel", () => {
    withRuntime();
    /** What was published on the editor's channel. */
    let published: { topic: string; data: Record<string, unknown> }[];
    let stopListening = (): void => undefined;

    beforeEach(() => {
        published = [];
    });
    afterEach(() => stopListening());

    function listen({ events }: NodeAPI): void {
        const took = (event: { topic: string; data: Record<string, unknown> }) => {
            if (event.topic.startsWith("wiotp-gateway/")) published.push(event);
        };
        events.on("comms", took);
        stopListening = () => events.removeListener("comms", took);
    }

    /** Loads a gateway on the built-in simulator, and waits until it is connected. */
    async function start(more: readonly FlowNode[] = [], properties: Record<string, unknown> = {}): Promise<void> {
        const gateway = gatewayNode(await freePortPair(), { platform: "simulator", name: "Hall 4", ...properties });
        await load([gateway, eventNode(), commandNode(), ...more, ...observers], {}, [listen, ...registrations]);
        await waitFor(async () => connectionOf(await watch()).phase === "online", "the connection");
    }

    async function watch(): Promise<Record<string, unknown>> {
        const { body } = await helper.request().post("/gateway-config/gateway/watch").send({}).expect(200);
        return requireRecord(body);
    }

    const gatewayOf = (view: Record<string, unknown>) => requireRecord(view.gateway);
    const connectionOf = (view: Record<string, unknown>) => requireRecord(gatewayOf(view).connection);

    async function act(action: string, body: object = {}): Promise<Outcome> {
        const response = await helper.request().post(`/gateway-config/gateway/actions/${action}`).send(body).expect(200);
        return response.body;
    }

    async function devices(query = ""): Promise<Record<string, unknown>[]> {
        const { body } = await helper.request().get(`/gateway-config/gateway/devices?${query}`).expect(200);
        return requireRecord(body).devices as Record<string, unknown>[];
    }

    async function simulator(): Promise<SimulatorView> {
        const view = await watch();
        assert.ok(view.simulator);
        return view.simulator as SimulatorView;
    }

    function send(deviceId: string): void {
        node("event").receive({ typeId: "pump", deviceId, payload: 1 });
    }

    it("answers a watch request with the state, and publishes changes while a browser watches", async () => {
        await start();
        const view = await watch();
        assert.deepEqual([view.id, view.name], ["gateway", "Hall 4"]);
        assert.equal(typeof view.at, "number");
        send("p1");
        const change = await waitFor(
            () => published.find(({ data }) => requireRecord(requireRecord(data.gateway).totals).eventsPublished === 1),
            "a publication",
        );
        assert.equal(change.topic, "wiotp-gateway/gateway");
        await helper.request().post("/gateway-config/other/watch").send({}).expect(404);
    });

    it("publishes nothing without a watch request", async () => {
        const gateway = gatewayNode(await freePortPair(), { platform: "simulator" });
        await load([gateway, eventNode(), ...observers], {}, [listen, ...registrations]);
        const completed = new Inbox("completed");
        send("p1");
        await completed.next();
        assert.deepEqual(published, []);
    });

    it("lists what is suspected of ending the connection, and sends it again on request", async function () {
        this.timeout(90_000);
        const topic = "iot-2/type/pump/id/bad/evt/status/fmt/json";
        const broker = await ListeningBroker.start();
        const pardon = broker.script.add({ cmd: "publish", topic, reaction: close });
        try {
            const gateway = gatewayNode(broker.port, { platform: "broker", host: "127.0.0.1", transport: "tcp", outbox: "memory" });
            await load([gateway, eventNode({ eventId: "status" }), ...observers], {}, [listen, ...registrations]);
            send("bad");
            const suspect = await waitFor(async () => {
                const { body } = await helper.request().get("/gateway-config/gateway/suspects").expect(200);
                const [first] = body as Record<string, unknown>[];
                return first?.isStruck ? first : undefined;
            }, "a strike");
            const { id, testAt, ...rest } = suspect;
            const device = { typeId: "pump", deviceId: "bad" };
            assert.deepEqual(rest, { kind: "event", name: topic, ...device, qos: 1, bytes: 1, strikes: rest.strikes, isStruck: true });
            assert.ok(Date.parse(String(testAt)) > Date.now());
            pardon();
            assert.deepEqual(await act("releaseSuspect", { id }), { isDone: true, key: "suspectReleased" });
            await waitFor(() => broker.taken.some((publish) => publish.topic === topic), "the event");
            assert.deepEqual(await act("releaseSuspect", { id }), { isDone: false, key: "notSuspected" });
        } finally {
            await broker.stop();
        }
    });

    it("reconnects on request, and reports it", async () => {
        await start();
        assert.deepEqual(await act("reconnect"), { isDone: true, key: "reconnecting" });
        await waitFor(async () => connectionOf(await watch()).phase === "online", "the new connection");
        const { reconnects } = requireRecord(gatewayOf(await watch()).totals);
        assert.deepEqual([requireRecord(reconnects).planned, requireRecord(reconnects).network], [1, 0]);
        await act("simulator-link", { down: true });
        const { reason, retryAt } = await waitFor(async () => {
            const connection = connectionOf(await watch());
            return connection.phase === "waiting" ? connection : undefined;
        }, "the cut line");
        assert.equal(requireRecord(reason).code, "GW_NETWORK");
        assert.ok(Date.parse(String(retryAt)) > Date.now() - 1000);
        assert.deepEqual(await act("simulator-link", { down: true }), { isDone: false, key: "lineIsCut" });
        assert.equal((await act("simulator-link", { down: false })).key, "lineMended");
        const { key } = await act("reconnect");
        assert.ok(key === "tryingNow" || key === "reconnecting");
        await waitFor(async () => connectionOf(await watch()).phase === "online", "the mended connection");
    });

    it("disconnects, connects, pauses and resumes on request, says when there is nothing to do, and logs who asked", async () => {
        await start();
        const condition = async () => {
            const { phase, isWanted, isPaused } = connectionOf(await watch());
            return { phase, isWanted, isPaused };
        };
        assert.deepEqual(await act("connect"), { isDone: false, key: "connectAlready" });
        assert.deepEqual(await act("disconnect"), { isDone: true, key: "disconnectDone" });
        await waitFor(async () => connectionOf(await watch()).phase === "closed", "the end of the connection");
        assert.deepEqual(await condition(), { phase: "closed", isWanted: false, isPaused: false });
        assert.deepEqual(await act("disconnect"), { isDone: false, key: "disconnectAlready" });
        assert.deepEqual(await act("reconnect"), { isDone: false, key: "notOpen" });
        assert.deepEqual(await act("pause"), { isDone: true, key: "pauseDone" });
        assert.deepEqual(await act("pause"), { isDone: false, key: "pauseAlready" });
        assert.deepEqual(await act("connect"), { isDone: true, key: "connectDone" });
        await waitFor(async () => connectionOf(await watch()).phase === "online", "the connection");
        assert.deepEqual(await condition(), { phase: "online", isWanted: true, isPaused: true });
        assert.deepEqual(await act("resume"), { isDone: true, key: "resumeDone" });
        assert.deepEqual(await act("resume"), { isDone: false, key: "resumeAlready" });
        const log = JSON.stringify(helper.log().args);
        for (const line of [
            "Disconnecting at an operator's request",
            "Connecting at an operator's request",
            "An operator has paused",
            "An operator has resumed",
        ])
            assert.equal(log.split(line).length, 2, line);
    });

    it("refuses, holds, accepts, releases and forgets a device, and reports each result", async () => {
        await start();
        const bad = { typeId: "pump", deviceId: "bad" };
        assert.deepEqual(await act("simulator-trouble", { ...bad, kind: "refuse" }), { isDone: true, key: "refusing" });
        assert.deepEqual((await simulator()).troubles, [{ ...bad, kind: "refuse" }]);
        assert.deepEqual(await act("release", bad), { isDone: false, key: "notHeld" });
        assert.deepEqual(await act("forget", bad), { isDone: false, key: "cannotForget" });
        send("bad");
        await waitFor(async () => (await devices("state=held")).length === 1, "the hold");
        assert.deepEqual(await act("simulator-trouble", { ...bad, kind: "none" }), { isDone: true, key: "troubleEnded" });
        assert.deepEqual(await act("simulator-trouble", { ...bad, kind: "none" }), { isDone: false, key: "noTrouble" });
        assert.deepEqual(await act("release", bad), { isDone: true, key: "released" });
        await waitFor(async () => (await devices("state=registered")).length === 1, "the registration");
        assert.deepEqual(await act("forget", bad), { isDone: true, key: "forgotten" });
        assert.deepEqual(await devices(), []);
        assert.deepEqual(await act("forget", { typeId: "gw", deviceId: "gw1" }), { isDone: false, key: "cannotForget" });
    });

    it("purges the queue of a held device, and reports the number of events", async () => {
        await start();
        const bad = { typeId: "pump", deviceId: "bad" };
        await act("simulator-trouble", { ...bad, kind: "fail" });
        const caught = new Inbox("caught");
        for (let index = 0; index < 3; index++) send("bad");
        await waitFor(async () => (await devices("state=held")).length === 1, "the hold");
        assert.deepEqual(await act("purge", bad), { isDone: true, key: "purged", parameters: { count: 3 } });
        assert.deepEqual(await act("purge", bad), { isDone: false, key: "nothingToPurge" });
        await caught.next(({ error }) => requireRecord(error).code === "GW_EXPIRED");
    });

    it("plays the platform's side: a command, a reboot, firmware", async () => {
        await start([responderNode({ respond: "auto", firmwareActions: true })]);
        const commands = new Inbox("commands");
        const command = { typeId: "pump", deviceId: "p1", commandId: "stop", format: "json", payload: '{"now":true}' };
        assert.deepEqual(await act("simulator-command", command), { isDone: true, key: "commandSent" });
        assert.deepEqual((await commands.next()).payload, { now: true });
        assert.equal((await act("simulator-command", { ...command, format: "a" })).key, "commandSent");

        const gateway = { typeId: "gw", deviceId: "gw1" };
        const notManaged = await act("simulator-request", { typeId: "pump", deviceId: "none", action: "device/reboot" });
        assert.deepEqual([notManaged.isDone, notManaged.key], [false, "requestFailed"]);
        await waitFor(async () => (await act("simulator-request", { ...gateway, action: "device/reboot" })).isDone, "the managed gateway");
        const image = { version: "2.0", uri: "https://example.com/f.bin" };
        assert.equal((await act("simulator-request", { ...gateway, action: "firmware/download", ...image })).key, "requestStarted");
        const list = await waitFor(async () => {
            const { body } = await helper.request().get("/gateway-config/gateway/requests").expect(200);
            const requests = (body as unknown[]).map(requireRecord);
            return requests.some(({ action }) => action === "firmware/download") ? requests : undefined;
        }, "the firmware request");
        const rebooted = list.find(({ action }) => action === "device/reboot");
        assert.deepEqual([rebooted?.outcome, rebooted?.rc, rebooted?.typeId], ["answered", 202, "gw"]);
        const { requests } = await simulator();
        assert.ok(requests.some(({ action }) => action === "firmware/download"));
        assert.equal(JSON.stringify(await watch()).includes(image.uri), false, "what was sent to the device is not shown");
    });

    it("acts on a device under the id that the flow knows, if illegal ids are replaced", async () => {
        await start([], { idRule: "replace" });
        node("event").receive({ typeId: "t", deviceId: "Pump 7", payload: 1 });
        await waitFor(async () => (await devices()).some(({ deviceId }) => /^Pump_7-/.test(String(deviceId))), "the device");
        await waitFor(async () => (await act("forget", { typeId: "t", deviceId: "Pump 7" })).isDone, "the device to be forgotten");
        assert.equal((await devices()).length, 0);
    });

    it("rejects an invalid request, and names what is invalid", async () => {
        await start();
        const refuse = async (action: string, body: object, status = 400) => {
            const { text } = await helper.request().post(`/gateway-config/gateway/actions/${action}`).send(body).expect(status);
            return text;
        };
        assert.match(await refuse("release", {}), /typeId is missing/);
        assert.match(await refuse("release", { typeId: "a/b", deviceId: "c" }), /typeId is/);
        assert.match(await refuse("purge", []), /typeId is missing/);
        assert.match(await refuse("simulator-command", { typeId: "t", deviceId: "d", commandId: "a/b" }), /commandId/);
        const large = { typeId: "t", deviceId: "d", commandId: "c", format: "json", payload: "x".repeat(131_073) };
        assert.match(await refuse("simulator-command", large), /payload must be text/);
        assert.match(await refuse("simulator-command", { ...large, payload: "x".repeat(1_000_001) }, 413), /must not exceed/);
        assert.match(await refuse("simulator-request", { typeId: "t", deviceId: "d", action: "rm" }), /action is/);
        assert.match(await refuse("simulator-trouble", { typeId: "t", deviceId: "d", kind: "explode" }), /kind is/);
        await refuse("constructor", {}, 404);
        await helper.request().post("/gateway-config/other/actions/reconnect").send({}).expect(404);
    });

    it("offers no simulator actions for a gateway that is not on the simulator", async () => {
        const port = await freePortPair();
        await load([gatewayNode(port), eventNode(), ...observers], {}, [listen, ...registrations]);
        const { text } = await helper.request().post("/gateway-config/gateway/actions/simulator-link").send({ down: true }).expect(400);
        assert.match(text, /does not use the built-in simulator/);
        assert.equal((await watch()).simulator, undefined);
    });

    it("serves the chart library under the panel's own name", async () => {
        await load([...observers]);
        const { text, headers } = await helper.request().get("/wiotp-gateway/uplot.js").expect(200);
        assert.match(String(headers["content-type"]), /javascript/);
        assert.match(text, /^globalThis\.wiotpPanel = \{ uPlot: /);
        assert.match((await helper.request().get("/wiotp-gateway/uplot.css").expect(200)).text, /\.uplot/);
    });
});
