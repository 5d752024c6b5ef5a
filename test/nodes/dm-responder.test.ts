import assert from "node:assert/strict";
import helper from "node-red-node-test-helper";
import { isRecord } from "../../src/protocol/json";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import { type FlowNode, gatewayNode, Inbox, load, node, observers, responderNode, withRuntime } from "../support/drivers/flow-runner";
import { codeOf } from "../support/records";
import { waitFor } from "../support/wait-for";

const clientId = "g:org:gw:gw1";
const reboot = "mgmt/initiate/device/reboot";
const circular: Record<string, unknown> = {};
circular.self = circular;

describe("dm-responder", () => {
    let simulator: Simulator;
    withRuntime();

    beforeEach(async () => {
        simulator = await startSimulator({ port: 0, httpPort: 0, organisation: "org" });
    });

    afterEach(() => simulator.close());

    async function start(...nodes: FlowNode[]) {
        await load([gatewayNode(simulator.port), ...nodes, ...observers]);
        const names = ["requests", "answers", "caught", "completed", "statuses"] as const;
        const [requests, answers, caught, completed, statuses] = names.map((name) => new Inbox(name));
        assert.ok(requests && answers && caught && completed && statuses);
        await waitFor(() => simulator.observed.counts(clientId).subscribe === 2, "the subscription of device management");
        return { requests, answers, caught, completed, statuses };
    }

    const send = (suffix: string, body: object, device = "gw/gw1") => {
        const [typeId, deviceId] = device.split("/");
        simulator.publish("org", `iotdm-1/type/${typeId}/id/${deviceId}/${suffix}`, JSON.stringify(body), 1);
    };
    const input = (message: Record<string, unknown>, id = "responder") => node(id).receive(message);
    const published = (suffix: string) =>
        simulator.observed.packets().flatMap(({ command, topic, payload }) => {
            return command === "publish" && topic?.endsWith(suffix) && topic.startsWith("iotdevice-1/") ? [String(payload)] : [];
        });
    // No catalogue is loaded here, so the status shows its key.
    const status = (statuses: Inbox, key: string) =>
        statuses.next((message) => isRecord(message.status) && message.status.text === `dm-responder.status.${key}`);

    it("sends the platform's requests to its first output, and completes the flow's answer when it is acknowledged", async () => {
        const { requests, completed, answers } = await start(responderNode({ manage: false }));
        send(reboot, { reqId: "r1" });
        const { _msgid, ...request } = await requests.next();
        assert.deepEqual(request, {
            dm: { action: "device/reboot", typeId: "gw", deviceId: "gw1", reqId: "r1" },
            topic: "iotdm-1/type/gw/id/gw1/mgmt/initiate/device/reboot",
            payload: undefined,
        });
        input({ _msgid, ...request, rc: 202, message: "in a minute" });
        assert.equal((await completed.next())._msgid, _msgid);
        assert.deepEqual(published("/response"), ['{"rc":202,"message":"in a minute","reqId":"r1"}']);
        assert.deepEqual(answers.messages, []);
    });

    it("sends the platform's answer to a request of the flow to its second output, with the original message, whatever the code", async () => {
        const { answers, completed, requests } = await start(responderNode({ manage: false }));
        input({ _msgid: "m1", dm: { action: "addErrorCode" }, payload: { errorCode: 7 }, keep: "me", message: "old" });
        const { _msgid, ...answer } = await answers.next();
        assert.deepEqual([_msgid, answer], ["m1", { dm: { action: "addErrorCode" }, payload: undefined, keep: "me", rc: 200 }]);
        await completed.next();
        input({ dm: { action: "notify" }, payload: { fields: [{ field: "mgmt.firmware", value: { state: 0 } }] } });
        const refused = await answers.next(({ rc }) => rc === 404);
        assert.equal(refused.message, "mgmt.firmware is not observed.");
        assert.deepEqual(requests.messages, []);
    });

    it("manages the gateway automatically, and shows it in its status", async () => {
        const { statuses } = await start(responderNode({ lifetime: "3600", metadata: '{"site":"A"}' }));
        await waitFor(() => simulator.organisation("org").management.isManaged("gw", "gw1"), "the gateway to be managed");
        assert.deepEqual(simulator.organisation("org").management.device("gw", "gw1")?.metadata, { site: "A" });
        await status(statuses, "managed");
    });

    it("shows how many requests wait for the flow", async () => {
        const { statuses, requests } = await start(responderNode({ manage: false }));
        send(reboot, { reqId: "r1" });
        await requests.next();
        await status(statuses, "toAnswer");
    });

    it("reports a rejected device to Catch and in its status", async () => {
        simulator.faults.add({ fault: "management", topic: "mgmt/manage", rc: 403 });
        const { statuses, caught } = await start(responderNode());
        const error = await caught.next();
        assert.deepEqual([codeOf(error), error.typeId, error.deviceId], ["GW_DM_REJECTED", "gw", "gw1"]);
        await status(statuses, "rejected");
    });

    it("answers 500 if the flow is too slow, and sends its late answer to Catch", async () => {
        const { requests, caught } = await start(responderNode({ manage: false, timeout: "1" }));
        send(reboot, { reqId: "r1" });
        const request = await requests.next();
        await waitFor(() => published("/response").length, "the answer");
        input({ ...request, rc: 202 });
        assert.equal(codeOf(await caught.next()), "GW_DM_TIMEOUT");
        assert.deepEqual(published("/response"), ['{"rc":500,"message":"The flow did not answer within 1 s.","reqId":"r1"}']);
    });

    for (const [what, message, code] of [
        ["has no dm", {}, "GW_DM_INVALID"],
        ["names an unknown action", { dm: { action: "explode" } }, "GW_DM_INVALID"],
        ["has a location without longitude", { dm: { action: "location" }, payload: { latitude: 1 } }, "GW_DM_INVALID"],
        ["names a bad device", { dm: { action: "manage", typeId: "a b", deviceId: "1" } }, "GW_INVALID_ID"],
        [
            "answers a request that does not exist",
            { dm: { action: "observe", typeId: "gw", deviceId: "gw1", reqId: "x" } },
            "GW_DM_INVALID",
        ],
        ["has data that JSON cannot express", { dm: { action: "manage" }, payload: { metadata: circular } }, "GW_DM_INVALID"],
        ["makes a firmware step out of order", { dm: { action: "firmware", step: "updated" } }, "GW_DM_INVALID"],
    ] as const) {
        it(`fails a message that ${what} with ${code}`, async () => {
            const { caught, completed } = await start(responderNode({ manage: false }));
            input({ _msgid: "m1", ...message });
            const failed = await caught.next();
            assert.deepEqual([codeOf(failed), failed._msgid], [code, "m1"]);
            assert.deepEqual(completed.messages, []);
        });
    }

    it("fails requests of the flow at once without a connection, and keeps answers for the next connection", async () => {
        const { requests, caught, completed } = await start(responderNode({ manage: false }));
        send(reboot, { reqId: "r1" });
        const request = await requests.next();
        simulator.setLink(true);
        await waitFor(() => simulator.linkDown && simulator.observed.counts(clientId).connect === 1, "the cut");
        await waitFor(() => {
            input({ dm: { action: "clearLog" } });
            return caught.messages.some((message) => codeOf(message) === "GW_NOT_CONNECTED");
        }, "GW_NOT_CONNECTED");
        input({ ...request, _msgid: "answer" });
        simulator.setLink(false);
        await completed.next(({ _msgid }) => _msgid === "answer");
        assert.deepEqual(published("/response"), ['{"rc":202,"reqId":"r1"}']);
    });

    it("survives messages with getters that throw, and answers whose message cannot be cloned", async () => {
        const { caught, completed } = await start(responderNode({ manage: false }));
        const hostile = {
            get action(): string {
                throw new Error("boom");
            },
        };
        node("responder").emit(
            "input",
            { _msgid: "bad", dm: hostile },
            () => undefined,
            () => undefined,
        );
        const hostileMessage = { _msgid: "worse", dm: { action: "clearLog" } };
        Object.defineProperty(hostileMessage, "trap", {
            enumerable: true,
            get() {
                throw new Error("boom");
            },
        });
        node("responder").emit(
            "input",
            hostileMessage,
            () => undefined,
            () => undefined,
        );
        input({ _msgid: "good", dm: { action: "clearLog" } });
        await completed.next(({ _msgid }) => _msgid === "good");
        assert.ok(caught.messages.length <= 2);
    });

    it("advances the firmware by steps, and reports the platform's answers to the notifications", async () => {
        const { answers, completed } = await start(responderNode({ manage: true, firmwareActions: true, respond: "auto" }));
        const { management } = simulator.organisation("org");
        await waitFor(() => management.isManaged("gw", "gw1"), "the gateway to be managed");
        send("observe", { d: { fields: [{ field: "mgmt.firmware" }] }, reqId: "o" });
        await waitFor(() => published("/response").length, "the answer");
        input({ _msgid: "s1", dm: { action: "firmware", step: "downloading" } });
        await completed.next(({ _msgid }) => _msgid === "s1");
        const report = await answers.next();
        assert.deepEqual(report.dm, { action: "firmware", typeId: "gw", deviceId: "gw1", step: "downloading" });
        assert.equal(report.rc, 404, "the simulator's server did not ask to observe");
    });

    it("shows on both of two nodes with the same target that neither gets a request", async () => {
        const two = responderNode({ id: "two", manage: false });
        const { requests } = await start(responderNode({ manage: false }), two);
        const logged: unknown[] = helper.log().args.flat();
        const reports = logged.filter((line) => isRecord(line) && /same target/.test(String(line.msg)));
        assert.deepEqual(reports.map((line) => isRecord(line) && line.id).sort(), ["responder", "two"]);
        send(reboot, { reqId: "r1" });
        await waitFor(() => published("/response").length, "the answer");
        assert.match(String(published("/response")[0]), /"rc":500/);
        assert.deepEqual(requests.messages, []);
    });

    it("rejects invalid settings visibly, and fails its messages with the reason", async () => {
        await load([gatewayNode(simulator.port), responderNode({ lifetime: "60" }), ...observers]);
        const caught = new Inbox("caught");
        input({ dm: { action: "clearLog" } });
        assert.equal(codeOf(await caught.next()), "GW_CONFIG");
        await waitFor(() => simulator.observed.counts(clientId).subscribe === 1, "the connection");
    });

    it("shows and raises that the platform refused its subscription", async () => {
        simulator.faults.add({ fault: "refuseSubscribe", topic: "iotdm-1/*" });
        await load([gatewayNode(simulator.port), responderNode(), ...observers]);
        const caught = new Inbox("caught");
        assert.equal(codeOf(await caught.next()), "GW_SUBSCRIBE_REFUSED");
    });

    it("fails its messages when no gateway is chosen", async () => {
        await load([responderNode({ gateway: "" }), ...observers]);
        const caught = new Inbox("caught");
        input({ dm: { action: "clearLog" } });
        assert.equal(codeOf(await caught.next()), "GW_CONFIG");
    });
});
