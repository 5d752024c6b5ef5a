import assert from "node:assert/strict";
import { systemClock } from "../../src/clock";
import { ManagedGateway } from "./support/managed";
import { TestPlatform } from "./support/platform";

const manage = { lifetime: 3600, supports: { deviceActions: true, firmwareActions: true, "bundle-v1": true } };

describe("requests of devices to the device-management server", () => {
    let platform: TestPlatform;
    let gateway: ManagedGateway;
    let now = 1_800_000_000_000;
    beforeEach(async () => {
        platform = await TestPlatform.start({ clock: { ...systemClock, now: () => now } });
        gateway = await ManagedGateway.connect(platform);
    });
    afterEach(() => platform.close());

    const server = () => platform.simulator.organisation("org").management;
    const device = () => server().device("sensor", "s1");

    it("answers manage with 200 on the response topic of that device, QoS 1, with the same reqId", async () => {
        await gateway.send("mgmt/manage", { d: manage, reqId: "any text é" });
        const message = await gateway.client.message();
        assert.deepEqual(
            [message.topic, message.qos, message.payload.toString()],
            ["iotdm-1/type/sensor/id/s1/response", 1, '{"rc":200,"reqId":"any text é"}'],
        );
        assert.equal(server().isManaged("sensor", "s1"), true);
        assert.equal(server().isManaged("mygw", "gw1"), false);
    });

    const times = { measuredDateTime: "2026-01-01T00:00:00Z", updatedDateTime: "2026-01-01T00:00:00Z" };
    for (const [suffix, d, rc] of [
        ["mgmt/manage", undefined, 200],
        ["mgmt/manage", { lifetime: 0 }, 200],
        ["mgmt/manage", { lifetime: 3600, metadata: { site: "A" }, deviceInfo: { serialNumber: "1", fwVersion: "1.0" } }, 200],
        ["mgmt/manage", { lifetime: 3599 }, 400],
        ["mgmt/manage", { lifetime: -1 }, 400],
        ["mgmt/manage", { lifetime: "3600" }, 400],
        ["mgmt/manage", { supports: { deviceActions: "yes" } }, 400],
        ["mgmt/manage", { supports: [] }, 400],
        ["mgmt/manage", { supports: { "not a bundle": true } }, 403],
        ["mgmt/manage", { deviceInfo: { serialNumber: 1 } }, 400],
        ["mgmt/manage", { deviceInfo: { colour: "red" } }, 400],
        ["mgmt/manage", { metadata: "x" }, 400],
        ["mgmt/manage", [], 400],
        ["mgmt/unmanage", undefined, 404],
        ["mgmt/other", undefined, 404],
        ["device/update/location", { latitude: 1, longitude: 2 }, 200],
        ["device/update/location", { latitude: 1, longitude: 2, elevation: 3, accuracy: 4, ...times }, 200],
        ["device/update/location", { latitude: 1 }, 400],
        ["device/update/location", { latitude: 91, longitude: 2 }, 400],
        ["device/update/location", { latitude: 1, longitude: 2, accuracy: "4" }, 400],
        ["device/update/location", { latitude: 1, longitude: 2, measuredDateTime: "yesterday" }, 400],
        ["add/diag/errorCodes", { errorCode: 7 }, 200],
        ["add/diag/errorCodes", { errorCode: "7" }, 400],
        ["clear/diag/errorCodes", undefined, 200],
        ["add/diag/log", { message: "m", timestamp: "2026-01-01T00:00:00Z", severity: 2, data: "AAAA" }, 200],
        ["add/diag/log", { message: "m", timestamp: "2026-01-01T00:00:00Z" }, 200],
        ["add/diag/log", { message: "m" }, 400],
        ["add/diag/log", { message: "m", timestamp: "2026-01-01T00:00:00Z", severity: 3 }, 400],
        ["add/diag/log", { message: "m", timestamp: "2026-01-01T00:00:00Z", data: "not base64!" }, 400],
        ["clear/diag/log", undefined, 200],
        ["notify", { fields: [{ field: "mgmt.firmware", value: { state: 1 } }] }, 404],
        ["notify", { fields: [{ field: "colour", value: 1 }] }, 404],
        ["notify", {}, 400],
    ] as const) {
        it(`answers ${suffix} ${JSON.stringify(d)} with ${rc}`, async () => {
            const answer = await gateway.request(suffix, d);
            assert.equal(answer.rc, rc);
            assert.equal(typeof answer.message, rc === 200 ? "undefined" : "string");
        });
    }

    it("answers nothing without a reqId, and carries the request out", async () => {
        await gateway.send("mgmt/manage", { d: manage });
        assert.deepEqual(await gateway.client.settle(), []);
        assert.equal(server().isManaged("sensor", "s1"), true);
    });

    for (const body of ["", "not json", "[]", "null", '"text"', '{"reqId":5}']) {
        it(`answers nothing to the body ${JSON.stringify(body)}`, async () => {
            await gateway.send("mgmt/manage", body);
            assert.deepEqual(await gateway.client.settle(), []);
        });
    }

    it("leaves a manage request with an empty deviceInfo unanswered, unless configured otherwise", async () => {
        await gateway.send("mgmt/manage", { d: { deviceInfo: {} }, reqId: "r" });
        assert.deepEqual(await gateway.client.settle(), []);
        await platform.close();
        platform = await TestPlatform.start({ ignoreEmptyDeviceInfo: false });
        gateway = await ManagedGateway.connect(platform);
        assert.deepEqual(await gateway.request("mgmt/manage", { deviceInfo: {} }), { rc: 200 });
    });

    it("answers 403 for a bundle that is not among the configured ones", async () => {
        await platform.close();
        platform = await TestPlatform.start({ bundles: ["good"] });
        gateway = await ManagedGateway.connect(platform);
        assert.equal((await gateway.request("mgmt/manage", { supports: { good: true, bad: false } })).rc, 200);
        assert.equal((await gateway.request("mgmt/manage", { supports: { bad: true } })).rc, 403);
    });

    it("makes a device dormant when its lifetime ends, and managed again when it renews", async () => {
        await gateway.request("mgmt/manage", manage);
        now += 3_600_000 - 1;
        assert.equal(server().isManaged("sensor", "s1"), true);
        now += 1;
        assert.equal(server().isManaged("sensor", "s1"), false);
        assert.equal((await gateway.request("mgmt/unmanage")).rc, 404);
        await gateway.request("mgmt/manage", { lifetime: 0 });
        now += 10 * 365 * 24 * 3_600_000;
        assert.equal(server().isManaged("sensor", "s1"), true);
        assert.equal((await gateway.request("mgmt/unmanage")).rc, 200);
        assert.equal(server().isManaged("sensor", "s1"), false);
    });

    it("replaces deviceInfo, metadata and location as a whole, and keeps those that a request leaves out", async () => {
        await gateway.request("mgmt/manage", { metadata: { a: 1 }, deviceInfo: { model: "m", hwVersion: "1" } });
        await gateway.request("mgmt/manage", { deviceInfo: { model: "n" } });
        assert.deepEqual([device()?.metadata, device()?.deviceInfo], [{ a: 1 }, { model: "n" }]);
        await gateway.request("device/update/location", { latitude: 1, longitude: 2, elevation: 3 });
        await gateway.request("device/update/location", { latitude: 4, longitude: 5 });
        assert.deepEqual(device()?.location, { latitude: 4, longitude: 5 });
    });

    it("keeps error codes and log until they are cleared", async () => {
        await gateway.request("add/diag/errorCodes", { errorCode: 1 });
        await gateway.request("add/diag/errorCodes", { errorCode: 2 });
        await gateway.request("add/diag/log", { message: "m", timestamp: "2026-01-01T00:00:00Z" });
        assert.deepEqual([device()?.errorCodes, device()?.log.length], [[1, 2], 1]);
        await gateway.request("clear/diag/errorCodes");
        await gateway.request("clear/diag/log");
        assert.deepEqual([device()?.errorCodes, device()?.log.length], [[], 0]);
    });

    it("answers 404 for a device that was removed from the registry", async () => {
        await gateway.request("mgmt/manage");
        platform.simulator.organisation("org").registry.remove("sensor", "s1");
        assert.equal((await gateway.request("mgmt/manage")).rc, 404);
    });

    it("answers 409 while another request of the device is being processed", async () => {
        platform.simulator.faults.add({ fault: "management", device: "sensor/s1", topic: "mgmt/*", delayMs: 30, times: 1 });
        await gateway.send("mgmt/manage", { reqId: "slow" });
        await gateway.send("mgmt/manage", { reqId: "quick" });
        assert.deepEqual((await gateway.next("response")).body, {
            rc: 409,
            message: "Another request of the device is being worked on.",
            reqId: "quick",
        });
        assert.deepEqual((await gateway.next("response")).body, { rc: 200, reqId: "slow" });
    });

    it("answers with the code of a fault, or not at all", async () => {
        platform.simulator.faults.add({ fault: "management", rc: 500, times: 1 });
        platform.simulator.faults.add({ fault: "management", never: true, times: 1 });
        assert.equal((await gateway.request("mgmt/manage")).rc, 500);
        await gateway.send("mgmt/manage", { reqId: "r" });
        assert.deepEqual(await gateway.client.settle(), []);
        assert.equal(server().isManaged("sensor", "s1"), false);
    });

    it("serves a device that connects without a gateway, on its short topics", async () => {
        const client = await platform.connect("d:org:sensor:own");
        await client.subscribe("iotdm-1/#");
        await client.publish("iotdevice-1/mgmt/manage", '{"reqId":"r"}');
        const answer = await client.message();
        assert.deepEqual([answer.topic, answer.payload.toString()], ["iotdm-1/response", '{"rc":200,"reqId":"r"}']);
    });

    it("sends a device its changed location without asking for an answer", async () => {
        server().update("sensor", "s1", "location", { latitude: 1, longitude: 2 });
        const { body } = await gateway.next("device/update");
        assert.deepEqual(body, { d: { fields: [{ field: "location", value: { latitude: 1, longitude: 2 } }] } });
    });
});
