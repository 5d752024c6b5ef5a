import assert from "node:assert/strict";
import fc from "fast-check";
import { GatewayError } from "../../../src/errors";
import { DeviceFirmware, type FirmwareStep } from "../../../src/management/device-firmware";
import { FakeStore, ManagementBench, type TestResponder } from "../../support/doubles/management-bench";

const image = { version: "2.0", name: "app", uri: "https://example.com/app.bin", verifier: "abc", state: 0, updateStatus: 0 };
const update = (value: unknown, reqId?: string) => ({ d: { fields: [{ field: "mgmt.firmware", value }] }, reqId });
const observe = { d: { fields: [{ field: "mgmt.firmware" }] }, reqId: "o" };
const download = "mgmt/initiate/firmware/download";

function step(responder: TestResponder, name: string, reason?: string) {
    return responder.input({ dm: { action: "firmware", typeId: "s", deviceId: "1", step: name, reason } });
}

/** A device that the platform described, observes and asked to download. */
function asked(bench = new ManagementBench()) {
    const responder = bench.connect().responder({ respond: "auto" });
    bench.receive("device/update", update(image, "u"));
    bench.receive("observe", observe);
    bench.receive(download, { reqId: "d" });
    bench.take();
    return { bench, responder };
}

/** Whether a step follows from the status, by the table of `DeviceFirmware`. */
function canMake({ status }: DeviceFirmware, name: FirmwareStep): boolean {
    const from = { downloading: "idle", downloaded: "downloading", updating: "downloaded", updated: "updating", failed: undefined }[name];
    return from === undefined ? status !== "idle" : status === from;
}

