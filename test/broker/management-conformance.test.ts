import assert from "node:assert/strict";
import type { ResponderOptions } from "../../src/management/responder";
import { ManagedPlatform } from "../support/drivers/managed-platform";
import { memberOf } from "../support/records";
import { waitFor } from "../support/wait-for";

const reboot = "mgmt/initiate/device/reboot";
const manage: Partial<ResponderOptions> = { target: { kind: "device" }, manage: true };
const device = { typeId: "s", deviceId: "1" };

/** The cases 46 to 68 of `docs/conformance.md`, over MQTT against the simulator. */
describe("device management conformance", () => {
    let platform: ManagedPlatform;

    beforeEach(async () => {
        platform = await ManagedPlatform.start();
    });

    afterEach(() => platform.close());

    it("46: subscribes to iotdm-1/type/+/id/+/# at QoS 1, alone in its packet, only while a dm-responder exists", async () => {
        await platform.connect({ subscribed: false });
        await platform.event();
        assert.deepEqual(platform.subscribes("iotdm-1/type/+/id/+/#"), []);
        const one = platform.responder();
        const two = platform.responder({ target: { kind: "gateway" } });
        await platform.subscribed();
        one.attached.detach();
        two.attached.detach();
        const gone = await waitFor(
            () => platform.simulator.observed.packets().find(({ command }) => command === "unsubscribe"),
            "the end of the subscription",
        );
        assert.deepEqual(gone.filters, ["iotdm-1/type/+/id/+/#"]);
        const filters = platform.simulator.observed.packets().filter(({ command }) => command === "subscribe");
        assert.deepEqual(
            filters.map((packet) => packet.filters),
            [["iot-2/type/mygw/id/gw1/notify"], ["iotdm-1/type/+/id/+/#"]],
        );
    });

    it("47: answers a reboot on response, without a trailing slash, at QoS 1 and not retained", async () => {
        const responder = platform.responder();
        await platform.connect();
        platform.send(reboot, '{"reqId":"r1"}');
        responder.input({ ...(await platform.request(responder)), rc: 202 });
        const { topic, payload, packet } = await platform.next("response");
        assert.equal(topic, "iotdevice-1/type/s/id/1/response");
        assert.equal(payload, '{"rc":202,"reqId":"r1"}');
        assert.deepEqual([packet.qos, packet.retain], [1, false]);
    });

    it("48: repeats the request id byte for byte, sends rc as a number, and leaves out members that are not set", async () => {
        const responder = platform.responder();
        await platform.connect();
        platform.send(reboot, '{ "reqId" : "caf\\u00e9 \\/ 1" , "d":{"reqId":"no"}}');
        responder.input({ ...(await platform.request(responder)), rc: "202" });
        assert.equal((await platform.next("response")).payload, '{"rc":202,"reqId":"caf\\u00e9 \\/ 1"}');
    });

    it("49: does not answer a request without an id, even if the flow does", async () => {
        const responder = platform.responder();
        await platform.connect();
        platform.send("device/update", { d: { fields: [{ field: "location", value: { latitude: 1, longitude: 2 } }] } });
        const outcomes = responder.input({ ...(await platform.request(responder)), rc: 204 });
        assert.deepEqual(outcomes, [{}]);
        await platform.settled();
        assert.deepEqual(platform.published, []);
    });

    it("50: answers an accepted device update with 204", async () => {
        const responder = platform.responder();
        await platform.connect();
        platform.send("device/update", { d: { fields: [{ field: "metadata", value: { a: 1 } }] }, reqId: "r" });
        responder.input(await platform.request(responder));
        assert.equal((await platform.next("response")).payload, '{"rc":204,"reqId":"r"}');
    });

    it("51: passes the field names of an observation to the flow, even as plain strings, and answers with the value", async () => {
        const responder = platform.responder();
        await platform.connect();
        for (const [index, fields] of [[{ field: "mgmt.firmware" }], ["mgmt.firmware"]].entries()) {
            platform.send("observe", { d: { fields }, reqId: `r${index}` });
            const request = await platform.request(responder, index + 1);
            assert.deepEqual(memberOf(request.dm, "fields"), ["mgmt.firmware"]);
            responder.input(request);
            const { json } = await platform.next("response");
            const value = { state: 0, updateStatus: 0 };
            assert.deepEqual(json, { rc: 200, d: { fields: [{ field: "mgmt.firmware", value }] }, reqId: `r${index}` });
        }
    });

    it("52: answers cancel with 200", async () => {
        const responder = platform.responder();
        await platform.connect();
        platform.send("cancel", { d: { fields: [{ field: "mgmt.firmware" }] }, reqId: "r" });
        responder.input(await platform.request(responder));
        assert.equal((await platform.next("response")).payload, '{"rc":200,"reqId":"r"}');
    });

    it("53: passes bundle, action and parameters of a custom action to the flow, and answers 200", async () => {
        const responder = platform.responder();
        await platform.connect();
        platform.send("mgmt/custom/b1/a1", { d: { fields: [{ field: "p", value: "v" }] }, reqId: "r" });
        const request = await platform.request(responder);
        assert.deepEqual(request.dm, { action: "custom", ...device, reqId: "r", bundleId: "b1", actionId: "a1", fields: { p: "v" } });
        responder.input(request);
        assert.equal((await platform.next("response")).payload, '{"rc":200,"reqId":"r"}');
    });

    it("54: answers an unknown or unannounced action with 501 at once, and a request that the flow does not answer with 500, each once", async () => {
        const responder = platform.responder({ deviceActions: false });
        await platform.connect();
        for (const suffix of [reboot, "mgmt/initiate/device/explode", "mgmt/custom/unknown/a"]) {
            platform.send(suffix, { reqId: suffix });
            assert.equal((await platform.next("response")).json.rc, 501);
        }
        platform.send("mgmt/custom/b1/a1", { reqId: "slow" });
        const request = await platform.request(responder);
        platform.clock.skip(30_000);
        assert.equal((await platform.next("response")).json.rc, 500);
        assert.equal(responder.input(request)[0]?.error?.code, "GW_DM_TIMEOUT");
        await platform.settled();
        assert.deepEqual(platform.published, []);
    });

    it("55: sends the flow's failure with its message, 400 in the wrong state, and warns of an unusual code", async () => {
        const responder = platform.responder();
        await platform.connect();
        platform.send(reboot, { reqId: "a" });
        responder.input({ ...(await platform.request(responder)), rc: 500, message: "the pump runs" });
        assert.equal((await platform.next("response")).payload, '{"rc":500,"message":"the pump runs","reqId":"a"}');
        platform.send("mgmt/initiate/firmware/update", { reqId: "b" });
        assert.equal((await platform.next("response")).json.rc, 400);
        platform.send(reboot, { reqId: "c" });
        responder.input({ ...(await platform.request(responder, 2)), rc: 299 });
        assert.equal((await platform.next("response")).json.rc, 299);
        assert.equal(responder.warnings.length, 1);
    });

    it("56: carries out a request that arrives twice once, and sends the stored answer again", async () => {
        const responder = platform.responder();
        await platform.connect();
        platform.send("mgmt/custom/b1/a1", { reqId: "r" });
        responder.input({ ...(await platform.request(responder)), payload: { result: 42 } });
        const first = await platform.next("response");
        platform.send("mgmt/custom/b1/a1", { reqId: "r" });
        assert.equal((await platform.next("response")).payload, first.payload);
        assert.equal(responder.requests.length, 1);
    });

    it("57: matches answers to the gateway's requests, and never mistakes one for a request", async () => {
        const responder = platform.responder();
        await platform.connect();
        platform.send("response", { rc: 200, reqId: "stranger" });
        platform.send("response", "no json");
        const outcomes = responder.input({ dm: { action: "clearLog", ...device } });
        await waitFor(() => outcomes.length, "the answer");
        assert.deepEqual([outcomes[0]?.answer?.rc, responder.requests, responder.raised], [200, [], []]);
        await platform.next("clear/diag/log");
        await platform.settled();
        assert.deepEqual(platform.published, []);
    });

    it("58: manages with lifetime, supports and a request id of its own, and refuses a lifetime from 1 to 3599", async () => {
        const responder = platform.responder();
        await platform.connect();
        const payload = { lifetime: 3600, supports: { deviceActions: true, firmwareActions: false } };
        const ids = new Set<unknown>();
        for (const lifetime of [3600, 0, undefined]) {
            const outcomes = responder.input({ dm: { action: "manage", ...device }, payload: { ...payload, lifetime } });
            const { topic, json } = await platform.next("mgmt/manage");
            assert.equal(topic, "iotdevice-1/type/s/id/1/mgmt/manage");
            assert.deepEqual(json.d, JSON.parse(JSON.stringify({ ...payload, lifetime })));
            ids.add(json.reqId);
            await waitFor(() => outcomes.length, "the answer");
            assert.equal(outcomes[0]?.answer?.rc, 200);
        }
        assert.equal(ids.size, 3);
        for (const lifetime of [1, 3599, -1, "3600"]) {
            const [outcome] = responder.input({ dm: { action: "manage", ...device }, payload: { ...payload, lifetime } });
            assert.equal(outcome?.error?.code, "GW_DM_INVALID");
        }
        await platform.settled();
        assert.deepEqual(platform.published, []);
    });

    it("59: is managed after 200, reports 400, 403 and 404 without a retry, and tries again after 409", async () => {
        for (const rc of [400, 403, 404, 409]) {
            platform.simulator.faults.add({ fault: "management", device: `s/${rc}`, topic: "mgmt/manage", rc, times: 1 });
        }
        const responder = platform.responder(manage);
        await platform.connect();
        for (const id of ["200", "400", "403", "404", "409"]) {
            await platform.event(`s/${id}`);
            await platform.next("mgmt/manage", `s/${id}`);
        }
        await waitFor(() => responder.counts?.rejected === 3 && responder.counts.managed === 1, "the answers");
        assert.deepEqual(
            responder.raised.map(({ code, rc }) => [code, rc]),
            [
                ["GW_DM_REJECTED", 400],
                ["GW_DM_REJECTED", 403],
                ["GW_DM_REJECTED", 404],
            ],
        );
        await waitFor(() => {
            platform.clock.skip(1000);
            return platform.published.some(({ device: again }) => again === "s/409");
        }, "the second attempt");
        await platform.next("mgmt/manage", "s/409");
        await waitFor(() => responder.counts?.managed === 2, "its answer");
        platform.clock.skip(3_000_000);
        await platform.settled();
        assert.deepEqual(platform.published, []);
        assert.ok(platform.simulator.organisation("org").management.isManaged("s", "409"));
    });

    it("60: manages again before the lifetime ends, and after each reconnect", async () => {
        const responder = platform.responder({ target: { kind: "gateway" }, manage: true, lifetimeS: 3600 });
        await platform.connect();
        await platform.next("mgmt/manage");
        await waitFor(() => responder.counts?.managed === 1, "the answer");
        platform.clock.skip(3_480_000 + 5000);
        await platform.next("mgmt/manage");
        platform.simulator.cut(platform.clientId);
        await waitFor(() => platform.gateway.state.connection.phase !== "online", "the loss of the connection");
        platform.clock.skip(10_000);
        await platform.next("mgmt/manage");
    });

    it("61: leaves out empty deviceInfo and metadata", async () => {
        platform.responder({ target: { kind: "gateway" }, manage: true, bundles: [] });
        await platform.connect();
        const expected = { lifetime: 0, supports: { deviceActions: true, firmwareActions: true } };
        assert.deepEqual((await platform.next("mgmt/manage")).json.d, expected);
        const responder = platform.responder();
        responder.input({ dm: { action: "manage", ...device }, payload: { deviceInfo: {}, metadata: {}, supports: {} } });
        assert.deepEqual((await platform.next("mgmt/manage")).json.d, {});
    });

    it("62: sends unmanage, location, error codes and logs on their topics, and the platform accepts them", async () => {
        const responder = platform.responder();
        await platform.connect();
        const location = { latitude: 48.1, longitude: 11.5, measuredDateTime: "2026-01-01T00:00:00Z" };
        const log = { message: "hot", timestamp: "2026-01-01T00:00:00Z", data: "YWJj", severity: 1 };
        for (const [action, payload, suffix, d] of [
            ["manage", {}, "mgmt/manage", {}],
            ["location", location, "device/update/location", location],
            ["addErrorCode", { errorCode: 12 }, "add/diag/errorCodes", { errorCode: 12 }],
            ["addLog", { ...log, data: Buffer.from("abc") }, "add/diag/log", log],
            ["notify", { fields: [{ field: "mgmt.firmware", value: { state: 0 } }] }, "notify", undefined],
            ["clearErrorCodes", undefined, "clear/diag/errorCodes", undefined],
            ["clearLog", undefined, "clear/diag/log", undefined],
            ["unmanage", undefined, "mgmt/unmanage", undefined],
        ] as const) {
            const outcomes = responder.input({ dm: { action, ...device }, payload });
            const { topic, json } = await platform.next(suffix);
            assert.equal(topic, `iotdevice-1/type/s/id/1/${suffix}`);
            if (action !== "notify") assert.deepEqual(json.d, d);
            await waitFor(() => outcomes.length, `the answer to ${action}`);
            assert.equal(outcomes[0]?.answer?.rc, action === "notify" ? 404 : 200, action);
            const stored = platform.simulator.organisation("org").management.device("s", "1");
            if (action === "addLog") assert.deepEqual([stored?.location, stored?.errorCodes, stored?.log], [location, [12], [log]]);
            if (action === "unmanage") assert.deepEqual([stored?.managed, stored?.errorCodes, stored?.log], [false, [], []]);
        }
    });

    it("63: refuses a location without latitude or longitude", async () => {
        const responder = platform.responder();
        await platform.connect();
        for (const payload of [{ latitude: 1 }, { longitude: 1 }, {}]) {
            assert.equal(responder.input({ dm: { action: "location", ...device }, payload })[0]?.error?.code, "GW_DM_INVALID");
        }
        await platform.settled();
        assert.deepEqual(platform.published, []);
    });

    it("64: refuses firmware requests in the wrong state, and sends notifications in the documented form only while observed", async () => {
        const responder = platform.responder({ respond: "auto" });
        await platform.connect();
        const answer = async (suffix: string, body: object, rc: number) => {
            platform.send(suffix, body);
            assert.equal((await platform.next("response")).json.rc, rc);
        };
        const image = (uri: string) => ({ fields: [{ field: "mgmt.firmware", value: { version: "2", uri } }] });
        const step = (name: string) => responder.input({ dm: { action: "firmware", ...device, step: name } });
        await answer("mgmt/initiate/firmware/download", { reqId: "no uri" }, 400);
        await answer("device/update", { d: image("nowhere"), reqId: "u1" }, 204);
        await answer("mgmt/initiate/firmware/download", { reqId: "bad uri" }, 400);
        await answer("device/update", { d: image("https://example.com/2.bin"), reqId: "u2" }, 204);
        await answer("mgmt/initiate/firmware/update", { reqId: "not downloaded" }, 400);
        await answer("mgmt/initiate/firmware/download", { reqId: "good" }, 202);
        step("downloading");
        await platform.settled();
        assert.deepEqual(platform.published, [], "nobody observes");
        await answer("mgmt/initiate/firmware/download", { reqId: "twice" }, 400);
        await answer("observe", { d: { fields: ["mgmt.firmware"] }, reqId: "o" }, 200);
        step("downloaded");
        const { topic, json } = await platform.next("notify");
        assert.equal(topic, "iotdevice-1/type/s/id/1/notify");
        assert.deepEqual(json.d, { fields: [{ field: "mgmt.firmware", value: { state: 2 } }] });
        assert.equal(typeof json.reqId, "string");
        await answer("cancel", { d: { fields: ["mgmt.firmware"] }, reqId: "c" }, 200);
        step("updating");
        await platform.settled();
        assert.deepEqual(platform.published, []);
    });

    it("65: names type and id in every topic, so that the platform refuses none", async () => {
        const responder = platform.responder({ ...manage, respond: "auto" });
        await platform.connect();
        await platform.event();
        await platform.next("mgmt/manage");
        platform.send(reboot, { reqId: "r" });
        await platform.next("response");
        for (const action of ["unmanage", "clearLog", "clearErrorCodes"]) responder.input({ dm: { action, ...device } });
        await platform.next("clear/diag/errorCodes");
        const topics = platform.simulator.observed
            .packets()
            .flatMap(({ command, topic }) => (command === "publish" && topic ? [topic] : []));
        assert.ok(topics.length >= 6);
        for (const topic of topics) assert.match(topic, /^(iot-2|iotdevice-1)\/type\/[^/]+\/id\/[^/]+\/[^+#]*[^/+#]$/);
    });

    it("66: sends at QoS 1 at most, whatever the message asks for", async () => {
        const responder = platform.responder();
        await platform.connect();
        platform.send(reboot, { reqId: "r" });
        const answer = { ...(await platform.request(responder)), qos: 2 };
        responder.input(answer);
        assert.equal((await platform.next("response")).packet.qos, 1);
        const request = { dm: { action: "clearLog", ...device, qos: 2 }, qos: 2 };
        responder.input(request);
        assert.equal((await platform.next("clear/diag/log")).packet.qos, 1);
    });

    it("68: dispatches requests for the gateway itself and for a device, each with its ids", async () => {
        const gateway = platform.responder({ target: { kind: "gateway" } });
        const devices = platform.responder();
        await platform.connect();
        platform.send(reboot, { reqId: "r" }, "mygw/gw1");
        platform.send(reboot, { reqId: "r" });
        assert.deepEqual((await platform.request(gateway)).dm, { action: "device/reboot", typeId: "mygw", deviceId: "gw1", reqId: "r" });
        assert.deepEqual((await platform.request(devices)).dm, { action: "device/reboot", ...device, reqId: "r" });
        gateway.answer();
        devices.answer();
        await platform.next("response", "mygw/gw1");
        await platform.next("response", "s/1");
    });
});

describe("device management conformance, durable session", () => {
    it("67: marks and answers requests that were queued while the gateway was away, although the platform gave up", async () => {
        const platform = await ManagedPlatform.start({ cleanSession: "false" });
        try {
            platform.responder();
            await platform.connect();
            await platform.endGateway();
            platform.send(reboot, { reqId: "old" });
            platform.send(reboot, { reqId: "old too" }, "t/1");
            const passing = platform.responder();
            const refusing = platform.responder({ target: { kind: "device", typeId: "t" }, replayed: "refuse" });
            await platform.connect();
            const request = await platform.request(passing);
            assert.deepEqual(request.dm, { action: "device/reboot", ...device, reqId: "old", replayed: true });
            passing.input(request);
            assert.equal((await platform.next("response", "s/1")).json.rc, 202);
            assert.equal((await platform.next("response", "t/1")).json.rc, 500);
            assert.deepEqual(refusing.requests, []);
            platform.send(reboot, { reqId: "new" });
            const { dm } = await platform.request(passing, 2);
            assert.deepEqual(dm, { action: "device/reboot", ...device, reqId: "new" });
        } finally {
            await platform.close();
        }
    });
});
