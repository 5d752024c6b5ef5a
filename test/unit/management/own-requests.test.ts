import assert from "node:assert/strict";
import { GatewayError } from "../../../src/errors";
import { platformNaming } from "../../../src/protocol/gateway-topics";
import { IdParser } from "../../../src/protocol/id-parser";
import { idRule, replaceId } from "../../../src/protocol/id-rules";
import { ManagementBench } from "../../support/doubles/management-bench";

const device = { typeId: "s", deviceId: "1" };

describe("the gateway's requests", () => {
    for (const [action, suffix, payload, d] of [
        [
            "manage",
            "mgmt/manage",
            { lifetime: 3600, supports: { deviceActions: true } },
            { lifetime: 3600, supports: { deviceActions: true } },
        ],
        ["unmanage", "mgmt/unmanage", undefined, undefined],
        ["location", "device/update/location", { latitude: 1, longitude: 2 }, { latitude: 1, longitude: 2 }],
        ["addErrorCode", "add/diag/errorCodes", { errorCode: 5 }, { errorCode: 5 }],
        ["clearErrorCodes", "clear/diag/errorCodes", undefined, undefined],
        [
            "addLog",
            "add/diag/log",
            { message: "m", timestamp: "2026-01-01T00:00:00Z", severity: 1 },
            { message: "m", timestamp: "2026-01-01T00:00:00Z", severity: 1 },
        ],
        ["clearLog", "clear/diag/log", undefined, undefined],
        ["notify", "notify", { fields: [{ field: "f", value: 1 }] }, { fields: [{ field: "f", value: 1 }] }],
    ] as const) {
        it(`sends ${action} to ${suffix}, and settles with the platform's answer, whatever its code`, () => {
            const bench = new ManagementBench().connect();
            const outcomes = bench.responder().input({ dm: { action, ...device }, payload });
            const request = bench.takeOne();
            assert.equal(request.topic, `iotdevice-1/type/s/id/1/${suffix}`);
            assert.equal(request.qos, 1);
            assert.deepEqual(request.json, { ...(d && { d }), reqId: "id-1" });
            bench.reply(request, 409, { message: "later", d: { a: 1 } });
            bench.reply(request, 200);
            assert.deepEqual(outcomes, [{ answer: { rc: 409, message: "later", d: { a: 1 } } }]);
            bench.engine.close();
        });
    }

    it("a device whose id is replaced is managed under the id that the flow knows", () => {
        const bench = new ManagementBench({ ids: new IdParser(platformNaming, "replace") }).connect();
        bench.responder().input({ dm: { action: "clearLog", typeId: "s", deviceId: "Pump 7" } });
        assert.equal(bench.takeOne().topic, `iotdevice-1/type/s/id/${replaceId("Pump 7", idRule)}/clear/diag/log`);
        bench.engine.close();
    });

    it("matches answers by request id, and ignores an unknown id", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        const one = responder.input({ dm: { action: "clearLog", ...device } });
        const two = responder.input({ dm: { action: "clearLog", ...device } });
        const [first, second] = bench.take();
        assert.ok(first && second && first.json.reqId !== second.json.reqId);
        bench.receive("response", { rc: 200, reqId: "stranger" });
        bench.reply(second, 200);
        assert.deepEqual([one.length, two.length], [0, 1]);
        bench.reply(first, 404);
        assert.equal(one[0]?.answer?.rc, 404);
        assert.deepEqual(responder.requests, []);
    });

    it("a request without reply has no id, and settles when it is acknowledged", () => {
        const bench = new ManagementBench().connect();
        bench.isAcknowledging = false;
        const outcomes = bench.responder().input({ dm: { action: "clearLog", ...device, reply: false } });
        const request = bench.takeOne();
        assert.equal(request.payload, "{}");
        assert.deepEqual(outcomes, []);
        request.settled();
        assert.deepEqual(outcomes, [{}]);
    });

    it("a request fails without a connection, and if it ends before the acknowledgement", () => {
        const bench = new ManagementBench();
        const responder = bench.responder();
        assert.equal(responder.input({ dm: { action: "clearLog", ...device } })[0]?.error?.code, "GW_NOT_CONNECTED");
        bench.connect();
        bench.isAcknowledging = false;
        const outcomes = responder.input({ dm: { action: "clearLog", ...device } });
        bench.takeOne().settled(new Error("socket closed"));
        assert.equal(outcomes[0]?.error?.code, "GW_NOT_CONNECTED");
    });

    it("a request fails with the refusal if the device is held", () => {
        const bench = new ManagementBench().connect();
        bench.isAcknowledging = false;
        const outcomes = bench.responder().input({ dm: { action: "clearLog", ...device } });
        bench.takeOne().settled(new GatewayError("GW_DEVICE_HELD", "held"));
        assert.equal(outcomes[0]?.error?.code, "GW_DEVICE_HELD");
    });

    it("a request fails if the platform does not answer in time, and when the gateway is closed", () => {
        const bench = new ManagementBench({ requestTimeoutMs: 5000 }).connect();
        const responder = bench.responder();
        const slow = responder.input({ dm: { action: "clearLog", ...device } });
        bench.clock.advance(5000);
        assert.equal(slow[0]?.error?.code, "GW_DM_TIMEOUT");
        bench.reply(bench.takeOne(), 200);
        const open = responder.input({ dm: { action: "clearLog", ...device } });
        bench.engine.close();
        assert.equal(open[0]?.error?.code, "GW_NOT_CONNECTED");
        assert.equal(bench.clock.timerCount, 0);
    });

    it("a request without ids takes those of the responder's target, but never half of the gateway's", () => {
        const bench = new ManagementBench().connect();
        const gateway = bench.responder({ target: { kind: "gateway" } });
        gateway.input({ dm: { action: "clearLog" } });
        assert.equal(bench.takeOne().topic, "iotdevice-1/type/mygw/id/gw1/clear/diag/log");
        for (const half of [{ typeId: "s" }, { deviceId: "1" }]) {
            assert.equal(gateway.input({ dm: { action: "clearLog", ...half } })[0]?.error?.code, "GW_INVALID_ID");
        }
        const type = bench.responder({ target: { kind: "device", typeId: "s" } });
        type.input({ dm: { action: "clearLog", deviceId: 7 } });
        assert.equal(bench.takeOne().topic, "iotdevice-1/type/s/id/7/clear/diag/log");
        assert.equal(type.input({ dm: { action: "clearLog" } })[0]?.error?.code, "GW_INVALID_ID");
        const any = bench.responder({ target: { kind: "device" } });
        assert.equal(any.input({ dm: { action: "manage", typeId: "s" } })[0]?.error?.code, "GW_INVALID_ID");
    });

    it("an invalid request is rejected with an explanation", () => {
        const responder = new ManagementBench().connect().responder();
        const hostile = {
            get action() {
                throw new Error("boom");
            },
        };
        for (const dm of [
            undefined,
            "manage",
            [],
            {},
            { action: "explode" },
            { action: "__proto__" },
            { action: "firmware", ...device },
            hostile,
        ]) {
            assert.equal(responder.input({ dm })[0]?.error?.code, "GW_DM_INVALID");
        }
        assert.equal(responder.input({ dm: { action: "location", ...device }, payload: {} })[0]?.error?.code, "GW_DM_INVALID");
    });

    it("a request that is too large for the platform is rejected", () => {
        const responder = new ManagementBench().connect().responder();
        const dm = { action: "addLog", ...device };
        assert.equal(responder.input({ dm, payload: { message: "x".repeat(131_072) } })[0]?.error?.code, "GW_PAYLOAD_TOO_LARGE");
        const circular: Record<string, unknown> = {};
        circular.metadata = { circular };
        assert.equal(responder.input({ dm: { action: "manage", ...device }, payload: circular })[0]?.error?.code, "GW_DM_INVALID");
    });

    it("the number of waiting requests is bounded", () => {
        const bench = new ManagementBench().connect();
        const responder = bench.responder();
        for (let index = 0; index < 20_000; index++) responder.input({ dm: { action: "clearLog", ...device } });
        assert.equal(responder.input({ dm: { action: "clearLog", ...device } })[0]?.error?.code, "GW_OUTBOX_FULL");
        bench.engine.close();
    });
});