describe("the firmware of a device", () => {
    it("the firmware goes from idle through downloading, downloaded and updating back to idle, with one notification of the change for each step", () => {
        const { bench, responder } = asked();
        const values = ["downloading", "downloaded", "updating", "updated"].map((name) => {
            step(responder, name);
            const request = bench.takeOne();
            assert.equal(request.topic, "iotdevice-1/type/s/id/1/notify");
            assert.equal(typeof request.json.reqId, "string");
            bench.reply(request, 200);
            return request.json.d;
        });
        const expected = [{ state: 1 }, { state: 2 }, { updateStatus: 1 }, { state: 0, updateStatus: 0 }];
        assert.deepEqual(
            values,
            expected.map((value) => ({ fields: [{ field: "mgmt.firmware", value }] })),
        );
        assert.deepEqual(
            responder.reports.map(({ report, answer }) => [report.step, answer.rc]),
            [
                ["downloading", 200],
                ["downloaded", 200],
                ["updating", 200],
                ["updated", 200],
            ],
        );
    });

    it("the flow receives the image with the request to download or update it", () => {
        const { responder } = asked();
        assert.deepEqual(responder.last().dm.fields, {
            "mgmt.firmware": { name: "app", version: "2.0", uri: "https://example.com/app.bin", verifier: "abc" },
        });
    });

    it("an observer receives the whole attribute with the real state", () => {
        const { bench, responder } = asked();
        step(responder, "downloading");
        bench.take();
        bench.receive("observe", { ...observe, reqId: "o2" });
        const { name, version, uri, verifier } = image;
        const value = { name, version, uri, verifier, state: 1, updateStatus: 0, updatedDateTime: "2026-01-01T00:00:00.000Z" };
        assert.deepEqual(bench.takeOne().json, { rc: 200, d: { fields: [{ field: "mgmt.firmware", value }] }, reqId: "o2" });
    });

    it("an observation that a flow accepts without data is answered with the attribute", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive("observe", observe);
        responder.answer();
        assert.deepEqual(bench.takeOne().json.d, { fields: [{ field: "mgmt.firmware", value: { state: 0, updateStatus: 0 } }] });
        bench.receive("observe", { ...observe, reqId: "no" });
        responder.answer({ rc: 404 });
        assert.deepEqual(bench.takeOne().json, { rc: 404, reqId: "no" });
    });

    for (const [reason, code] of [
        ["memory", 2],
        ["connection", 3],
        ["verification", 4],
        ["image", 5],
        ["uri", 6],
        [undefined, 3],
    ] as const) {
        it(`a download that fails with the reason ${reason} leaves the firmware idle with status ${code}`, () => {
            const { bench, responder } = asked();
            step(responder, "downloading");
            bench.reply(bench.takeOne(), 200);
            step(responder, "failed", reason);
            assert.deepEqual(bench.takeOne().json.d, { fields: [{ field: "mgmt.firmware", value: { state: 0, updateStatus: code } }] });
        });
    }

    it("a failed update leaves the firmware idle, so that the platform can start again", () => {
        const { bench, responder } = asked();
        for (const name of ["downloading", "downloaded", "updating"]) step(responder, name);
        for (let count = 0; count < 3; count++) bench.reply(bench.takeOne(), 200);
        step(responder, "failed");
        assert.deepEqual(bench.takeOne().json.d, { fields: [{ field: "mgmt.firmware", value: { state: 0, updateStatus: 5 } }] });
        bench.receive(download, { reqId: "again" });
        assert.equal(bench.takeOne().json.rc, 202);
    });

    it("a download is refused with 400 if the firmware is not idle or has no valid uri", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder({ respond: "auto" });
        bench.receive(download, { reqId: 1 });
        assert.equal(bench.takeOne().json.rc, 400);
        bench.receive("device/update", update({ ...image, uri: "not a uri" }));
        bench.receive(download, { reqId: 2 });
        assert.equal(bench.takeOne().json.rc, 400);
        bench.receive("device/update", update(image));
        for (const name of ["downloading", "downloaded"]) {
            step(responder, name);
            bench.receive(download, { reqId: name });
            assert.equal(bench.takeOne().json.rc, 400, name);
        }
        assert.deepEqual(
            responder.requests.map(({ dm }) => dm.action),
            ["device/update", "device/update"],
        );
    });

    it("an update is refused with 400 unless the firmware is downloaded", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder({ respond: "auto" });
        const expected = [400, 400, 202, 400, 400];
        const codes = [undefined, "downloading", "downloaded", "updating", "updated"].map((name) => {
            if (name) step(responder, name);
            bench.receive("mgmt/initiate/firmware/update", { reqId: `${name}` });
            return bench.takeOne().json.rc;
        });
        assert.deepEqual(codes, expected);
    });

    it("an image that is not an object or too large is refused", () => {
        const bench = new ManagementBench().connect();
        bench.responder({ respond: "auto" });
        for (const value of [5, null, { uri: `https://x/${"x".repeat(5000)}` }]) {
            bench.receive("device/update", update(value, JSON.stringify(value)?.slice(0, 20)));
            assert.equal(bench.takeOne().json.rc, 400);
        }
    });

    it("no notification is sent before an observation or after a cancel", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder({ respond: "auto" });
        step(responder, "downloading");
        assert.deepEqual(bench.take(), []);
        bench.receive("observe", observe);
        bench.receive("cancel", { ...observe, reqId: "c" });
        bench.take();
        step(responder, "downloaded");
        assert.deepEqual(bench.take(), []);
    });

    it("a step out of order is rejected with an explanation, and a repeated step counts once", async () => {
        const { bench, responder } = asked();
        assert.match(step(responder, "downloaded")[0]?.error?.message ?? "", /the device is idle; it must be downloading/);
        for (const name of ["failed", "updated", "exploded"]) assert.equal(step(responder, name)[0]?.error?.code, "GW_DM_INVALID");
        step(responder, "downloading");
        const outcomes = step(responder, "downloading");
        await Promise.resolve();
        assert.deepEqual(outcomes, [{}]);
        assert.equal(bench.take().length, 1);
        assert.equal(step(responder, "failed", "moon")[0]?.error?.code, "GW_DM_INVALID");
    });

    it("image, state and unsent steps survive a restart", () => {
        const store = new FakeStore();
        const first = asked(new ManagementBench({}, store));
        step(first.responder, "downloading");
        first.bench.engine.linkDown();
        step(first.responder, "downloaded");
        first.bench.engine.close();

        const bench = new ManagementBench({}, store);
        const responder = bench.responder({ respond: "auto" });
        bench.connect();
        const sent = bench.takeOne();
        assert.deepEqual(sent.json.d, { fields: [{ field: "mgmt.firmware", value: { state: 1 } }] });
        bench.reply(sent, 200);
        const second = bench.takeOne();
        assert.deepEqual(second.json.d, { fields: [{ field: "mgmt.firmware", value: { state: 2 } }] });
        bench.reply(second, 404);
        assert.equal(responder.reports.at(-1)?.answer.rc, 404);
        bench.receive("mgmt/initiate/firmware/update", { reqId: "u" });
        assert.equal(bench.takeOne().json.rc, 202);
        assert.deepEqual(responder.last().dm.fields, { "mgmt.firmware": { name: "app", version: "2.0", uri: image.uri, verifier: "abc" } });
    });

    it("a notification is sent again if the connection ended before its acknowledgement, and reported if it gets no answer", () => {
        const { bench, responder } = asked();
        bench.isAcknowledging = false;
        step(responder, "downloading");
        bench.takeOne().settled(new GatewayError("GW_NOT_CONNECTED", "gone"));
        bench.engine.linkDown();
        bench.isAcknowledging = true;
        bench.connect();
        assert.equal(bench.take().length, 1);
        bench.clock.advance(60_000);
        assert.equal(responder.raised.at(-1)?.code, "GW_DM_TIMEOUT");
    });

    it("a step that could not be stored is reported", async () => {
        const { bench, responder } = asked();
        bench.store.flushed = Promise.reject(new GatewayError("GW_STORE", "disk full"));
        const outcomes = step(responder, "downloading");
        await new Promise(setImmediate);
        assert.equal(outcomes[0]?.error?.code, "GW_STORE");
    });

    it("nothing is stored for a device that is idle, not observed and never described", () => {
        const store = new FakeStore();
        const responder = new ManagementBench({}, store).connect().responder();
        step(responder, "downloading");
        assert.equal(store.values.size, 1);
        step(responder, "failed", "uri");
        step(responder, "downloading");
        step(responder, "downloaded");
        step(responder, "updating");
        step(responder, "updated");
        assert.equal(store.values.size, 0);
    });

    it("the firmware is the same after a restart, whatever steps were made", () => {
        const names = fc.constantFrom<FirmwareStep>("downloading", "downloaded", "updating", "updated", "failed");
        fc.assert(
            fc.property(fc.array(names), fc.boolean(), (steps, isObserved) => {
                const firmware = new DeviceFirmware();
                firmware.observe(isObserved);
                firmware.describe(image, "2026-01-01T00:00:00.000Z");
                for (const name of steps) if (canMake(firmware, name)) firmware.advance(name, undefined, "2026-01-02T00:00:00.000Z");
                const text = JSON.stringify(firmware);
                assert.equal(JSON.stringify(DeviceFirmware.parse(text)), text);
            }),
        );
    });

    it("any stored text can be read as the firmware of a device", () => {
        fc.assert(
            fc.property(
                fc.oneof(
                    fc.string(),
                    fc.json(),
                    fc.record({ status: fc.jsonValue(), unsent: fc.jsonValue() }).map((value) => JSON.stringify(value)),
                ),
                (text) => {
                    const { status } = DeviceFirmware.parse(text);
                    assert.ok(["idle", "downloading", "downloaded", "updating"].includes(status));
                },
            ),
        );
    });

    it("the firmware can reach idle from any state", () => {
        const names = fc.constantFrom<FirmwareStep>("downloading", "downloaded", "updating", "updated", "failed");
        fc.assert(
            fc.property(fc.array(names), (steps) => {
                const firmware = new DeviceFirmware();
                for (const name of steps) {
                    try {
                        firmware.advance(name, undefined, "2026-01-01T00:00:00.000Z");
                    } catch (thrown) {
                        assert.ok(thrown instanceof GatewayError);
                    }
                }
                if (firmware.status !== "idle") firmware.advance("failed", undefined, "2026-01-01T00:00:00.000Z");
                assert.equal(firmware.status, "idle");
            }),
        );
    });
});
