import assert from "node:assert/strict";
import type { RequestView } from "../../../src/management/request-history";
import { ManagementBench } from "../../support/doubles/management-bench";

const reboot = "mgmt/initiate/device/reboot";

describe("the history of device management", () => {
    const told = ({ action, outcome, rc, isDelivered }: RequestView) => [action, outcome, rc, isDelivered];
    const historyOf = (bench: ManagementBench) => bench.engine.history.items.map(told);

    it("follows a request from its arrival to the acknowledgement of its answer", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.isAcknowledging = false;
        bench.receive(reboot, { reqId: "r1" });
        assert.deepEqual(historyOf(bench), [["device/reboot", "waiting", undefined, undefined]]);
        responder.answer({ rc: 500, message: "no" });
        assert.deepEqual(historyOf(bench), [["device/reboot", "answered", 500, false]]);
        assert.equal(bench.engine.history.items[0]?.message, "no");
        bench.takeOne().settled();
        assert.deepEqual(historyOf(bench), [["device/reboot", "answered", 500, true]]);
        const { typeId, deviceId, at, from } = bench.engine.history.items[0] ?? {};
        assert.deepEqual([typeId, deviceId, at, from], ["s", "1", bench.clock.now(), "platform"]);
    });

    it("shows requests that were refused at once, that timed out, and that want no answer", () => {
        const bench = new ManagementBench().connect();
        bench.responder({ deviceActions: true, firmwareActions: false, timeoutMs: 1000 });
        bench.receive("mgmt/initiate/firmware/download", { reqId: "r1" });
        bench.receive(reboot, { reqId: "r2" });
        bench.receive(reboot, {});
        bench.clock.advance(1000);
        assert.deepEqual(historyOf(bench), [
            ["firmware/download", "answered", 501, true],
            ["device/reboot", "answered", 500, true],
            ["device/reboot", "unanswered", undefined, undefined],
        ]);
    });

    it("shows a repeated request once, and a custom action with bundle and action", () => {
        const bench = new ManagementBench().connect();
        bench.responder({ bundles: ["b1"], respond: "auto" });
        bench.receive("mgmt/custom/b1/a1", { reqId: "r1" });
        bench.receive("mgmt/custom/b1/a1", { reqId: "r1" });
        assert.deepEqual(historyOf(bench), [["b1/a1", "answered", 200, true]]);
    });

    it("remembers the last 50 requests, with bounded texts of the platform", () => {
        const bench = new ManagementBench().connect();
        bench.responder({ respond: "auto" });
        for (let index = 0; index < 60; index++) bench.receive(reboot, { reqId: `r${index}` }, { device: `s/${index}` });
        const { items } = bench.engine.history;
        assert.deepEqual([items.length, items[0]?.deviceId, items.at(-1)?.deviceId], [50, "10", "59"]);
        bench.receive(`mgmt/custom/b1/${"a".repeat(5000)}`, { reqId: "long" });
        assert.ok((bench.engine.history.items.at(-1)?.action ?? "").length < 400);
    });

    it("shows firmware steps with the platform's answers", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder({ firmwareActions: true });
        bench.receive("observe", { d: { fields: [{ field: "mgmt.firmware" }] }, reqId: "o" });
        responder.answer();
        bench.take();
        responder.input({ dm: { action: "firmware", typeId: "s", deviceId: "1", step: "downloading" } });
        bench.reply(bench.takeOne(), 200);
        const last = bench.engine.history.items.at(-1);
        assert.deepEqual([last?.action, last?.from, last?.outcome, last?.rc], ["firmware/downloading", "device", "answered", 200]);
    });
});

describe("where a managed device stands", () => {
    it("a device is waiting, managed, dormant after its lifetime, and unknown once it is forgotten", () => {
        const bench = new ManagementBench().connect();
        const phase = () => bench.engine.phaseOf("s/1");
        assert.equal(phase(), undefined);
        bench.responder({ target: { kind: "device" }, manage: true, lifetimeS: 3600 });
        bench.engine.deviceSeen("s/1");
        assert.equal(phase(), "waiting");
        bench.clock.advance(1000);
        bench.reply(bench.takeOne(), 200);
        assert.equal(phase(), "managed");
        bench.engine.linkDown();
        bench.clock.advance(3_600_000);
        assert.equal(phase(), "dormant");
        bench.engine.forget("s/1");
        assert.deepEqual([phase(), bench.engine.hasSeen("s/1")], [undefined, false]);
    });
});
