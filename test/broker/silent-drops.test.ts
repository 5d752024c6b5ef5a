import assert from "node:assert/strict";
import { gatewayStatus } from "../../src/node-red/gateway-status";
import { FakeClock } from "../support/doubles/fake-clock";
import { GatewayBench } from "../support/drivers/gateway-bench";
import type { RecordedGateway } from "../support/drivers/recorded-gateway";
import { waitFor } from "../support/wait-for";

const guilty = { typeId: "t", deviceId: "guilty" };
const innocent = ["i1", "i2", "i3", "i4"];
const devices = [...innocent, guilty.deviceId];

/** Gateway and platform share a clock that the test moves: what is acknowledged stays within the 250 ms, however slow the machine is. */
describe("a platform that drops acknowledged events of a known device", () => {
    let bench: GatewayBench;
    let gateway: RecordedGateway;
    let clock: FakeClock;
    afterEach(async () => {
        let isClosed = false;
        const closed = bench.close().finally(() => {
            isClosed = true;
        });
        await passes(() => isClosed, "the end");
        await closed;
    });

    /** Lets time pass, in small steps, until something is the case. */
    async function passes(isReached: () => unknown, what: string): Promise<void> {
        await waitFor(() => {
            clock.advance(10);
            return isReached();
        }, what);
    }

    /** A gateway whose devices were checked on this connection. */
    async function start(): Promise<void> {
        clock = new FakeClock();
        bench = await GatewayBench.start({ clock, registration: { delayMs: 1 } });
        gateway = await bench.gateway({ clock });
        for (const device of devices) gateway.publish(device, 0);
        await passes(() => gateway.outcomes.size === devices.length, "every device to be known");
        // What was acknowledged until now is beyond doubt.
        clock.advance(300);
    }

    const platform = () => bench.simulator.organisation("org");
    const doneCount = () => gateway.endings.filter((ending) => ending === "done").length;

    /** Publishes an event of each device, and waits until all are reported done: the platform has acknowledged them. */
    async function publishAcknowledged(payload: number): Promise<void> {
        const before = doneCount();
        for (const device of devices) gateway.publish(device, payload);
        await waitFor(() => doneCount() === before + devices.length, "the acknowledgements");
    }

    /** What an application got of a device, repeats included. */
    const received = (device: string) => bench.delivered.get(device);

    it("checks the devices concerned, sends the events of the guilty one again, and leaves the others alone", async () => {
        await start();
        platform().backOff(guilty);
        for (const payload of [1, 2, 3]) await publishAcknowledged(payload);
        await passes(() => gateway.gateway.state.suspectedDevices > 0, "the suspicion");
        const { key, parameters } = gatewayStatus(gateway.gateway.state);
        assert.deepEqual([key, parameters], ["checking", { count: devices.length }]);
        assert.match(gateway.warnings.join(), /checking the devices they may belong to: 5/);

        for (const device of devices) gateway.publish(device, 4);
        await passes(() => gateway.gateway.state.heldDevices === 1 && gateway.gateway.state.suspectedDevices === 0, "the verdict");
        assert.equal(gatewayStatus(gateway.gateway.state).key, "held");
        // What a suspect sends in a group with the guilty one is sent again alone: nothing older is.
        for (const device of innocent) assert.deepEqual(received(device), [0, 1, 2, 3, 4, 4]);
        assert.deepEqual(received(guilty.deviceId), [0]);

        platform().forgetChecks(guilty);
        await passes(() => received(guilty.deviceId)?.length === 5, "the events of the guilty device");
        await passes(() => doneCount() === 5 * devices.length, "every event to be done");
        assert.deepEqual(received(guilty.deviceId), [0, 1, 2, 3, 4]);
        for (const device of innocent) assert.deepEqual(received(device), [0, 1, 2, 3, 4, 4]);
        assert.deepEqual(gateway.late, []);
        assert.equal(gatewayStatus(gateway.gateway.state).key, "connected");
    });

    it("raises what it could not keep of the guilty device, once for each event", async () => {
        await start();
        platform().backOff(guilty);
        const count = 2_100;
        const messages = Array.from({ length: count }, (_, index) => gateway.publish(guilty.deviceId, index + 1));
        await waitFor(() => doneCount() === devices.length + count, "the acknowledgements");
        await passes(() => gateway.gateway.state.suspectedDevices === 1, "the suspicion");
        gateway.publish(guilty.deviceId, count + 1);
        await passes(() => gateway.gateway.state.heldDevices === 1, "the verdict");
        // Two thousand are kept. The check takes the place of the oldest one.
        assert.deepEqual(
            gateway.late.map(({ error, message }) => [error.code, error.willRetry, message._msgid]),
            [...messages.slice(0, 1), ...messages.slice(2_000)].map((message) => ["GW_REFUSED", false, message]),
        );
        platform().forgetChecks(guilty);
        const kept = Array.from({ length: 1_999 }, (_, index) => index + 2);
        await passes(() => received(guilty.deviceId)?.at(-1) === count + 1, "the events that were kept");
        assert.deepEqual(received(guilty.deviceId), [0, ...kept, count + 1]);
    });

    it("sends again what was acknowledged of a device that a notification names, and nothing of the others", async () => {
        await start();
        bench.simulator.faults.add({ fault: "registration", devices: "t/guilty", rc: 177, times: 1 });
        platform().forgetChecks(guilty);
        for (const payload of [1, 2, 3]) for (const device of devices) gateway.publish(device, payload);
        await passes(() => gateway.gateway.state.heldDevices === 1, "the device to be held");
        assert.equal(gatewayStatus(gateway.gateway.state).key, "held");
        assert.deepEqual(
            gateway.late.map(({ error }) => [error.code, error.rc, error.willRetry]),
            [["GW_REFUSED", 177, true]],
        );
        platform().forgetChecks(guilty);
        await passes(() => doneCount() === 4 * devices.length && received(guilty.deviceId)?.length === 4, "every event");
        for (const device of devices) assert.deepEqual(received(device), [0, 1, 2, 3]);
    });
});
