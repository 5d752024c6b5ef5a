import assert from "node:assert/strict";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import { FaultyLine } from "../support/doubles/faulty-line";
import {
    commandNode,
    deploy,
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
import { codeOf, errorTextOf, memberOf } from "../support/records";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

const clientId = "g:org:gw:gw1";
const reboot = "mgmt/initiate/device/reboot";
const device = { typeId: "pump", deviceId: "p1" };

describe("control of the gateway's link", () => {
    let simulator: Simulator;
    withRuntime();

    beforeEach(async () => {
        simulator = await startSimulator({ port: 0, httpPort: 0, token: secretToken });
    });

    afterEach(() => simulator.close());

    const counts = () => simulator.observed.counts(clientId);
    const publishes = () => simulator.observed.packets().filter(({ command }) => command === "publish");
    const published = () => publishes().map(({ topic }) => String(topic));
    const events = () => publishes().flatMap(({ topic, payload }) => (topic?.includes("/evt/") ? [String(payload)] : []));
    const connected = (times = 1) => waitFor(() => (counts().subscribe ?? 0) >= times, `connection ${times}`);
    const shown = (inbox: Inbox, key: string) => inbox.next(({ status }) => memberOf(status, "text") === `device-event-out.status.${key}`);
    const ask = (action: unknown, _msgid = String(action)) =>
        node("event").receive({ ...device, _msgid, gateway: { action }, payload: "no event" });
    const send = (payload: unknown, properties: object = {}) => node("event").receive({ ...device, payload, ...properties });

    async function start(gateway: Record<string, unknown> = {}, more: readonly FlowNode[] = []) {
        await load([gatewayNode(simulator.port, gateway), eventNode({ qos: "" }), ...more, ...observers]);
        const inboxes = { caught: new Inbox("caught"), completed: new Inbox("completed"), statuses: new Inbox("statuses") };
        return { ...inboxes, asked: (action: string) => inboxes.completed.next(({ _msgid }) => _msgid === action) };
    }

    it("with autoConnect off the gateway keeps events and connects when a message says so", async () => {
        const { caught, completed, asked, statuses } = await start({ autoConnect: false });
        send(1, { qos: 1 });
        send(2, { qos: 0 });
        assert.equal(codeOf(await caught.next()), "GW_NOT_CONNECTED");
        await statuses.next(({ status }) => memberOf(status, "text") === "device-event-out.status.queued");
        assert.equal(simulator.observed.total("connect"), 0);
        ask("connect");
        await asked("connect");
        assert.deepEqual([counts().connect, counts().disconnect], [1, undefined]);
        await completed.next(({ payload }) => payload === 1);
        assert.deepEqual(events(), ["1"], "the message that asks is no event");
    });

    it("a closed gateway parts in good order, says that it is closed, and has no error", async () => {
        const { caught, completed, asked, statuses } = await start();
        send(1, { qos: 1 });
        await completed.next();
        ask("disconnect");
        await asked("disconnect");
        await waitFor(() => counts().disconnect === 1, "DISCONNECT");
        await shown(statuses, "closed");
        const texts = statuses.messages.map(({ status }) => String(memberOf(status, "text")));
        const afterwards = texts.slice(texts.findIndex((text) => text.endsWith(".connected")));
        assert.deepEqual(
            afterwards.filter((text) => !/\.(connected|closed)$/.test(text)),
            [],
        );
        assert.deepEqual(caught.messages, []);
        ask("connect");
        await asked("connect");
        await shown(statuses, "connected");
        assert.equal(counts().connect, 2);
    });

    it("connect fails with the code of the first attempt, and the gateway goes on trying", async () => {
        const line = await FaultyLine.to(simulator.port);
        try {
            await load([gatewayNode(line.port, { autoConnect: false }), eventNode(), ...observers]);
            const [caught, completed] = [new Inbox("caught"), new Inbox("completed")];
            simulator.setLink(true);
            ask("connect");
            const failed = await caught.next(({ _msgid }) => _msgid === "connect");
            assert.equal(codeOf(failed), "GW_NETWORK");
            simulator.setLink(false);
            ask("connect", "again");
            await completed.next(({ _msgid }) => _msgid === "again");
        } finally {
            line.close();
        }
    });

    it("a connect that waits ends with GW_NOT_CONNECTED when a disconnect comes", async () => {
        const line = await FaultyLine.to(simulator.port);
        try {
            line.blackHole();
            await load([gatewayNode(line.port, { autoConnect: false }), eventNode(), ...observers]);
            const [caught, completed] = [new Inbox("caught"), new Inbox("completed")];
            ask("connect");
            ask("disconnect");
            const failed = await caught.next(({ _msgid }) => _msgid === "connect");
            assert.equal(codeOf(failed), "GW_NOT_CONNECTED");
            assert.match(errorTextOf(failed), /a disconnect was requested/);
            await completed.next(({ _msgid }) => _msgid === "disconnect");
        } finally {
            line.close();
        }
    });

    it("another action is GW_INVALID_PAYLOAD, and any other msg.gateway belongs to an event", async () => {
        const { caught, completed } = await start();
        for (const action of ["stop", 7, undefined]) {
            ask(action, `bad ${action}`);
            const failed = await caught.next(({ _msgid }) => _msgid === `bad ${action}`);
            assert.equal(codeOf(failed), "GW_INVALID_PAYLOAD");
            assert.match(errorTextOf(failed), /msg\.gateway\.action .* connect, disconnect, pause, resume/);
        }
        const throwing = Object.defineProperty({}, "action", {
            enumerable: true,
            get: () => {
                throw new Error("no action");
            },
        });
        node("event").receive({ ...device, payload: 0, gateway: throwing });
        assert.equal(codeOf(await caught.next(({ error }) => errorTextOf({ error }).includes("no action"))), "GW_INVALID_PAYLOAD");
        for (const [index, gateway] of ["pause", 1, null, { name: "hall" }, true].entries()) send(index, { qos: 1, gateway });
        await completed.count(5);
        assert.deepEqual(events(), ["0", "1", "2", "3", "4"]);
    });

    it("a message that asks is heard also by a node whose own settings are wrong", async () => {
        await load([gatewayNode(simulator.port, { autoConnect: false }), eventNode({ format: "a/b" }), ...observers]);
        const completed = new Inbox("completed");
        ask("connect");
        await completed.next(({ _msgid }) => _msgid === "connect");
    });

    it("while paused, events wait, answers to commands too, QoS 0 fails, and device management goes on", async () => {
        const command = commandNode({ acknowledge: "flow", inputs: 1, answer: "done" });
        const { caught, completed, asked, statuses } = await start({}, [command, responderNode({ manage: false })]);
        const [commands, requests] = [new Inbox("commands"), new Inbox("requests")];
        send(1, { qos: 1 });
        await completed.next();
        await connected(3);
        ask("pause");
        await asked("pause");
        for (const payload of [2, 3]) send(payload, { qos: 1 });
        await shown(statuses, "queued");
        send(4, { qos: 0 });
        const failed = await caught.next();
        assert.deepEqual([failed.payload, codeOf(failed)], [4, "GW_NOT_CONNECTED"]);
        assert.match(errorTextOf(failed), /paused/);
        simulator.publish("org", "iot-2/type/pump/id/p1/cmd/start/fmt/json", "{}");
        node("command").receive({ ...(await commands.next()), payload: 5 });
        simulator.publish("org", `iotdm-1/type/gw/id/gw1/${reboot}`, JSON.stringify({ reqId: "r1" }), 1);
        node("responder").receive({ ...(await requests.next()) });
        await waitFor(() => published().some((topic) => topic.endsWith("/response")), "the answer to the request");
        assert.deepEqual(events(), ["1"]);
        ask("resume");
        await asked("resume");
        await waitFor(() => events().length === 4, "what waited");
        const [, ...waited] = events();
        assert.deepEqual(waited, ['{"commandId":"start","d":5}', "2", "3"]);
    });

    it("while paused, new devices whose events wait take no place of device management", async () => {
        const { asked } = await start({}, [responderNode({ manage: false, target: "device" })]);
        const answers = new Inbox("answers");
        await connected(2);
        ask("pause");
        await asked("pause");
        for (let number = 0; number < 30; number++) send(number, { deviceId: `new${number}`, qos: 1 });
        for (let number = 30; number < 40; number++) {
            node("responder").receive({
                dm: { action: "addErrorCode", typeId: "pump", deviceId: `new${number}` },
                payload: { errorCode: 7 },
            });
        }
        await answers.count(10);
        assert.deepEqual(events(), []);
    });

    it("what was asked for survives a deploy that leaves the gateway unchanged, and nothing is sent meanwhile", async () => {
        const { asked, completed } = await start();
        await connected();
        for (const [action, left] of [
            ["pause", []],
            ["disconnect", []],
        ] as const) {
            ask(action);
            await asked(action);
            await deploy([gatewayNode(simulator.port), eventNode({ qos: "", name: action }), ...observers]);
            send(1, { qos: 1 });
            assert.deepEqual(events(), left);
        }
        assert.equal(counts().connect, 1);
        ask("connect", "connect after");
        await completed.next(({ _msgid }) => _msgid === "connect after");
        assert.deepEqual(events(), [], "it is still paused");
        ask("resume", "resume after");
        await waitFor(() => events().length === 2, "both events");
    });

    it("a changed gateway starts as it is set", async () => {
        const { asked } = await start();
        await connected();
        ask("disconnect");
        await asked("disconnect");
        await deploy([gatewayNode(simulator.port, { keepAlive: "30" }), eventNode({ qos: "" }), ...observers]);
        await connected(2);
    });
});
