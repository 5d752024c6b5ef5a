import assert from "node:assert/strict";
import { SkippingClock } from "../support/doubles/skipping-clock";
import { GatewayBench } from "../support/drivers/gateway-bench";
import type { RecordedGateway, TestGatewayOptions } from "../support/drivers/recorded-gateway";
import { waitFor } from "../support/wait-for";

const clientId = "g:org:gw:gw1";

describe("a front end of the platform with an empty memory", () => {
    let bench: GatewayBench;
    let gateway: RecordedGateway;
    let clock: SkippingClock;
    afterEach(() => bench.close());

    const names = (count: number) => Array.from({ length: count }, (_, index) => `d${index}`);
    const connects = () => bench.simulator.observed.counts(clientId).connect ?? 0;

    /** A gateway to which the server has shown that it registers devices, and that knows some. */
    async function start(devices: readonly string[], properties: TestGatewayOptions = {}): Promise<void> {
        bench = await GatewayBench.start({ registration: { delayMs: 1, backoffMs: 2_000 } });
        clock = new SkippingClock();
        gateway = await bench.gateway({ clock, ...properties });
        bench.simulator.faults.add({ fault: "registration", devices: "t/sign", rc: 177, times: 1 });
        gateway.publish("sign", 1);
        await gateway.lateErrors("GW_REFUSED");
        for (const message of devices.map((device) => gateway.publish(device, 0))) await gateway.outcome(message);
        gateway.late.length = 0;
        // The next planned reconnect need not wait for the last one.
        clock.skip(61_000);
    }

    async function assertAllDelivered(devices: readonly string[], payloads: readonly number[]): Promise<void> {
        for (const device of devices) await bench.receives(device, payloads);
    }

    it("refuses no known device, and no event is lost, when the front end restarts while they publish", async () => {
        const devices = names(200);
        await start(devices);
        const messages: string[] = [];
        for (let round = 1; round <= 5; round++) {
            for (const device of devices) messages.push(gateway.publish(device, round));
            if (round === 2) bench.simulator.restartFrontEnd();
            await new Promise((resolve) => setImmediate(resolve));
        }
        for (const message of messages) assert.equal(await gateway.outcome(message), "done");
        await assertAllDelivered(devices, [0, 1, 2, 3, 4, 5]);
        assert.deepEqual(gateway.late, []);
    });

    it("refuses as many devices as are checked at once, at most, beyond its limit, and every event is delivered", async () => {
        const devices = names(620);
        await start(devices);
        const before = connects();
        bench.simulator.restartFrontEnd();
        for (const message of devices.map((device) => gateway.publish(device, 1))) assert.equal(await gateway.outcome(message), "done");
        await assertAllDelivered(devices, [0, 1]);
        const refused = gateway.late.filter(({ error }) => error.rc === 173);
        assert.ok(refused.length <= 8, `${refused.length} devices were refused`);
        assert.ok(refused.every(({ error }) => error.willRetry === true));
        assert.deepEqual([gateway.late.length, connects() - before], [refused.length, 2]);
    });

    it("checks known devices again without a reconnect of its own when its memory is warm", async () => {
        const devices = names(620);
        await start(devices);
        const before = connects();
        bench.simulator.cut(clientId);
        for (const message of devices.map((device) => gateway.publish(device, 1))) assert.equal(await gateway.outcome(message), "done");
        assert.deepEqual([gateway.late, connects() - before], [[], 1]);
    });

    it("loses no event when a gateway is moved to another front end", async () => {
        const devices = names(12);
        await start(devices);
        const messages = devices.map((device) => gateway.publish(device, 1));
        assert.equal(bench.simulator.moveToOtherFrontEnd(clientId), true);
        for (const device of devices) messages.push(gateway.publish(device, 2));
        for (const message of messages) assert.equal(await gateway.outcome(message), "done");
        await assertAllDelivered(devices, [0, 1, 2]);
        assert.deepEqual(gateway.late, []);
    });

    it("keeps the events of a known device that another gateway got into back-off", async () => {
        await start(["d1"]);
        bench.simulator.restartFrontEnd();
        bench.simulator.organisation("org").backOff({ typeId: "t", deviceId: "d1" });
        const messages = Array.from({ length: 10 }, (_, index) => gateway.publish("d1", index + 1));
        await waitFor(() => gateway.gateway.state.heldDevices > 0, "the device to be held");
        for (const message of messages) assert.equal(await gateway.outcome(message), "done");
        await bench.receives("d1", [0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10]);
        assert.deepEqual(gateway.late, []);
    });

    it("sends an event of QoS 0 of a known device as its check, and keeps the newest one where no place is free", async () => {
        await start(names(3), { registrationLimit: "1" });
        const release = bench.simulator.faults.add({ fault: "withholdPuback", topic: "*/id/d0/*" });
        bench.simulator.cut(clientId);
        await waitFor(() => !gateway.isOnline, "the end of the connection");
        await waitFor(() => gateway.isOnline && (bench.simulator.observed.counts(clientId).subscribe ?? 0) >= 2, "the next one");
        const checks = () =>
            bench.simulator.observed.packets().filter(({ command, topic }) => command === "publish" && topic?.includes("/id/d0/"));
        const before = checks().length;
        gateway.publish("d0", 1, { qos: 0 });
        await waitFor(() => checks().length > before, "the check");
        assert.equal(checks().at(-1)?.qos, 1);

        const waiting = [2, 3, 4].map((payload) => gateway.publish("d1", payload, { qos: 0 }));
        const patient = gateway.publish("d2", 5, { qos: 0 });
        for (const message of waiting.slice(0, 2)) assert.equal(await gateway.outcome(message), "GW_DEVICE_HELD");
        assert.equal(gateway.outcomes.size, 5);
        clock.skip(29_000);
        assert.equal(gateway.outcomes.size, 5);
        clock.skip(1_500);
        for (const message of [...waiting.slice(2), patient]) assert.equal(await gateway.outcome(message), "GW_DEVICE_HELD");
        release();
    });

    it("makes a new connection for a registration that the line cut off, and delivers its event", async () => {
        await start([]);
        bench.simulator.faults.add({ fault: "registration", devices: "t/slow", delayMs: 5_000, times: 1 });
        const message = gateway.publish("slow", 1);
        await waitFor(() => bench.publishes("slow") === 1, "the first publish");
        bench.simulator.cut(clientId);
        await waitFor(() => bench.publishes("slow") === 2, "the second publish");
        await waitFor(() => bench.simulator.organisation("org").registry.device("t", "slow"), "the registry");
        const before = connects();
        clock.skip(31_000);
        assert.equal(await gateway.outcome(message), "done");
        await bench.receives("slow", [1]);
        assert.deepEqual([gateway.late, connects() - before], [[], 1]);
    });
});
