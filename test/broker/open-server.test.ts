import assert from "node:assert/strict";
import { type Clock, systemClock } from "../../src/clock";
import { FakeClock } from "../support/doubles/fake-clock";
import { ListeningBroker } from "../support/doubles/listening-broker";
import { GatewayBench } from "../support/drivers/gateway-bench";
import { RecordedGateway } from "../support/drivers/recorded-gateway";
import { waitFor } from "../support/wait-for";

/** The clock of the machine, but what waits for half a minute waits indefinitely. */
const impatientClock: Clock = {
    now: () => systemClock.now(),
    monotonicMs: () => systemClock.monotonicMs(),
    setTimer: (delayMs, action) => (delayMs < 25_000 ? systemClock.setTimer(delayMs, action) : { cancel: () => undefined }),
};

describe("a broker that has not shown whether it registers devices", () => {
    it("gets the events of 1000 new devices without a pause, though none of them is done before its 100 ms are over", async () => {
        const broker = await ListeningBroker.start();
        const clock = new FakeClock();
        const member = new RecordedGateway(broker.port, { registration: "auto", maxInFlight: "1", clock });
        try {
            member.gateway.start();
            await waitFor(() => member.isOnline, "the gateway to be online");
            for (let i = 0; i < 1000; i++) member.publish(`d${i}`);
            await waitFor(() => broker.taken.length === 1000, "every event");
            assert.equal(member.outcomes.size, 0);
            await waitFor(() => {
                clock.advance(10);
                return member.outcomes.size === 1000;
            }, "every event to be done");
            assert.deepEqual(new Set(member.endings), new Set(["done"]));
        } finally {
            clock.advance(10_000);
            await broker.stop();
            await member.close();
        }
    });

    it("loses no event that was reported done when it turns out to be a platform, and sends all without a time-out", async () => {
        const bench = await GatewayBench.start({ registration: { delayMs: 20, backoffMs: 300 } });
        try {
            const member = await bench.gateway({ registration: "auto", registrationBackoff: "1", clock: impatientClock });
            const devices = Array.from({ length: 40 }, (_, i) => `d${i}`);
            for (const payload of [1, 2, 3]) for (const device of devices) member.publish(device, payload);
            // What the platform accepted before the sign arrives once more after what it refused.
            const isComplete = (device: string) => [1, 2, 3].every((payload) => bench.delivered.get(device)?.includes(payload));
            await waitFor(() => devices.every(isComplete), "every event of every device");
            await waitFor(() => member.outcomes.size === 120, "every event to have an outcome");
            assert.deepEqual(new Set(member.endings), new Set(["done"]));
            for (const { error } of member.late) assert.equal(error.willRetry, true, error.message);
        } finally {
            await bench.close();
        }
    });

    it("registers devices from the start if the user says so", async () => {
        const bench = await GatewayBench.start({ registration: { delayMs: 20, backoffMs: 1000 } });
        try {
            const member = await bench.gateway({ registration: "always" });
            const devices = Array.from({ length: 40 }, (_, i) => `d${i}`);
            for (const device of devices) member.publish(device, 1);
            await Promise.all(devices.map((device) => bench.receives(device, [1])));
            assert.deepEqual(member.late, [], "no device was refused");
        } finally {
            await bench.close();
        }
    });
});
