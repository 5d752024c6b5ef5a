import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { NodeAPI } from "node-red";
import helper from "node-red-node-test-helper";
import { isSqliteAvailable } from "../../src/outbox/store/open-store";
import { startSimulator } from "../../src/simulator/simulator";
import {
    coreNodes,
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
import { freePort, freePortPair } from "../support/ports";
import { codeOf, memberOf, requireRecord } from "../support/records";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

/** Nothing listens here. */
const deadPort = 1;
/** Two seconds, which is as soon as events expire. */
const brief = { ttl: "1" };

describe("events that were not delivered, in a flow", () => {
    withRuntime();
    let userDir: string;

    beforeEach(() => {
        userDir = mkdtempSync(path.join(tmpdir(), "undelivered-"));
    });

    afterEach(async () => {
        await helper.unload();
        helper.settings({});
        rmSync(userDir, { recursive: true, force: true });
    });

    const event = { typeId: "pump", deviceId: "p1" };
    const isUndelivered = (message: FlowMessage) => message.undelivered === true;
    const known = ({ _msgid, typeId, deviceId, eventId, payload, format, topic, qos, priority }: FlowMessage) => ({
        _msgid,
        typeId,
        deviceId,
        eventId,
        payload,
        format,
        topic,
        qos,
        priority,
    });
    /** An event as it is handed over. */
    const data = (_msgid: string, payload: unknown) => ({
        _msgid,
        ...event,
        eventId: "status",
        payload,
        format: "json",
        topic: "iot-2/type/pump/id/p1/evt/status/fmt/json",
        qos: 1,
        priority: "normal",
    });

    async function listed(query = ""): Promise<Record<string, unknown>> {
        // Until the file is open, it is 503.
        const found = async () => {
            const { body, status } = await helper.request().get(`/gateway-config/gateway/undelivered?${query}`);
            return status === 200 && requireRecord(body);
        };
        return requireRecord(await waitFor(found, "the list"));
    }

    const totalOf = async () => Number((await listed()).total);

    async function act(action: string, body: object = {}, status = 200): Promise<Record<string, unknown>> {
        const response = await helper.request().post(`/gateway-config/gateway/actions/${action}`).send(body).expect(status);
        return requireRecord(response.body);
    }

    it("an event that expires while its message waits fails the message with its data", async () => {
        await load([gatewayNode(deadPort), eventNode({ ...brief, complete: "acknowledged", wrap: true, timestamp: "ts" }), ...observers]);
        const caught = new Inbox("caught");
        node("event").receive({ _msgid: "m1", ...event, payload: { a: 1 }, mine: "kept" });
        const message = await caught.next((each) => codeOf(each) === "GW_EXPIRED");
        const ts = memberOf(message.payload, "d", "ts");
        assert.deepEqual(known(message), data("m1", { d: { a: 1, ts } }));
        assert.deepEqual([message.undelivered, message.mine], [true, "kept"]);
        assert.ok(Math.abs(Date.parse(String(message.time)) - Date.parse(String(ts))) < 1000, `${message.time} ${ts}`);
        await waitFor(async () => (await totalOf()) === 1, "the event to be kept");
        const [view] = (await listed()).events as Record<string, unknown>[];
        const { code, size, caught: isCaught, time, typeId, deviceId, eventId } = view ?? {};
        assert.deepEqual(
            { code, size, isCaught, time, typeId, deviceId, eventId },
            {
                code: "GW_EXPIRED",
                size: JSON.stringify({ d: { a: 1, ts } }).length,
                isCaught: true,
                time: message.time,
                ...event,
                eventId: "status",
            },
        );
    });

    it("an event without a Catch node is listed as not caught, exported as JSON Lines, and deleted", async () => {
        await load([gatewayNode(deadPort), eventNode({ ...brief, format: "" }), ...observers.filter(({ id }) => id !== "catch")]);
        node("event").receive({ _msgid: "m1", ...event, payload: "text", format: "text" });
        node("event").receive({ _msgid: "m2", ...event, payload: Buffer.from([0, 255]), format: "bin" });
        await waitFor(async () => (await totalOf()) === 2, "the events to be kept");
        assert.equal((await listed("caught=no&search=PUMP")).total, 2);
        assert.equal((await listed("search=valve")).total, 0);
        const { text, headers } = await helper.request().get("/gateway-config/gateway/undelivered/export").buffer(true).expect(200);
        assert.match(String(headers["content-type"]), /^application\/x-ndjson/);
        const lines = text
            .trim()
            .split("\n")
            .map((line) => requireRecord(JSON.parse(line)));
        assert.deepEqual(
            lines.map(({ _msgid, payload, payloadBase64, code, caught }) => ({ _msgid, payload, payloadBase64, code, caught })),
            [
                { _msgid: "m1", payload: "text", payloadBase64: undefined, code: "GW_EXPIRED", caught: false },
                { _msgid: "m2", payload: undefined, payloadBase64: "AP8=", code: "GW_EXPIRED", caught: false },
            ],
        );
        assert.deepEqual(await act("deleteUndelivered", { search: "pump/p1" }), {
            isDone: true,
            key: "undeliveredDeleted",
            parameters: { count: 2 },
        });
        assert.equal(await totalOf(), 0);
        assert.deepEqual(await act("deleteUndelivered"), { isDone: false, key: "nothingUndelivered" });
    });

    it("an operator sends events again, by number or all that no Catch node got, and what they did is in the log", async () => {
        const port = await freePortPair();
        await load([gatewayNode(port, { platform: "simulator" }), eventNode(), ...observers]);
        const line = (down: boolean) => act("simulator-link", { down });
        await waitFor(async () => (await line(true)).isDone === true, "the line to be cut");
        const [caught, completed] = [new Inbox("caught"), new Inbox("completed")];
        for (const _msgid of ["m1", "m2", "m3"]) node("event").receive({ _msgid, ...event, payload: _msgid, ttl: 1 });
        for (const id of ["m1", "m2", "m3"]) await caught.next((message) => isUndelivered(message) && message._msgid === id);
        await waitFor(async () => (await totalOf()) === 3, "the events to be kept");
        assert.deepEqual(await act("resendUndelivered"), { isDone: false, key: "nothingUndelivered" }, "a Catch node got them");
        const [latest] = (await listed()).events as Record<string, unknown>[];
        assert.equal((await act("resendUndelivered", { ids: [latest?.id] })).key, "undeliveredSentAgain");
        assert.deepEqual((await act("resendUndelivered", { caught: true })).parameters, { count: 2 });
        await waitFor(async () => (await totalOf()) === 0, "the list to be empty");
        await line(false);
        const state = async () => (await helper.request().get("/wiotp-gateway/state")).body.gateways[0].gateway;
        await waitFor(async () => (await state()).outbox.events === 0, "the events to be sent");
        assert.deepEqual(completed.messages, [], "their messages had failed before");
        const logged = JSON.stringify(helper.log().args);
        assert.match(logged, /sent undelivered events again: 1/);
        assert.match(logged, /sent undelivered events again: 2/);
        assert.equal((await state()).totals.eventsReceived, 6);
    });

    it("a selection that is none is refused", async () => {
        await load([gatewayNode(deadPort), eventNode(), ...observers]);
        for (const body of [{ ids: "1" }, { ids: [1.5] }, { ids: [{}] }, { search: 5 }, { search: "x".repeat(201) }, { caught: "yes" }]) {
            assert.match(String((await act("resendUndelivered", body, 400)).error), /at most 10000/, JSON.stringify(body));
        }
    });

    const core = coreNodes("function/10-function.js");

    /** A Catch node whose errors go back to the event node, through the nodes between. */
    function loop(gateway: FlowNode, sender: FlowNode, between: readonly FlowNode[] = []): FlowNode[] {
        const first = between[0]?.id ?? "event";
        return [
            gateway,
            sender,
            ...between,
            { id: "catch", type: "catch", scope: null, wires: [["caught", first]] },
            { id: "caught", type: "helper" },
        ];
    }

    it("a flow that makes new messages of errors gets a hundred a second, while there is no link", async () => {
        const fresh = {
            id: "fresh",
            type: "function",
            func: 'return { typeId: "pump", deviceId: "p1", payload: 1 };',
            outputs: 1,
            wires: [["event"]],
        };
        await load(loop(gatewayNode(deadPort), eventNode({ qos: "0" }), [fresh]), {}, [...registrations, core as (RED: NodeAPI) => void]);
        const caught = new Inbox("caught");
        const startMs = performance.now();
        node("event").receive({ ...event, payload: 1 });
        await caught.count(250);
        const seconds = (performance.now() - startMs) / 1000;
        const ofEvent = caught.messages.filter((message) => memberOf(message.error, "source", "id") === "event");
        assert.ok(ofEvent.length <= 101 + seconds * 100, `${ofEvent.length} errors in ${seconds} s`);
    });

    const warning = () => JSON.stringify(helper.log().args).split("came back from Catch nodes 9 times").length - 1;
    const nineRounds = [1, 2, 3, 4, 5, 6, 7, 8, 9];
    const countsOf = (caught: Inbox) => caught.messages.filter(isUndelivered).map((message) => memberOf(message.error, "source", "count"));
    const uncaught = async () => (await listed("caught=no")).events as unknown[];

    it("a Catch node that sends events straight back ends after nine rounds over refusals, and the event is kept", async () => {
        const simulator = await startSimulator({ port: 0, httpPort: 0, token: secretToken });
        try {
            await load(loop(gatewayNode(simulator.port), eventNode()), { gateway: { token: secretToken } });
            const caught = new Inbox("caught");
            simulator.faults.add({ fault: "refusePublish", topic: "iot-2/type/pump/id/p1/*", rc: 276, message: "no" });
            node("event").receive({ ...event, payload: 1 });
            await waitFor(() => warning() === 1, "the warning");
            assert.deepEqual(countsOf(caught), nineRounds);
            assert.ok(caught.messages.every((message) => codeOf(message) === "GW_REFUSED"));
            await waitFor(async () => (await uncaught()).length === 1, "the event to be kept");
        } finally {
            await helper.unload();
            await simulator.close();
        }
    });

    if (isSqliteAvailable()) {
        it("a Catch node that sends events straight back ends after nine rounds although Node-RED restarts in between", async () => {
            helper.settings({ userDir });
            const flow = loop(gatewayNode(await freePort(), { outbox: "disk" }), eventNode({ ...brief, format: "text" }));
            await load(flow);
            const before = new Inbox("caught");
            node("event").receive({ ...event, payload: "x" });
            await waitFor(() => countsOf(before).length === 4, "four rounds", 60_000);
            await helper.unload();
            helper.settings({ userDir });
            await load(flow);
            const after = new Inbox("caught");
            // What was handed over in the last second before the end comes again, beside what the flow made of it.
            const waiting = async () => (await helper.request().get("/wiotp-gateway/state")).body.gateways[0].gateway?.outbox.events;
            const isOver = async () => warning() > 0 && (await uncaught()).length === warning() && (await waiting()) === 0;
            await waitFor(isOver, "every event to be kept", 120_000);
            assert.deepEqual([...new Set([...countsOf(before), ...countsOf(after)])], nineRounds);
        });
    }

    for (const [kind, sender, gateway] of [
        ["expiry", brief, {}],
        ["drops to make room", {}, { outboxMaxMb: String(1300 / 1_048_576).slice(0, 10), outboxFull: "drop-oldest", outboxReserve: "0" }],
    ] as const) {
        it(`a Catch node that sends events straight back ends after nine rounds over ${kind}, and the event is kept`, async () => {
            const withDisk = isSqliteAvailable() ? { outbox: "disk" } : {};
            helper.settings({ userDir });
            await load(loop(gatewayNode(await freePort(), { ...gateway, ...withDisk }), eventNode({ ...sender, format: "text" })));
            const caught = new Inbox("caught");
            const payload = "x".repeat(600);
            node("event").receive({ ...event, payload });
            // What is dropped needs something that takes its place; it is dropped in turn by what comes back.
            if (kind !== "expiry") {
                for (const deviceId of ["p2", "p3"]) node("event").receive({ ...event, payload: "y".repeat(600), deviceId });
            }
            const counts = () =>
                caught.messages
                    .filter((message) => isUndelivered(message) && message.payload === payload)
                    .map((message) => memberOf(message.error, "source", "count"));
            await waitFor(() => counts().length === 9, "nine rounds", 120_000);
            assert.deepEqual(counts(), nineRounds);
            await waitFor(() => warning() > 0, "the warning", 60_000);
            await waitFor(async () => (await uncaught()).length > 0, "the event to be kept");
            assert.equal(counts().length, 9);
        });
    }
});
