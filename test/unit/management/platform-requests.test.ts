import assert from "node:assert/strict";
import fc from "fast-check";
import { GatewayError } from "../../../src/errors";
import { ManagementBench } from "../../support/doubles/management-bench";

const reboot = "mgmt/initiate/device/reboot";
const lost = () => new GatewayError("GW_NOT_CONNECTED", "gone");

describe("a request of the platform", () => {
    it("a request is answered on the response topic of its device, at QoS 1, with the success code unless the flow gives one", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        for (const [suffix, d, rc] of [
            [reboot, undefined, 202],
            ["mgmt/initiate/device/factory_reset", undefined, 202],
            ["device/update", { fields: [{ field: "location", value: {} }] }, 204],
            ["observe", { fields: ["location"] }, 200],
            ["cancel", { fields: ["location"] }, 200],
            ["mgmt/custom/b1/a1", undefined, 200],
        ] as const) {
            bench.receive(suffix, { d, reqId: suffix });
            assert.deepEqual(responder.answer(), [{}]);
            const { topic, payload, qos } = bench.takeOne();
            assert.deepEqual([topic, payload, qos], ["iotdevice-1/type/s/id/1/response", `{"rc":${rc},"reqId":"${suffix}"}`, 1]);
        }
        bench.clock.advance(1000);
        assert.equal(bench.clock.timerCount, 1, "only the timer of the manage checks is left");
    });

    it("a request reaches the flow with its data, names and values", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive("mgmt/custom/b1/a1", { d: { fields: [{ field: "p", value: "v" }] }, reqId: "r" }, { replayed: true });
        assert.deepEqual(responder.last(), {
            dm: {
                action: "custom",
                typeId: "s",
                deviceId: "1",
                reqId: "r",
                bundleId: "b1",
                actionId: "a1",
                fields: { p: "v" },
                replayed: true,
            },
            topic: "iotdm-1/type/s/id/1/mgmt/custom/b1/a1",
            payload: { fields: [{ field: "p", value: "v" }] },
        });
        bench.receive("observe", { d: { fields: [{ field: "location" }] }, reqId: "o" });
        assert.deepEqual(responder.last().dm.fields, ["location"]);
    });

    it("an answer has the flow's code, message and data, but never the request's data", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive("mgmt/custom/b1/a1", { d: { fields: [{ field: "p", value: "v" }] }, reqId: "r" });
        responder.answer({ rc: "404", message: "not here" });
        assert.equal(bench.takeOne().payload, '{"rc":404,"message":"not here","reqId":"r"}');
        bench.receive("mgmt/custom/b1/a1", { reqId: "s" });
        responder.answer({ payload: { result: 1 } });
        assert.equal(bench.takeOne().payload, '{"rc":200,"d":{"result":1},"reqId":"s"}');
    });

    it("a request still waits after an answer that cannot be sent", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive(reboot, { reqId: "r" });
        const circular: Record<string, unknown> = {};
        circular.self = circular;
        for (const [changes, code] of [
            [{ rc: "many" }, "GW_DM_INVALID"],
            [{ rc: 1.5 }, "GW_DM_INVALID"],
            [{ message: {} }, "GW_DM_INVALID"],
            [{ payload: circular }, "GW_DM_INVALID"],
            [{ payload: { x: "x".repeat(131_072) } }, "GW_PAYLOAD_TOO_LARGE"],
        ] as const) {
            assert.equal(responder.answer(changes)[0]?.error?.code, code);
        }
        assert.deepEqual(bench.take(), []);
        responder.answer();
        assert.equal(bench.takeOne().json.rc, 202);
    });

    it("a request that arrives twice is carried out once, and the stored answer is sent again", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive(reboot, { reqId: "r" });
        bench.receive(reboot, { reqId: "r" });
        assert.equal(responder.requests.length, 1);
        responder.answer({ message: "soon" });
        const first = bench.takeOne();
        bench.receive(reboot, { reqId: "r" });
        assert.equal(bench.takeOne().payload, first.payload);
        assert.equal(responder.requests.length, 1);
    });

    it("requests of two devices with the same id are two requests", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive(reboot, { reqId: "r" });
        bench.receive(reboot, { reqId: "r" }, { device: "s/2" });
        assert.deepEqual(
            responder.requests.map(({ dm }) => dm.deviceId),
            ["1", "2"],
        );
    });

    it("a request is answered 500 if the flow is too slow, and the late answer is reported, not sent", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder({ timeoutMs: 30_000 });
        bench.receive(reboot, { reqId: "r" });
        bench.clock.advance(29_999);
        assert.deepEqual(bench.take(), []);
        bench.clock.advance(1);
        assert.equal(bench.takeOne().payload, '{"rc":500,"message":"The flow did not answer within 30 s.","reqId":"r"}');
        assert.equal(responder.answer()[0]?.error?.code, "GW_DM_TIMEOUT");
        assert.deepEqual(bench.take(), []);
    });

    it("the flow can answer a request only once", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive(reboot, { reqId: "r" });
        responder.answer();
        assert.equal(responder.answer({ rc: 500 })[0]?.error?.code, "GW_DM_INVALID");
        assert.equal(bench.take().length, 1);
    });

    it("a request that was never made cannot be answered", () => {
        const responder = new ManagementBench().connect().responder();
        const dm = { action: "device/reboot", typeId: "s", deviceId: "1", reqId: "r" };
        const circular: Record<string, unknown> = {};
        circular.self = circular;
        for (const reqId of ["r", 5, null, circular]) {
            assert.equal(responder.input({ dm: { ...dm, reqId } })[0]?.error?.code, "GW_DM_INVALID");
        }
        assert.equal(responder.input({ dm: { ...dm, typeId: "a b" } })[0]?.error?.code, "GW_INVALID_ID");
    });

    it("a request without an id is carried out, and not answered even if the flow answers", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive("device/update", { d: { fields: [{ field: "location", value: { latitude: 1, longitude: 2 } }] } });
        assert.deepEqual(responder.last().dm.fields, { location: { latitude: 1, longitude: 2 } });
        assert.deepEqual(responder.answer({ rc: 204 }), [{}]);
        bench.clock.advance(60_000);
        assert.deepEqual(bench.take(), []);
    });

    it("a request that is unknown or unannounced, or has no responder, is answered 501 at once", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder({
            target: { kind: "device", typeId: "s" },
            deviceActions: false,
            firmwareActions: false,
            bundles: ["b1"],
        });
        for (const suffix of [reboot, "mgmt/initiate/firmware/download", "mgmt/custom/other/a1", "mgmt/custom/__proto__/a1", "foo/bar"]) {
            bench.receive(suffix, { reqId: suffix });
            const { json } = bench.takeOne();
            assert.equal(json.rc, 501, suffix);
            assert.equal(typeof json.message, "string");
        }
        bench.receive(reboot, { reqId: "x" }, { device: "other/1" });
        assert.equal(bench.takeOne().json.rc, 501);
        assert.deepEqual(responder.requests, []);
    });

    it("a malformed request is answered 400 with an explanation, or reported if it wants no answer", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive("observe", { d: { fields: 5 }, reqId: "r" });
        assert.equal(bench.takeOne().payload, '{"rc":400,"message":"d.fields is not an array of fields.","reqId":"r"}');
        bench.receive("observe", Buffer.from([0xff]));
        assert.deepEqual(bench.take(), []);
        assert.equal(responder.raised[0]?.code, "GW_DM_INVALID");
    });

    it("a responder set to auto accepts a request at once, and passes it to the flow", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder({ respond: "auto" });
        bench.receive(reboot, { reqId: "r" });
        assert.equal(bench.takeOne().json.rc, 202);
        assert.equal(responder.last().dm.action, "device/reboot");
        assert.equal(responder.answer()[0]?.error?.code, "GW_DM_INVALID");
        bench.receive("observe", { d: { fields: ["location", "mgmt.firmware"] }, reqId: "o" });
        assert.deepEqual(bench.takeOne().json, {
            rc: 404,
            message: "Not an attribute of this device.",
            d: { fields: [{ field: "location" }] },
            reqId: "o",
        });
    });

    it("a request that was queued while the gateway was away is marked, or refused if the responder says so", () => {
        const bench = new ManagementBench().connect();
        const passing = bench.responder({ target: { kind: "device", typeId: "s" } });
        const refusing = bench.responder({ target: { kind: "device", typeId: "t" }, replayed: "refuse" });
        bench.receive(reboot, { reqId: "r" }, { replayed: true });
        assert.equal(passing.last().dm.replayed, true);
        bench.receive(reboot, { reqId: "r" }, { replayed: true, device: "t/1" });
        assert.equal(bench.takeOne().json.rc, 500);
        bench.receive(reboot, {}, { replayed: true, device: "t/1" });
        assert.match(refusing.raised[0]?.message ?? "", /not carried out.*queued while the gateway was away/);
        assert.deepEqual(refusing.requests, []);
    });

    it("a request is carried out when the flow answers with the code 0, as in the documentation of 2016", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive("observe", { d: { fields: [{ field: "mgmt.firmware" }] }, reqId: "o" });
        responder.answer({ rc: 0, message: "success" });
        assert.equal(bench.takeOne().payload, '{"rc":0,"message":"success","reqId":"o"}');
        responder.input({ dm: { action: "firmware", typeId: "s", deviceId: "1", step: "downloading" } });
        assert.equal(bench.takeOne().topic, "iotdevice-1/type/s/id/1/notify");
        assert.deepEqual(responder.warnings, []);
    });

    it("an answer with an unusual code or a payload that is not an object is sent with a warning", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        for (const reqId of ["a", "b"]) {
            bench.receive(reboot, { reqId });
            responder.answer({ rc: 418, payload: "done" });
            assert.deepEqual(bench.takeOne().json, { rc: 418, reqId });
        }
        assert.deepEqual(
            responder.warnings.map((text) => /418|payload/.exec(text)?.[0]),
            ["payload", "418", "418"],
        );
    });

    it("an answer without a connection is sent on the next connection", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive(reboot, { reqId: "r" });
        bench.engine.linkDown();
        const outcomes = responder.answer();
        assert.deepEqual([bench.take(), outcomes], [[], []]);
        bench.connect();
        assert.equal(bench.takeOne().json.rc, 202);
        assert.deepEqual(outcomes, [{}]);
    });

    it("an answer in flight when the connection ends is sent again, and settled once", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive(reboot, { reqId: "r" });
        bench.isAcknowledging = false;
        const outcomes = responder.answer();
        bench.takeOne().settled(lost());
        assert.deepEqual(outcomes, []);
        bench.engine.linkDown();
        bench.connect();
        bench.takeOne().settled();
        assert.deepEqual(outcomes, [{}]);
    });

    it("an answer that the platform refused is not sent again", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive(reboot, { reqId: "r" });
        bench.isAcknowledging = false;
        const outcomes = responder.answer();
        bench.takeOne().settled(new GatewayError("GW_REFUSED", "no"));
        assert.equal(outcomes[0]?.error?.code, "GW_REFUSED");
    });

    it("waiting requests are answered 500 when the gateway stops, and unsent answers are reported", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        bench.receive(reboot, { reqId: "r" });
        bench.engine.close();
        assert.equal(bench.takeOne().json.rc, 500);
        assert.equal(bench.clock.timerCount, 0);
        assert.equal(responder.answer()[0]?.error?.code, "GW_DM_INVALID");

        const other = new ManagementBench().connect();
        const flow = other.responder();
        other.receive(reboot, { reqId: "r" });
        other.engine.linkDown();
        const outcomes = flow.answer();
        other.engine.close();
        assert.equal(outcomes[0]?.error?.code, "GW_NOT_CONNECTED");
    });

    it("a request goes to the most specific responder, and the gateway's own only to one for the gateway", () => {
        const bench = new ManagementBench().connect();
        const targets = {
            gateway: bench.responder({ target: { kind: "gateway" } }),
            any: bench.responder({ target: { kind: "device" } }),
            type: bench.responder({ target: { kind: "device", typeId: "s" } }),
            id: bench.responder({ target: { kind: "device", deviceId: "1" } }),
            both: bench.responder({ target: { kind: "device", typeId: "s", deviceId: "1" } }),
        };
        for (const [device, owner] of [
            ["mygw/gw1", "gateway"],
            ["t/9", "any"],
            ["s/9", "type"],
            ["t/1", "id"],
            ["s/1", "both"],
        ] as const) {
            bench.receive(reboot, { reqId: device }, { device });
            assert.equal(targets[owner].last().dm.reqId, device);
        }
        assert.ok(Object.values(targets).every(({ requests }) => requests.length === 1));
    });

    it("a request reaches neither of two responders with the same target, and both show the conflict until one leaves", () => {
        const bench = new ManagementBench().connect();
        const one = bench.responder({ target: { kind: "device", typeId: "s" } });
        const two = bench.responder({ target: { kind: "device", typeId: "s", deviceId: undefined } });
        for (const { conflicts } of [one, two]) assert.equal(conflicts.at(-1)?.code, "GW_CONFIG");
        bench.receive(reboot, { reqId: "r" });
        assert.equal(bench.takeOne().json.rc, 500);
        two.attached.detach();
        two.attached.detach();
        assert.equal(one.conflicts.at(-1), undefined);
        bench.receive(reboot, { reqId: "s" });
        assert.deepEqual([one.requests.length, two.requests.length], [1, 0]);
    });

    it("the number of remembered requests is bounded", () => {
        const bench = new ManagementBench().connect();
        bench.responder({ respond: "auto" });
        for (let index = 0; index < 20_001; index++) bench.receive(reboot, { reqId: index });
        bench.take();
        bench.receive(reboot, { reqId: 20_000 });
        assert.equal(bench.take().length, 1, "a recent one is answered again from memory");
        const long = "x".repeat(4000);
        for (let index = 0; index < 1100; index++) bench.receive(reboot, { reqId: `${index}${long}` });
        bench.take();
    });

    it("the number of requests that wait for the flow is bounded, and others are answered 500", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        for (let index = 0; index < 10_001; index++) bench.receive(reboot, { reqId: index });
        assert.equal(responder.requests.length, 10_000);
        assert.equal(bench.takeOne().json.rc, 500);
        bench.engine.close();
    });

    it("each request id gets exactly one answer, whatever the order of requests, repetitions, answers, timeouts and connections", () => {
        const step = fc.oneof(
            fc.record({
                do: fc.constant("receive"),
                id: fc.nat(4),
                suffix: fc.constantFrom(reboot, "mgmt/custom/b1/a", "observe", "nothing"),
            }),
            fc.record({ do: fc.constant("answer"), id: fc.nat(4), rc: fc.constantFrom(undefined, 200, 500, "x") }),
            fc.record({ do: fc.constant("advance"), ms: fc.nat(20_000) }),
            fc.record({ do: fc.constantFrom("down", "up") }),
        );
        fc.assert(
            fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
                const bench = new ManagementBench().connect();
                const responder = bench.responder();
                const received = new Set<number>();
                let isUp = true;
                for (const item of steps) {
                    if ("suffix" in item && isUp) {
                        received.add(item.id);
                        bench.receive(item.suffix, { reqId: item.id });
                    } else if ("rc" in item) {
                        const request = responder.requests.find(({ dm }) => dm.reqId === item.id);
                        if (request) responder.input({ dm: request.dm, rc: item.rc });
                    } else if ("ms" in item) bench.clock.advance(item.ms);
                    else if (item.do === "down" || item.do === "up") {
                        isUp = item.do === "up";
                        if (isUp) bench.connect();
                        else bench.engine.linkDown();
                    }
                }
                bench.connect();
                bench.clock.advance(30_000);
                const answers = new Map<unknown, Set<string>>();
                for (const { json, payload } of bench.take()) answers.set(json.reqId, (answers.get(json.reqId) ?? new Set()).add(payload));
                assert.deepEqual([...answers.keys()].sort(), [...received].sort());
                for (const [reqId, payloads] of answers) assert.equal(payloads.size, 1, `request ${String(reqId)} got different answers`);
                assert.equal(new Set(responder.requests.map(({ dm }) => dm.reqId)).size, responder.requests.length, "a flow ran twice");
            }),
        );
    });

    it("the engine never throws, whatever arrives from the platform or from a flow", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder({ respond: "auto" });
        const suffixes = fc.oneof(
            fc.string(),
            fc.constantFrom(
                reboot,
                "observe",
                "cancel",
                "device/update",
                "mgmt/custom/b1/a1",
                "response",
                "mgmt/initiate/firmware/download",
            ),
        );
        const payloads = fc.oneof(
            fc.uint8Array().map((bytes) => Buffer.from(bytes)),
            fc.record({ d: fc.oneof(fc.jsonValue(), fc.record({ fields: fc.jsonValue() })), reqId: fc.jsonValue() }),
        );
        fc.assert(fc.property(suffixes, payloads, (suffix, payload) => bench.receive(suffix, payload)));
        const messages = fc.record({
            dm: fc.oneof(
                fc.anything(),
                fc.record({
                    action: fc.constantFrom("observe", "firmware", "notify", "manage", "location", "addLog", "__proto__", "toString"),
                    typeId: fc.oneof(fc.constant("s"), fc.anything()),
                    deviceId: fc.oneof(fc.constant("1"), fc.anything()),
                    reqId: fc.anything(),
                    step: fc.oneof(fc.constantFrom("downloading", "failed", "updated"), fc.anything()),
                }),
            ),
            rc: fc.anything(),
            message: fc.anything(),
            payload: fc.anything({ withBigInt: true }),
        });
        fc.assert(
            fc.property(messages, (message) => {
                for (const { error } of responder.input(message)) assert.ok(error === undefined || error instanceof GatewayError);
            }),
        );
        bench.engine.close();
    });
});
