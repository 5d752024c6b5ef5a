import assert from "node:assert/strict";
import { runNewDevices } from "../support/drivers/new-devices";

describe("many new devices at once", () => {
    it("all new devices are registered at the platform's real limits: nothing lost, every failure reported, known devices not delayed", async function () {
        this.timeout(120_000);
        const result = await runNewDevices({
            devices: 600,
            backoffS: 2,
            hanging: [11, 100, 500],
            failEvery: 50,
            knownDevices: 10,
            beforeMs: 1_000,
            timeoutMs: 100_000,
        });
        assert.deepEqual([result.accepted, result.lost, result.failing, result.failuresReported], [585, 0, 12, 12]);
        assert.equal(result.tooManyDelivered, result.tooManyAccepted);
        assert.ok(result.connections > 1, "the limit of the connection was met");
        assert.ok(result.tooMany <= 8, `${result.tooMany} devices were refused because of the limit`);
        // A known device waits for a reconnect at most, never for a registration or a hold.
        assert.ok(result.during.p50Ms < 150, `median ${result.during.p50Ms} ms`);
    });
});
