import assert from "node:assert/strict";
import { describeThrown, GatewayError, toGatewayError } from "../../src/errors";

describe("GatewayError", () => {
    it("carries its code, its message and its cause", () => {
        const cause = new Error("boom");
        const error = new GatewayError("GW_REFUSED", "refused", { cause, rc: 180, willRetry: true });
        assert.deepEqual(
            { name: error.name, code: error.code, message: error.message, cause: error.cause, rc: error.rc, willRetry: error.willRetry },
            { name: "GatewayError", code: "GW_REFUSED", message: "refused", cause, rc: 180, willRetry: true },
        );
    });

    it("leaves out absent details", () => {
        assert.deepEqual(Object.keys(new GatewayError("GW_CONFIG", "x")).sort(), ["code", "name"]);
    });

    it("wraps any thrown value, and keeps a GatewayError as it is", () => {
        const original = new GatewayError("GW_INVALID_ID", "bad id");
        assert.equal(toGatewayError(original, "GW_CONFIG"), original);
        assert.equal(toGatewayError("text", "GW_CONFIG").message, "text");
        assert.equal(toGatewayError(null, "GW_CONFIG").code, "GW_CONFIG");
    });

    it("has its code in the message, because Node-RED 4.0 passes on nothing else", () => {
        assert.equal(String(new GatewayError("GW_CONFIG", "port is 0.")), "GatewayError [GW_CONFIG]: port is 0.");
    });

    it("describes a thrown object whose conversion throws", () => {
        const hostile = {
            toString() {
                throw new Error("no");
            },
        };
        assert.equal(describeThrown(hostile), "an error that cannot be displayed");
    });

    it("describes a thrown object with a message, such as JSONata's", () => {
        assert.equal(describeThrown({ code: "D3030", position: 7, message: "Unable to cast" }), "Unable to cast");
    });

    it("does not end the process if a flow throws a revoked proxy or an error with an unreadable message", () => {
        const { proxy, revoke } = Proxy.revocable({}, {});
        revoke();
        const unreadable = Object.defineProperty(new Error("x"), "message", { value: Symbol("no words") });
        for (const thrown of [proxy, unreadable, undefined, Symbol("s"), Object.create(null)]) {
            const error = toGatewayError(thrown, "GW_INVALID_PAYLOAD");
            assert.equal(error.code, "GW_INVALID_PAYLOAD");
            assert.equal(typeof error.message, "string");
        }
    });

    it("keeps only errors as its cause, because Node-RED clones it for Catch nodes", () => {
        const hostile = {
            get trap() {
                throw new Error("no");
            },
        };
        assert.equal("cause" in toGatewayError(hostile, "GW_CONFIG"), false);
        assert.equal("cause" in new GatewayError("GW_CONFIG", "x", { cause: hostile }), false);
        assert.ok(toGatewayError(new TypeError("t"), "GW_CONFIG").cause instanceof TypeError);
    });

    it("limits the length of its message", () => {
        assert.equal(describeThrown(new Error("x".repeat(10_000_000))).length, 1001);
    });
});
