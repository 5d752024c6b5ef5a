import assert from "node:assert/strict";
import type { ManagementRequest } from "../../src/simulator/management/requests";
import { call } from "./support/http";
import { ManagedGateway } from "./support/managed";
import { TestPlatform } from "./support/platform";

const api = "/api/v0002/mgmt/requests";
const supports = { deviceActions: true, firmwareActions: true, bundle: true };
const s1 = { typeId: "sensor", deviceId: "s1" };

describe("requests of the platform to devices", () => {
    let platform: TestPlatform;
    let gateway: ManagedGateway;
    beforeEach(async () => {
        platform = await TestPlatform.start();
        gateway = await ManagedGateway.connect(platform);
        await gateway.request("mgmt/manage", { supports });
    });
    afterEach(() => platform.close());

    const server = () => platform.simulator.organisation("org").management;
    const ask = (method: string, path: string, body?: unknown) => call(platform.simulator.httpPort, method, path, body);

    async function start(action: string, more: object = {}, query = ""): Promise<string> {
        const { status, body } = await ask("POST", `${api}${query}`, { action, devices: [s1], ...more });
        assert.equal(status, 202);
        assert.ok(typeof body === "object" && body !== null && "reqId" in body && typeof body.reqId === "string");
        return body.reqId;
    }

    async function finished(id: string): Promise<ManagementRequest> {
        const request = await server().requests.whenComplete(id);
        assert.ok(request?.complete);
        return request;
    }

    for (const [action, suffix] of [
        ["device/reboot", "mgmt/initiate/device/reboot"],
        ["device/factoryReset", "mgmt/initiate/device/factory_reset"],
    ] as const) {
        it(`${action} is asked with QoS 1, accepted with 202 and complete when the device manages again`, async () => {
            const id = await start(action);
            const message = await gateway.client.message();
            const body: Record<string, unknown> = JSON.parse(message.payload.toString());
            assert.deepEqual(
                [message.topic, message.qos, Object.keys(body)],
                [`iotdm-1/type/sensor/id/s1/${suffix}`, 1, ["reqId"]],
                "there is no d",
            );
            await gateway.send("response", { rc: 202, reqId: body.reqId });
            const { body: between } = await ask("GET", `${api}/${id}/deviceStatus`);
            assert.deepEqual(between, { results: [{ ...s1, complete: false, status: "pending" }] });
            await gateway.request("mgmt/manage", { supports });
            await finished(id);
            const { status, body: shown } = await ask("GET", `${api}/${id}`);
            assert.equal(status, 200);
            assert.ok(typeof shown === "object" && shown !== null && "complete" in shown && shown.complete === true);
        });
    }

    it("a reboot is complete even if the manage request follows the answer in the same segment", async () => {
        const id = await start("device/reboot");
        const { reqId } = await gateway.next("mgmt/initiate/device/reboot");
        await Promise.all([gateway.send("response", { rc: 202, reqId }), gateway.send("mgmt/manage", { d: { supports } })]);
        assert.equal((await finished(id)).devices[0]?.status, "succeeded");
    });

    for (const rc of [400, 500, 501]) {
        it(`a request answered ${rc} has failed with the device's message`, async () => {
            const id = await start("device/reboot");
            await gateway.answer("mgmt/initiate/device/reboot", rc, { message: "cannot" });
            assert.deepEqual((await finished(id)).devices, [{ ...s1, complete: true, status: "failed", rc, message: "cannot" }]);
        });
    }

    it("an rc that is no number fails the request", async () => {
        const id = await start("device/reboot");
        const { reqId } = await gateway.next("mgmt/initiate/device/reboot");
        await gateway.send("response", { rc: "202", reqId });
        assert.equal((await finished(id)).devices[0]?.rc, 400);
    });

    it("a custom action carries its parameters as fields and is complete with 200", async () => {
        const id = await start("bundle/blink", { parameters: [{ name: "times", value: 3 }] });
        const { body } = await gateway.answer("mgmt/custom/bundle/blink", 200);
        assert.deepEqual(body.d, { fields: [{ field: "times", value: 3 }] });
        assert.equal((await finished(id)).devices[0]?.status, "succeeded");
        const without = await start("bundle/blink");
        const { body: bare } = await gateway.answer("mgmt/custom/bundle/blink", 202);
        assert.equal("d" in bare, false);
        assert.equal((await finished(without)).devices[0]?.status, "failed", "202 is not the success code of a custom action");
    });

    it("fails at once for devices that are not managed or do not support the action", async () => {
        const id = await start("other/action", { devices: [s1, { typeId: "sensor", deviceId: "nobody" }] });
        assert.deepEqual(
            (await finished(id)).devices.map(({ status, rc }) => [status, rc]),
            [
                ["failed", 501],
                ["failed", 404],
            ],
        );
        assert.deepEqual(await gateway.client.settle(), []);
    });

    it("ends at the timeout; a late answer and a repeated one change nothing", async () => {
        const id = await start("device/reboot", { timeout: 0.02 });
        const { reqId } = await gateway.next("mgmt/initiate/device/reboot");
        assert.equal((await finished(id)).devices[0]?.status, "timeout");
        for (let count = 1; count <= 2; count++) {
            await gateway.send("response", { rc: 202, reqId });
            assert.equal(server().strayAnswers, count);
        }
        assert.equal(server().requests.get(id)?.devices[0]?.status, "timeout");
    });

    it("takes the first of two answers", async () => {
        const id = await start("bundle/blink");
        const { reqId } = await gateway.answer("mgmt/custom/bundle/blink", 200);
        await gateway.send("response", { rc: 500, reqId });
        assert.equal((await finished(id)).devices[0]?.status, "succeeded");
        assert.equal(server().strayAnswers, 1);
    });

    it("delivers a request twice with the same reqId at the fault repeatRequest", async () => {
        platform.simulator.faults.add({ fault: "repeatRequest", device: "sensor/*", times: 1 });
        await start("bundle/blink");
        const [first, second] = [await gateway.next("mgmt/custom/bundle/blink"), await gateway.next("mgmt/custom/bundle/blink")];
        assert.equal(first.reqId, second.reqId);
    });

    it("queues requests for a durable session, even those that timed out meanwhile", async () => {
        const away = await ManagedGateway.connect(platform, false);
        away.client.destroy();
        await away.client.whenClosed();
        const id = await start("device/reboot", { timeout: 0.01 });
        await finished(id);
        const back = new ManagedGateway(await platform.connect("g:org:mygw:gw1", { clean: false }));
        await back.next("mgmt/initiate/device/reboot");
    });

    it("cancels and removes requests", async () => {
        const id = await start("device/reboot");
        await gateway.next("mgmt/initiate/device/reboot");
        assert.equal((await ask("POST", `${api}/${id}/cancel`)).status, 200);
        assert.equal((await finished(id)).devices[0]?.status, "cancelled");
        assert.equal((await ask("DELETE", `${api}/${id}`)).status, 204);
        assert.equal((await ask("GET", `${api}/${id}`)).status, 404);
    });

    for (const [what, body] of [
        ["no action", { devices: [s1] }],
        ["an unknown action", { action: "device/explode", devices: [s1] }],
        ["an action without bundle", { action: "blink", devices: [s1] }],
        ["no devices", { action: "device/reboot" }],
        ["an empty list of devices", { action: "device/reboot", devices: [] }],
        ["a device without id", { action: "device/reboot", devices: [{ typeId: "sensor" }] }],
        ["5001 devices", { action: "device/reboot", devices: Array.from({ length: 5001 }, () => s1) }],
        ["wrong parameters", { action: "device/reboot", devices: [s1], parameters: [{ value: 1 }] }],
        [
            "a parameter that firmware does not have",
            { action: "firmware/download", devices: [s1], parameters: [{ name: "state", value: 2 }] },
        ],
        ["a timeout that is none", { action: "device/reboot", devices: [s1], timeout: "soon" }],
    ] as const) {
        it(`answers ${what} with 400`, async () => {
            assert.equal((await ask("POST", api, body)).status, 400);
            assert.deepEqual((await ask("GET", api)).body, { results: [] });
        });
    }

    it("reaches 5000 devices with one request", async () => {
        await platform.close();
        platform = await TestPlatform.start({ registration: { delayMs: 0, maxPending: 5000, maxPerConnection: 10_000 } });
        gateway = await ManagedGateway.connect(platform);
        const devices = Array.from({ length: 5000 }, (_, index) => ({ typeId: "many", deviceId: `m${index}` }));
        const { registry } = platform.simulator.organisation("org");
        for (const { typeId, deviceId } of devices) {
            registry.register(typeId, deviceId);
            server().receive(`iotdevice-1/type/${typeId}/id/${deviceId}/mgmt/manage`, Buffer.from(JSON.stringify({ d: { supports } })));
        }
        const id = await start("bundle/blink", { devices });
        for (const _ of devices) {
            const { deviceId, reqId } = await gateway.next("mgmt/custom/bundle/blink");
            gateway.client.publishOnly(`iotdevice-1/type/many/id/${deviceId}/response`, JSON.stringify({ rc: 200, reqId }), 0);
        }
        assert.ok((await finished(id)).devices.every(({ status }) => status === "succeeded"));
    });

    describe("firmware", () => {
        const parameters = [
            { name: "version", value: "2.0" },
            { name: "uri", value: "http://127.0.0.1/fw" },
        ];
        const field = { fields: [{ field: "mgmt.firmware" }] };

        it("download goes update, observe, download, notify 1, notify 2, cancel", async () => {
            const id = await start("firmware/download", { parameters });
            const update = await gateway.answer("device/update", 204);
            const value = {
                version: "2.0",
                name: "",
                uri: "http://127.0.0.1/fw",
                verifier: "",
                state: 0,
                updateStatus: 0,
                updatedDateTime: "",
            };
            assert.deepEqual(update.body.d, { fields: [{ field: "mgmt.firmware", value }] });
            const observe = await gateway.answer("observe", 200, { d: { fields: [{ field: "mgmt.firmware", value }] } });
            assert.deepEqual(observe.body.d, field);
            await gateway.answer("mgmt/initiate/firmware/download", 202);
            assert.deepEqual(await gateway.notifyFirmware({ state: 1 }), { rc: 200 });
            assert.deepEqual(await gateway.notifyFirmware({ state: 2 }), { rc: 200 });
            const cancel = await gateway.answer("cancel", 200);
            assert.deepEqual(cancel.body.d, field);
            assert.equal((await finished(id)).devices[0]?.status, "succeeded");
            assert.equal((await gateway.notifyFirmware({ state: 0 })).rc, 404, "no longer observed");
        });

        it("download without parameters leaves the update out; answers without d are enough", async () => {
            const id = await start("firmware/download");
            await gateway.answer("observe", 200);
            await gateway.answer("mgmt/initiate/firmware/download", 202);
            await gateway.notifyFirmware({ state: 1 });
            await gateway.notifyFirmware({ state: 2 });
            await gateway.answer("cancel", 200);
            assert.equal((await finished(id)).devices[0]?.status, "succeeded");
        });

        for (const updateStatus of [2, 3, 4, 6]) {
            it(`download fails when the device notifies update status ${updateStatus}`, async () => {
                const id = await start("firmware/download");
                await gateway.answer("observe", 200);
                await gateway.answer("mgmt/initiate/firmware/download", 202);
                await gateway.notifyFirmware({ state: 1 });
                await gateway.notifyFirmware({ state: 0, updateStatus });
                await gateway.answer("cancel", 200);
                assert.equal((await finished(id)).devices[0]?.status, "failed");
            });
        }

        it("update goes observe, update, notify in progress, notify done, cancel, and sets the firmware version", async () => {
            const id = await start("firmware/update");
            await gateway.answer("observe", 200, {
                d: { fields: [{ field: "mgmt.firmware", value: { state: 2, updateStatus: 0, version: "2.0" } }] },
            });
            await gateway.answer("mgmt/initiate/firmware/update", 202);
            await gateway.notifyFirmware({ state: 2, updateStatus: 1 });
            await gateway.notifyFirmware({ state: 0, updateStatus: 0 });
            await gateway.answer("cancel", 200);
            assert.equal((await finished(id)).devices[0]?.status, "succeeded");
            assert.equal(server().device("sensor", "s1")?.deviceInfo.fwVersion, "2.0");
        });

        for (const updateStatus of [2, 5]) {
            it(`update fails when the device notifies update status ${updateStatus}`, async () => {
                const id = await start("firmware/update");
                await gateway.answer("observe", 200);
                await gateway.answer("mgmt/initiate/firmware/update", 202);
                await gateway.notifyFirmware({ updateStatus: 1 });
                await gateway.notifyFirmware({ updateStatus });
                await gateway.answer("cancel", 200);
                assert.equal((await finished(id)).devices[0]?.status, "failed");
            });
        }

        for (const [what, value, rc] of [
            ["skips a state", { state: 2 }, 400],
            ["has an unknown state", { state: 3 }, 400],
            ["has an unknown update status", { updateStatus: 7 }, 400],
            ["has a state that is no number", { state: "1" }, 400],
            ["has a version that is no text", { version: 2 }, 400],
        ] as const) {
            it(`a notify that ${what} is answered ${rc} and changes nothing`, async () => {
                await start("firmware/download");
                await gateway.answer("observe", 200);
                await gateway.answer("mgmt/initiate/firmware/download", 202);
                assert.equal((await gateway.notifyFirmware(value)).rc, rc);
                assert.deepEqual(
                    [server().device("sensor", "s1")?.firmware.state, server().device("sensor", "s1")?.firmware.updateStatus],
                    [0, 0],
                );
            });
        }

        it("takes the old form of notify", async () => {
            await start("firmware/download");
            await gateway.answer("observe", 200);
            await gateway.answer("mgmt/initiate/firmware/download", 202);
            assert.equal((await gateway.request("notify", { field: "mgmt.firmware", value: { state: 1 } })).rc, 200);
        });

        for (const [suffix, rc] of [
            ["observe", 404],
            ["mgmt/initiate/firmware/download", 400],
        ] as const) {
            it(`ends when ${suffix} is answered ${rc}`, async () => {
                const id = await start("firmware/download");
                if (suffix !== "observe") await gateway.answer("observe", 200);
                await gateway.answer(suffix, rc);
                assert.deepEqual([(await finished(id)).devices[0]?.status, (await finished(id)).devices[0]?.rc], ["failed", rc]);
            });
        }

        it("allows one firmware request at a time on a device, unless the new one overrides", async () => {
            const first = await start("firmware/download");
            await gateway.next("observe");
            const second = await start("firmware/update");
            assert.equal((await finished(second)).devices[0]?.rc, 409);
            await start("firmware/update", {}, "?override=true");
            assert.equal((await finished(first)).devices[0]?.status, "cancelled");
            await gateway.next("observe");
        });
    });
});
