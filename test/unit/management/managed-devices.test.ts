import assert from "node:assert/strict";
import { GatewayError } from "../../../src/errors";
import { ManagementBench, type Sent } from "../../support/doubles/management-bench";
import { memberOf } from "../../support/records";

const hourS = 3600;
const gateway = { target: { kind: "gateway" }, manage: true } as const;
const devices = { target: { kind: "device" }, manage: true } as const;

function topics(sent: readonly Sent[]): string[] {
    return sent.map(({ topic }) => topic.replace("iotdevice-1/type/", ""));
}

describe("automatic management", () => {
    it("manages the gateway on every connect, with the responder's announcement", () => {
        const bench = new ManagementBench();
        bench.responder({ ...gateway, lifetimeS: 7200, firmwareActions: false, deviceInfo: { serialNumber: "1" }, metadata: {} });
        bench.connect();
        const request = bench.takeOne();
        assert.deepEqual(topics([request]), ["mygw/id/gw1/mgmt/manage"]);
        assert.deepEqual(request.json.d, {
            lifetime: 7200,
            supports: { b1: true, deviceActions: true, firmwareActions: false },
            deviceInfo: { serialNumber: "1" },
        });
        bench.reply(request, 200);
        bench.engine.linkDown();
        bench.connect();
        assert.equal(bench.take().length, 1);
        bench.engine.close();
        assert.equal(bench.clock.timerCount, 0);
    });

    it("sends no manage request if the responder does not manage", () => {
        const bench = new ManagementBench();
        bench.responder({ ...devices, manage: false });
        bench.connect().engine.deviceSeen("s/1");
        bench.clock.advance(10_000);
        assert.deepEqual(bench.take(), []);
    });

    it("manages a device once when it is first seen, and again on the next connect", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder(devices);
        for (let count = 0; count < 3; count++) bench.engine.deviceSeen("s/1");
        bench.engine.deviceSeen("mygw/gw1");
        assert.deepEqual(topics(bench.sent), ["s/id/1/mgmt/manage"]);
        bench.reply(bench.takeOne(), 200);
        bench.clock.advance(300);
        assert.deepEqual(responder.counts, { managed: 1, pending: 0, rejected: 0, requests: 0 });
        bench.engine.linkDown();
        bench.connect();
        assert.deepEqual(topics(bench.take()), ["s/id/1/mgmt/manage"]);
    });

    it("manages a device that a responder names without waiting for an event", () => {
        const bench = new ManagementBench().connect();
        bench.responder({ target: { kind: "device", typeId: "s", deviceId: "1" }, manage: true });
        assert.deepEqual(topics(bench.take()), ["s/id/1/mgmt/manage"]);
    });

    it("renews before the lifetime ends, spread over time, and never without a lifetime", () => {
        for (const [random, earliestS, latestS] of [
            [0, hourS - 121, hourS - 114],
            [0.999, 0.9 * hourS - 121, 0.9 * hourS - 114],
        ] as const) {
            const bench = new ManagementBench({ random: () => random });
            bench.responder({ ...gateway, lifetimeS: hourS });
            bench.connect();
            bench.reply(bench.takeOne(), 200);
            bench.clock.advance(earliestS * 1000);
            assert.deepEqual(bench.take(), []);
            bench.clock.advance((latestS - earliestS) * 1000);
            assert.equal(bench.take().length, 1);
        }
        const bench = new ManagementBench();
        bench.responder(gateway);
        bench.connect();
        bench.reply(bench.takeOne(), 200);
        bench.clock.advance(24 * hourS * 1000);
        assert.deepEqual(bench.take(), []);
    });

    it("delays the renewal of a restarting device, which would report the end of the restart, but not beyond the lifetime", () => {
        const bench = new ManagementBench();
        const responder = bench.responder({ ...gateway, lifetimeS: hourS });
        bench.connect();
        bench.reply(bench.takeOne(), 200);
        bench.receive("mgmt/initiate/device/reboot", { reqId: "r" }, { device: "mygw/gw1" });
        responder.answer();
        bench.take();
        bench.clock.advance((hourS - 35) * 1000);
        assert.deepEqual(bench.take(), []);
        bench.clock.advance(15_000);
        assert.deepEqual(topics(bench.take()), ["mygw/id/gw1/mgmt/manage"]);
    });

    it("an answer with the code 0, as in the documentation of 2016, is a success", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder({ ...gateway, respond: "flow" });
        bench.reply(bench.takeOne(), 0, { message: "success" });
        bench.clock.advance(70_000);
        assert.deepEqual(bench.take(), []);
        assert.deepEqual(responder.counts, { managed: 1, pending: 0, rejected: 0, requests: 0 });
        responder.input({ dm: { action: "unmanage" } });
        bench.reply(bench.takeOne(), 0);
        assert.equal(bench.engine.phaseOf("mygw/gw1"), undefined);
        assert.deepEqual(responder.raised, []);
    });

    for (const rc of [400, 403, 404]) {
        it(`reports the code ${rc} once and does not try again before the next connect`, () => {
            const bench = new ManagementBench();
            const responder = bench.responder(gateway);
            for (let connect = 0; connect < 3; connect++) {
                bench.connect();
                bench.reply(bench.takeOne(), rc, { message: "no" });
                bench.clock.advance(2 * hourS * 1000);
                assert.deepEqual(bench.take(), []);
                bench.engine.linkDown();
            }
            assert.deepEqual(
                responder.raised.map(({ code, rc: raised, willRetry }) => ({ code, raised, willRetry })),
                [{ code: "GW_DM_REJECTED", raised: rc, willRetry: false }],
            );
            assert.deepEqual(responder.counts, { managed: 0, pending: 0, rejected: 1, rejectedRc: rc, requests: 0 });
        });
    }

    it("retries silently after 409, and with a report after other failures, ever more slowly", () => {
        const bench = new ManagementBench();
        const responder = bench.responder(gateway);
        bench.connect();
        bench.reply(bench.takeOne(), 409);
        bench.clock.advance(60_000);
        assert.deepEqual(bench.take(), []);
        bench.clock.advance(10_000);
        bench.reply(bench.takeOne(), 500);
        assert.deepEqual(
            responder.raised.map(({ code, willRetry }) => [code, willRetry]),
            [["GW_DM_REJECTED", true]],
        );
        bench.clock.advance(110_000);
        assert.deepEqual(bench.take(), []);
        bench.clock.advance(25_000);
        bench.reply(bench.takeOne(), 200);
        bench.clock.advance(hourS * 1000);
        assert.deepEqual(bench.take(), []);
    });

    it("reports once that the platform does not answer, and keeps retrying", () => {
        const bench = new ManagementBench();
        const responder = bench.responder(devices);
        for (const id of ["s/1", "s/2", "s/3"]) bench.engine.deviceSeen(id);
        bench.connect();
        bench.clock.advance(60_100);
        assert.equal(bench.take().length, 3);
        assert.deepEqual(
            responder.raised.map(({ code }) => code),
            ["GW_DM_TIMEOUT"],
        );
        bench.clock.advance(70_000);
        assert.equal(bench.take().length, 3);
        assert.deepEqual(responder.counts, { managed: 0, pending: 3, rejected: 0, requests: 0 });
    });

    it("retries a device that is held or refused at its registration attempt, and reports only the refusal", () => {
        const bench = new ManagementBench();
        const responder = bench.responder(devices);
        bench.isAcknowledging = false;
        bench.engine.deviceSeen("s/1");
        bench.connect();
        bench.takeOne().settled(new GatewayError("GW_DEVICE_HELD", "held"));
        bench.clock.advance(70_000);
        bench.takeOne().settled(new GatewayError("GW_REFUSED", "no"));
        bench.clock.advance(140_000);
        bench.takeOne().settled();
        assert.deepEqual(
            responder.raised.map(({ code }) => code),
            ["GW_REFUSED"],
        );
    });

    it("neither floods the platform with 5000 devices nor waits indefinitely", () => {
        const bench = new ManagementBench({ pace: { perSecond: 50, maxUnderWay: 16 } });
        const responder = bench.responder(devices);
        for (let index = 0; index < 5000; index++) bench.engine.deviceSeen(`s/${index}`);
        bench.connect();
        let managed = 0;
        let busiest = 0;
        for (let second = 0; second < 110; second++) {
            let inSecond = 0;
            for (let part = 0; part < 10; part++) {
                const sent = bench.take();
                assert.ok(sent.length <= 16);
                for (const request of sent) bench.reply(request, 200);
                inSecond += sent.length;
                bench.clock.advance(100);
            }
            busiest = Math.max(busiest, inSecond);
            managed += inSecond;
        }
        assert.equal(managed, 5000);
        assert.ok(busiest <= 66, `${busiest} in one second`);
        assert.deepEqual(responder.counts, { managed: 5000, pending: 0, rejected: 0, requests: 0 });
    });

    it("waits for answers before it sends more manage requests", () => {
        const bench = new ManagementBench({ pace: { perSecond: 1000, maxUnderWay: 16 } });
        bench.responder(devices);
        for (let index = 0; index < 100; index++) bench.engine.deviceSeen(`s/${index}`);
        bench.connect();
        bench.clock.advance(30_000);
        const sent = bench.take();
        assert.equal(sent.length, 16);
        for (const request of sent) bench.reply(request, 200);
        bench.clock.advance(1000);
        assert.equal(bench.take().length, 16);
    });

    it("manages again if a changed configuration announces something else, and only then", () => {
        const bench = new ManagementBench().connect();
        const first = bench.responder(gateway);
        bench.reply(bench.takeOne(), 200);
        first.attached.detach();
        const second = bench.responder(gateway);
        bench.clock.advance(1);
        assert.deepEqual(bench.take(), []);
        second.attached.detach();
        bench.responder({ ...gateway, metadata: { site: "A" } });
        bench.clock.advance(1);
        assert.equal(bench.take().length, 1);
    });

    it("counts the requests that wait for the flow", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        for (const reqId of ["a", "b"]) bench.receive("mgmt/initiate/device/reboot", { reqId });
        bench.clock.advance(300);
        assert.equal(responder.counts?.requests, 2);
        responder.answer();
        bench.clock.advance(300);
        assert.equal(responder.counts?.requests, 1);
        bench.clock.advance(30_000);
        assert.equal(responder.counts?.requests, 0);
    });

    it("leaves a device alone that the flow unmanaged, until the flow manages it again", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder({ ...gateway, lifetimeS: hourS });
        bench.reply(bench.takeOne(), 200);
        responder.input({ dm: { action: "unmanage" } });
        bench.reply(bench.takeOne(), 200);
        bench.engine.linkDown();
        bench.connect();
        bench.clock.advance(2 * hourS * 1000);
        assert.deepEqual(bench.take(), []);
        responder.input({ dm: { action: "manage" } });
        const request = bench.takeOne();
        assert.deepEqual(request.json.d, { lifetime: hourS, supports: { b1: true, deviceActions: true, firmwareActions: true } });
        bench.reply(request, 200);
        bench.clock.advance((hourS - 250) * 1000);
        assert.equal(bench.take().length, 1);
    });

    it("announces the version of the last update instead of the configured one", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder({ ...gateway, respond: "auto", deviceInfo: { model: "m", fwVersion: "1.0" } });
        bench.reply(bench.takeOne(), 200);
        const fields = [{ field: "mgmt.firmware", value: { version: "2.0", uri: "https://x/y" } }];
        bench.receive("device/update", { d: { fields } }, { device: "mygw/gw1" });
        for (const step of ["downloading", "downloaded", "updating", "updated"]) responder.input({ dm: { action: "firmware", step } });
        assert.deepEqual(memberOf(bench.takeOne().json.d, "deviceInfo"), { model: "m", fwVersion: "2.0" });
    });

    it("sends no manage request for devices of two responders in conflict", () => {
        const bench = new ManagementBench().connect();
        bench.responder({ ...devices, manage: false });
        const second = bench.responder(devices);
        bench.engine.deviceSeen("s/1");
        assert.deepEqual(bench.take(), []);
        second.attached.detach();
        bench.responder(devices).attached.detach();
        bench.clock.advance(1);
        assert.deepEqual(bench.take(), []);
    });

    it("a responder that begins to manage has all of its devices managed, and counted", () => {
        const bench = new ManagementBench({ pace: { perSecond: 1e6, maxUnderWay: 10_000 } }).connect();
        const first = bench.responder({ ...devices, manage: false });
        for (let index = 0; index < 2500; index++) bench.engine.deviceSeen(`s/${index}`);
        bench.clock.advance(300);
        assert.deepEqual(bench.take(), []);
        first.attached.detach();
        const second = bench.responder(devices);
        bench.clock.advance(300);
        assert.deepEqual(second.counts, { managed: 0, pending: 2500, rejected: 0, requests: 0 });
        for (const request of bench.take()) bench.reply(request, 200);
        bench.clock.advance(300);
        assert.deepEqual(second.counts, { managed: 2500, pending: 0, rejected: 0, requests: 0 });
        second.attached.detach();
        const third = bench.responder({ ...devices, metadata: { site: "A" } });
        const single = bench.responder({ target: { kind: "device", typeId: "s", deviceId: "7" }, manage: true });
        bench.clock.advance(300);
        assert.deepEqual(third.counts, { managed: 2499, pending: 0, rejected: 0, requests: 0 });
        assert.deepEqual(single.counts, { managed: 1, pending: 0, rejected: 0, requests: 0 });
    });

    it("a device that is forgotten while its request waits for the answer is counted no more", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder(devices);
        for (const id of ["s/1", "s/2"]) bench.engine.deviceSeen(id);
        bench.engine.forget("s/1");
        for (const request of bench.take()) bench.reply(request, 200);
        bench.clock.advance(300);
        assert.deepEqual(responder.counts, { managed: 1, pending: 0, rejected: 0, requests: 0 });
        assert.deepEqual(bench.take(), []);
    });

    it("a hundred thousand managed devices do not block the event loop", () => {
        const bench = new ManagementBench({ pace: { perSecond: 1, maxUnderWay: 1 } }).connect();
        const first = bench.responder(devices);
        for (let index = 0; index < 100_000; index++) bench.engine.deviceSeen(`s/${index}`);
        bench.clock.advance(300);
        // The best of a few, as the machine may be busy with something else.
        const answerMs = Array.from({ length: 5 }, () => {
            bench.clock.advance(1000);
            const request = bench.takeOne();
            const startMs = performance.now();
            bench.reply(request, 200);
            bench.clock.advance(250);
            return performance.now() - startMs;
        });
        assert.ok(Math.min(...answerMs) < 10, `an answer took ${Math.min(...answerMs)} ms`);
        const changeMs = Array.from({ length: 3 }, () => {
            first.attached.detach();
            bench.responder(devices).attached.detach();
            bench.responder({ ...devices, metadata: { site: "A" } }).attached.detach();
            return bench.clock.advance(1000);
        });
        assert.ok(Math.min(...changeMs) < 30, `a change of responders took ${Math.min(...changeMs)} ms`);
    });
});
