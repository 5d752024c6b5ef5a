import assert from "node:assert/strict";
import type { SimulatorOptions } from "../../src/simulator/simulator";
import { SkippingClock } from "../support/doubles/skipping-clock";
import { nextNotification, TestPlatform } from "./support/platform";
import type { RawClient } from "./support/raw-client";

const event = (id: string): string => `iot-2/type/sensor/id/${id}/evt/e/fmt/json`;
const commands = (id: string): string => `iot-2/type/sensor/id/${id}/cmd/+/fmt/+`;
const names = (count: number): string[] => Array.from({ length: count }, (_, index) => `d${index}`);

describe("the front end's memory", () => {
    let platform: TestPlatform;
    let gateway: RawClient;
    afterEach(() => platform.close());

    /** A platform that has known these devices for long, and a gateway. */
    async function start(devices: readonly string[], options: SimulatorOptions = {}): Promise<void> {
        platform = await TestPlatform.start({ ...options, registration: { delayMs: 0, ...options.registration } });
        for (const device of devices) platform.simulator.organisation("org").registry.register("sensor", device);
        gateway = await platform.gateway();
    }

    async function pubacks(client: RawClient, count: number): Promise<void> {
        for (let index = 0; index < count; index++) await client.next(({ cmd }) => cmd === "puback");
    }

    /** Publishes for the devices all at once; resolves to the return codes of the notifications. */
    async function publishAtOnce(client: RawClient, devices: readonly string[]): Promise<unknown[]> {
        for (const device of devices) client.publishOnly(event(device));
        await pubacks(client, devices.length);
        await client.publish("marker");
        const codes: unknown[] = [];
        for (let notification = await nextNotification(client); notification.Topic !== "marker"; ) {
            codes.push(notification.RC);
            notification = await nextNotification(client);
        }
        return codes;
    }

    describe("after a restart", () => {
        it("is empty: of 200 known devices that publish at once ten pass, and the others get RC 173 and the back-off", async () => {
            const clock = new SkippingClock();
            const devices = names(200);
            await start(devices, { clock });
            assert.deepEqual(await publishAtOnce(gateway, devices.slice(0, 10)), []);
            for (const device of devices) await gateway.publish(event(device));
            platform.simulator.restartFrontEnd();
            platform.simulator.faults.add({ fault: "registration", devices: "sensor/*", delayMs: 1_000 });
            await gateway.whenClosed();
            gateway = await platform.gateway();
            const application = await platform.application();
            for (const device of devices) gateway.publishOnly(event(device));
            await pubacks(gateway, 190);
            for (let count = 0; count < 190; count++) assert.equal((await nextNotification(gateway)).RC, 173);
            assert.deepEqual(
                (await gateway.settle()).map(({ cmd }) => cmd),
                Array.from({ length: 190 }, () => "stray"),
            );
            clock.skip(1_000);
            await pubacks(gateway, 10);
            const delivered: string[] = [];
            for (let count = 0; count < 10; count++) delivered.push((await application.message()).topic);
            assert.deepEqual(delivered, devices.slice(0, 10).map(event));
            await gateway.publish(event("d100"));
            assert.deepEqual(await gateway.settle(), [{ cmd: "stray" }]);
        });

        it("lets known devices pass as long as no more than ten of them are pending", async () => {
            const devices = names(100);
            await start(devices);
            platform.simulator.restartFrontEnd();
            gateway = await platform.gateway();
            for (let first = 0; first < devices.length; first += 10) {
                assert.deepEqual(await publishAtOnce(gateway, devices.slice(first, first + 10)), []);
            }
        });

        it("counts known devices towards the 500 of a connection", async () => {
            const devices = names(500);
            await start(devices, { registration: { maxPending: 1000 } });
            for (let round = 0; round < 2; round++) {
                assert.deepEqual(await publishAtOnce(gateway, devices), [173]);
                platform.simulator.restartFrontEnd();
                gateway = await platform.gateway();
            }
        });

        it("checks a known device at a SUBSCRIBE with a single concrete filter", async () => {
            await start(["d1", "d2"], { registration: { maxPending: 1, delayMs: 60_000 } });
            platform.simulator.restartFrontEnd();
            gateway = await platform.gateway();
            gateway.publishOnly(event("d1"));
            assert.deepEqual(await gateway.subscribe(commands("d2")), [128]);
            assert.equal((await nextNotification(gateway)).RC, 173);
        });

        it("has no back-off", async () => {
            await start(["d1"]);
            platform.simulator.organisation("org").backOff({ typeId: "sensor", deviceId: "d1" });
            platform.simulator.restartFrontEnd();
            gateway = await platform.gateway();
            await gateway.publish(event("d1"));
            assert.deepEqual(await gateway.settle(), []);
        });

        it("has no pending registration, so that the device can be checked again", async () => {
            await start([]);
            platform.simulator.faults.add({ fault: "registration", devices: "sensor/d1", never: true, times: 1 });
            gateway.publishOnly(event("d1"));
            await gateway.settle();
            platform.simulator.restartFrontEnd();
            gateway = await platform.gateway();
            await gateway.publish(event("d1"));
            assert.deepEqual(await gateway.settle(), []);
        });
    });

    it("is all that a restart ends, besides the connections: registry, durable sessions and queued messages stay", async () => {
        await start([]);
        const durable = await platform.connect("g:org:mygw:gw2", { clean: false });
        await durable.subscribe(commands("+"));
        await durable.publish(event("created"));
        platform.simulator.restartFrontEnd();
        await durable.whenClosed();
        await gateway.whenClosed();
        platform.simulator.publish("org", "iot-2/type/sensor/id/created/cmd/c/fmt/json", "{}");
        assert.ok(platform.simulator.organisation("org").registry.device("sensor", "created"));
        const again = await platform.connect("g:org:mygw:gw2", { clean: false });
        assert.equal((await again.message()).topic, "iot-2/type/sensor/id/created/cmd/c/fmt/json");
    });

    it("is not reachable while the front end is down", async () => {
        const clock = new SkippingClock();
        await start([], { clock });
        platform.simulator.restartFrontEnd({ downMs: 60_000 });
        await assert.rejects(platform.connect("g:org:mygw:gw2"));
        clock.skip(60_000);
        await platform.connect("g:org:mygw:gw2");
    });

    it("is another one, empty, for a gateway that is moved, and the same for the others", async () => {
        const devices = names(20);
        await start(devices);
        const other = await platform.gateway("gw2");
        for (const device of devices) await gateway.publish(event(device));
        platform.simulator.organisation("org").backOff({ typeId: "sensor", deviceId: "d0" });
        assert.equal(platform.simulator.moveToOtherFrontEnd("g:org:mygw:gw1"), true);
        assert.equal(platform.simulator.moveToOtherFrontEnd("g:org:mygw:gw3"), false);
        await gateway.whenClosed();
        gateway = await platform.gateway();
        platform.simulator.faults.add({ fault: "registration", devices: "sensor/*", delayMs: 1_000 });
        for (const device of devices) gateway.publishOnly(event(device));
        await pubacks(gateway, 10);
        for (let count = 0; count < 10; count++) assert.equal((await nextNotification(gateway)).RC, 173);
        assert.deepEqual(await publishAtOnce(other, devices.slice(1)), []);
        assert.deepEqual(await other.settle(), []);
        await other.publish(event("d0"));
        assert.deepEqual(await other.settle(), [{ cmd: "stray" }], "the back-off belongs to the first front end");
    });

    it("stays for a gateway that was moved until the front end restarts", async () => {
        await start(["d1"], { registration: { maxPending: 0 } });
        platform.simulator.moveToOtherFrontEnd("g:org:mygw:gw1");
        gateway = await platform.gateway();
        assert.deepEqual(await publishAtOnce(gateway, ["d1"]), [173]);
        gateway.destroy();
        gateway = await platform.gateway();
        assert.deepEqual(await publishAtOnce(gateway, ["d1"]), [], "it is in back-off");
        platform.simulator.restartFrontEnd();
        gateway = await platform.gateway();
        assert.deepEqual(await publishAtOnce(gateway, ["d1"]), [173]);
    });

    describe("of a known device in back-off", () => {
        /** What the gateway gets for five events of d1, and what the application gets. */
        async function publishFive(): Promise<[string[], number]> {
            const application = await platform.application();
            for (let index = 0; index < 5; index++) await gateway.publish(event("d1"));
            await gateway.publish("marker");
            assert.equal((await nextNotification(gateway)).Topic, "marker");
            const signs = (await gateway.settle()).map(({ cmd }) => cmd);
            return [signs, (await application.settle()).length];
        }
        const dropped = [Array.from({ length: 5 }, () => "stray"), 0];

        it("drops each event with a stray packet and no notification when another gateway brought it there", async () => {
            await start(["d1"], { registration: { maxPending: 0 } });
            const other = await platform.gateway("gw2");
            await other.publish(event("d1"));
            assert.equal((await nextNotification(other)).RC, 173);
            assert.deepEqual(await publishFive(), dropped);
        });

        it("drops each event when a fault brought it there, across reconnects and until the ten minutes are over", async () => {
            const clock = new SkippingClock();
            await start(["d1"], { clock });
            await gateway.publish(event("d1"));
            platform.simulator.organisation("org").backOff({ typeId: "sensor", deviceId: "d1" });
            assert.deepEqual(await publishFive(), dropped);
            gateway.destroy();
            gateway = await platform.gateway();
            clock.skip(599_000);
            assert.deepEqual(await publishFive(), dropped);
            clock.skip(1_000);
            assert.deepEqual(await publishFive(), [[], 5]);
        });
    });

    describe("of a registration whose connection has ended", () => {
        const slow = { devices: "sensor/slow", delayMs: 4_000 };

        /** A connection that was cut while a registration was pending, and the next one. */
        async function cut(clock: SkippingClock, rule: object = slow): Promise<void> {
            await start([], { clock, registration: { rules: [{ ...slow, ...rule }] } });
            gateway.publishOnly(event("slow"), "first");
            await gateway.settle();
            gateway.destroy();
            await gateway.whenClosed();
            gateway = await platform.gateway();
        }

        it("drops what the next connection sends for the device, with no PUBACK and no notification", async () => {
            const clock = new SkippingClock();
            await cut(clock);
            const application = await platform.application();
            gateway.publishOnly(event("slow"), "second");
            gateway.send({ cmd: "subscribe", messageId: 500, subscriptions: [{ topic: commands("slow"), qos: 1 }] });
            await gateway.publish(event("other"), "other");
            clock.skip(4_000);
            assert.ok(platform.simulator.organisation("org").registry.device("sensor", "slow"));
            await gateway.publish("marker");
            assert.equal((await nextNotification(gateway)).Topic, "marker");
            assert.deepEqual(await gateway.settle(), []);
            assert.equal((await application.message()).payload.toString(), "other");
            assert.deepEqual(await application.settle(), []);
        });

        it("accepts the device once the registry has answered", async () => {
            const clock = new SkippingClock();
            await cut(clock);
            gateway.publishOnly(event("slow"), "second");
            await gateway.settle();
            clock.skip(4_000);
            const application = await platform.application();
            await gateway.publish(event("slow"), "third");
            gateway.destroy();
            gateway = await platform.gateway();
            await gateway.publish(event("slow"), "fourth");
            const payloads = [await application.message(), await application.message()].map(({ payload }) => payload.toString());
            assert.deepEqual(payloads, ["third", "fourth"]);
        });

        it("puts a refused device into the back-off without a notification", async () => {
            const clock = new SkippingClock();
            await cut(clock, { rc: 177 });
            gateway.publishOnly(event("slow"), "second");
            await gateway.settle();
            clock.skip(4_000);
            await gateway.publish(event("slow"), "third");
            await gateway.publish("marker");
            assert.equal((await nextNotification(gateway)).Topic, "marker");
            assert.deepEqual(await gateway.settle(), [{ cmd: "stray" }]);
        });

        it("takes no place of the next connection", async () => {
            await start([], { registration: { maxPending: 1, rules: [{ devices: "sensor/hang", never: true }] } });
            gateway.publishOnly(event("hang"));
            await gateway.settle();
            gateway.destroy();
            gateway = await platform.gateway();
            assert.deepEqual(await publishAtOnce(gateway, ["d1"]), []);
        });

        it("passes what another gateway sends for the device", async () => {
            await start([], { registration: { rules: [{ devices: "sensor/hang", never: true }] } });
            gateway.publishOnly(event("hang"));
            await gateway.settle();
            const other = await platform.gateway("gw2");
            await other.publish(event("hang"));
            assert.deepEqual(await other.settle(), []);
        });
    });
});
