import assert from "node:assert/strict";
import { refusalError } from "../../../src/devices/refusals/refusal-error";

describe("the error of a refusal", () => {
    it("quotes the platform's refusal, and says that the event is kept", () => {
        const fields = { topic: "iot-2/org/type/t/id/a/evt/e/fmt/json", rc: 177, message: "Failed to create device." };
        const error = refusalError(fields, "t/a", { willRetry: true, heldUntil: Date.UTC(2026, 0, 1) });
        assert.equal(error.code, "GW_REFUSED");
        assert.deepEqual([error.rc, error.willRetry], [177, true]);
        assert.equal(
            error.message,
            "The platform refused iot-2/org/type/t/id/a/evt/e/fmt/json of device t/a (RC 177): Failed to create device. " +
                "The device is held until 2026-01-01T00:00:00.000Z. The message is kept and will be sent again.",
        );
    });

    it("says that a refusal is final, and what to check if the gateway is not authorised", () => {
        const error = refusalError({ rc: 180, message: "The operation is not authorized: Device not in group:  " }, "t/a", {
            willRetry: false,
        });
        assert.equal(
            error.message,
            "The platform refused a message of device t/a (RC 180): The operation is not authorized: Device not in group:. " +
                "The message will not be sent again. Check that the gateway's role and resource group cover this device.",
        );
    });

    it("says that it may have been another event if several match", () => {
        assert.match(refusalError({ rc: 276 }, "t/a", { willRetry: false }, 3).message, /matches 3 recent events; assuming the oldest/);
    });

    it("limits the length of the platform's text and topic", () => {
        const error = refusalError({ rc: 276, message: "m".repeat(10_000), topic: "t".repeat(10_000) }, "t/d", { willRetry: false });
        assert.ok(error.message.length < 1_200, error.message);
        assert.match(error.message, /m…/);
    });

    it("can be built from a notification with missing members", () => {
        assert.equal(
            refusalError({}, undefined, { willRetry: false }).message,
            "The platform refused a message. The message will not be sent again.",
        );
    });
});
