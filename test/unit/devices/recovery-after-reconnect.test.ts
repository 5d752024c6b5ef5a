import assert from "node:assert/strict";
import { MiniatureGateway } from "./miniature-gateway";

const platform = { registrationLimit: 8, pending: 10, newDevices: 500, roundTripMs: 100 };

/** The registry answers within 20 ms, not always in the same time. */
const registrationMs = (device: string) => 1 + (Number(device.slice(3)) % 19);

function names(count: number): string[] {
    return Array.from({ length: count }, (_, index) => `t/d${index}`);
}

/** A gateway that knows so many devices, checked on an earlier connection, with an event of each that waits. */
function knowing(count: number): { gateway: MiniatureGateway; devices: string[]; beginMs: number } {
    const gateway = new MiniatureGateway({ ...platform, registrationMs });
    const devices = names(count);
    for (const device of devices) gateway.publish(device, 1);
    // The connections on which they are registered are made at most once a minute.
    gateway.clock.advance((Math.ceil(count / 499) + 1) * 61_000);
    assert.equal(gateway.backlog, 0);
    gateway.forgetTimes();
    return { gateway, devices, beginMs: gateway.clock.monotonicMs() };
}

function slowestMs(gateway: MiniatureGateway, devices: readonly string[], beginMs: number): number {
    return Math.max(...devices.map((device) => (gateway.firstAcknowledgedMs.get(device) ?? Number.POSITIVE_INFINITY) - beginMs));
}

describe("recovery of known devices after a reconnect", () => {
    it("acknowledges an event of each of 1000 devices within 15 s at a round trip of 100 ms, without a planned reconnect, if the front end knows them", () => {
        const { gateway, devices, beginMs } = knowing(1000);
        gateway.reconnect();
        for (const device of devices) gateway.publish(device, 2);
        gateway.clock.advance(20_000);
        assert.ok(slowestMs(gateway, devices, beginMs) <= 15_000, `${slowestMs(gateway, devices, beginMs)} ms`);
        assert.deepEqual([gateway.reconnects, gateway.platform.refusals], [[], []]);
        assert.equal(gateway.backlog, 0);
    });

    it("acknowledges an event of each of 1000 devices within 15 s at a round trip of 100 ms if the front end has an empty memory", () => {
        const { gateway, devices, beginMs } = knowing(1000);
        gateway.restartPlatform();
        for (const device of devices) gateway.publish(device, 2);
        gateway.clock.advance(20_000);
        assert.ok(slowestMs(gateway, devices, beginMs) <= 15_000, `${slowestMs(gateway, devices, beginMs)} ms`);
        assert.deepEqual(gateway.reconnects, ["connection-limit"]);
        assert.ok(gateway.platform.refusals.length <= 8, `${gateway.platform.refusals.length} devices were refused`);
        assert.equal(gateway.backlog, gateway.platform.refusals.length);
    });

    it("acknowledges an event of each of 3000 devices within 45 s, without a planned reconnect, if the front end knows them", () => {
        const { gateway, devices, beginMs } = knowing(3000);
        gateway.reconnect();
        for (const device of devices) gateway.publish(device, 2);
        gateway.clock.advance(60_000);
        assert.ok(slowestMs(gateway, devices, beginMs) <= 45_000, `${slowestMs(gateway, devices, beginMs)} ms`);
        assert.deepEqual([gateway.reconnects, gateway.platform.refusals], [[], []]);
    });

    it("ends at most two connections for 1000 devices that publish every second for ten minutes after the front end's restart", () => {
        const { gateway, devices } = knowing(1000);
        gateway.restartPlatform();
        for (let second = 0; second < 600; second++) {
            for (const device of devices) gateway.publish(device, second + 2);
            gateway.clock.advance(1_000);
        }
        assert.ok(gateway.reconnects.length <= 2, gateway.reconnects.join());
        assert.ok(gateway.platform.refusals.length <= 8, `${gateway.platform.refusals.length} devices were refused`);
    }).timeout(60_000);

    for (const count of [600, 1200, 2500]) {
        it(`ends no more connections than the limit asks for, the first at once and then one a minute, with ${count} devices and an empty memory`, () => {
            const { gateway, devices, beginMs } = knowing(count);
            gateway.restartPlatform();
            for (const device of devices) gateway.publish(device, 2);
            gateway.clock.advance(600_000);
            const refused = gateway.platform.refusals.length;
            assert.ok(refused <= 8, `${refused} devices were refused`);
            const atMost = Math.ceil(count / 499) - 1;
            assert.ok(gateway.reconnects.length > 0 && gateway.reconnects.length <= atMost, `${gateway.reconnects.length} reconnects`);
            const laterMs = (atMost - 1) * 60_000;
            const acknowledged = devices.filter(
                (device) => (gateway.firstAcknowledgedMs.get(device) ?? Number.POSITIVE_INFINITY) <= beginMs + laterMs + 20_000,
            );
            assert.equal(acknowledged.length, count);
        });
    }

    it("tries one of the devices refused for the limit on a new connection, and the others once it has passed", () => {
        const { gateway, devices } = knowing(600);
        gateway.restartPlatform();
        for (const device of devices) gateway.publish(device, 2);
        gateway.clock.advance(30_000);
        assert.ok(gateway.backlog > 0);
        // Another front end knows nothing of the back-off.
        gateway.restartPlatform();
        gateway.clock.advance(2_000);
        assert.equal(gateway.backlog, 0);
    });
});
