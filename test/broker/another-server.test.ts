import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { type Simulator, startSimulator } from "../../src/simulator/simulator";
import { FastClock } from "../support/doubles/fast-clock";
import { RecordedGateway } from "../support/drivers/recorded-gateway";

/** More than a server checks on one connection. */
const devices = Array.from({ length: 520 }, (_, index) => `d${index}`);

describe("a gateway that moves to another server", () => {
    let userDir: string;
    let first: Simulator;
    let second: Simulator;

    beforeEach(async () => {
        userDir = mkdtempSync(path.join(tmpdir(), "wiotp-servers-"));
        first = await startSimulator({ port: 0, httpPort: 0, registration: { delayMs: 1 } });
        second = await startSimulator({ port: 0, httpPort: 0, registration: { delayMs: 1 } });
    });

    afterEach(async () => {
        await first.close();
        await second.close();
        rmSync(userDir, { recursive: true, force: true });
    });

    /** Sends one event of each device and waits until all are done. */
    async function sendOfEach(port: number): Promise<RecordedGateway> {
        const watched = new RecordedGateway(port, { userDir, outbox: "disk", clock: new FastClock(20) });
        watched.gateway.start();
        const messages = devices.map((device) => watched.publish(device));
        for (const message of messages) assert.equal(await watched.outcome(message), "done");
        return watched;
    }

    it("loses no first event there, because the new server does not know the devices that the old one knew", async () => {
        const before = await sendOfEach(first.port);
        await before.close();
        const after = await sendOfEach(second.port);
        assert.deepEqual(after.late, []);
        assert.equal(after.gateway.state.heldDevices, 0);
        assert.ok(after.lines.some((line) => line.includes(`127.0.0.1:${second.port}`) && line.includes(`127.0.0.1:${first.port}`)));
        await after.close();
    });

    it("says nothing of another server when it only starts again", async () => {
        const before = await sendOfEach(first.port);
        await before.close();
        const after = await sendOfEach(first.port);
        assert.ok(!after.lines.some((line) => line.includes("it was")));
        await after.close();
    });
});
