import assert from "node:assert/strict";
import type { Fault } from "../../src/simulator/simulator";
import { SkippingClock } from "../support/doubles/skipping-clock";
import { nextNotification, TestPlatform } from "./support/platform";
import { RawClient } from "./support/raw-client";

const event = (id: string): string => `iot-2/type/mygw/id/gw1/evt/${id}/fmt/json`;

describe("the faults of the simulator", () => {
    let platform: TestPlatform;
    let gateway: RawClient;
    const add = (fault: Fault): (() => void) => platform.simulator.faults.add(fault);
    beforeEach(async () => {
        platform = await TestPlatform.start();
        gateway = await platform.gateway();
    });
    afterEach(() => platform.close());

    it("withholds PUBACKs by topic and number of times, and delivers the messages", async () => {
        const application = await platform.application();
        add({ fault: "withholdPuback", topic: "*/evt/lost/*", times: 1 });
        gateway.publishOnly(event("lost"));
        await gateway.publish(event("kept"));
        assert.deepEqual(await gateway.settle(), []);
        await gateway.publish(event("lost"));
        assert.deepEqual(
            [await application.message(), await application.message(), await application.message()].map(({ topic }) => topic),
            [event("lost"), event("kept"), event("lost")],
        );
    });

    it("delays the PUBACKs of one topic and no others", async () => {
        add({ fault: "delayPuback", delayMs: 20, topic: "*/evt/late/*" });
        const late = gateway.publishOnly(event("late"));
        const prompt = gateway.publishOnly(event("prompt"));
        const order = [
            (await gateway.next(({ cmd }) => cmd === "puback")).messageId,
            (await gateway.next(({ cmd }) => cmd === "puback")).messageId,
        ];
        assert.deepEqual(order, [prompt, late]);
    });

    it("refuses a publish for a known device with any code, without the stray packet", async () => {
        const application = await platform.application();
        add({ fault: "refusePublish", rc: 180, topic: "*/evt/secret/*" });
        await gateway.publish(event("secret"));
        const expected = {
            Request: "Publish",
            Topic: event("secret"),
            Client: "g:org:mygw:gw1",
            RC: 180,
            Message: "The operation is not authorized.",
        };
        assert.deepEqual(await nextNotification(gateway), expected);
        await gateway.publish(event("open"));
        assert.equal((await application.message()).topic, event("open"));
        assert.deepEqual(await gateway.settle(), []);
    });

    it("refuses a SUBSCRIBE, or withholds its SUBACK", async () => {
        const filter = "iot-2/type/+/id/+/cmd/+/fmt/+";
        const remove = add({ fault: "refuseSubscribe", clientId: "g:*" });
        assert.deepEqual(await gateway.subscribe(filter), [128]);
        remove();
        add({ fault: "withholdSuback", times: 1 });
        gateway.send({ cmd: "subscribe", messageId: 900, subscriptions: [{ topic: filter, qos: 1 }] });
        assert.deepEqual(await gateway.settle(), []);
        assert.deepEqual(await gateway.subscribe(filter), [1]);
    });

    it("refuses a CONNECT with any code", async () => {
        add({ fault: "refuseConnect", returnCode: 3, clientId: "*:gw7", times: 1 });
        await assert.rejects(RawClient.connect(platform.port, "g:org:mygw:gw7"), /CONNACK 3/);
        await platform.connect("g:org:mygw:gw7");
    });

    it("closes the connection in place of the answer to its n-th packet", async () => {
        add({ fault: "closeAfter", packets: 3, clientId: "g:org:mygw:gw2", times: 1 });
        const other = await platform.connect("g:org:mygw:gw2");
        await other.subscribe("iot-2/type/mygw/id/gw2/notify");
        other.publishOnly("iot-2/type/mygw/id/gw2/evt/e/fmt/json");
        await other.whenClosed();
        assert.deepEqual(other.received, []);
        const again = await platform.connect("g:org:mygw:gw2");
        await again.subscribe("iot-2/type/mygw/id/gw2/notify");
        await again.publish("iot-2/type/mygw/id/gw2/evt/e/fmt/json");
    });

    it("reads and discards everything, like a dead line, and stays connected", async () => {
        const application = await platform.application();
        await gateway.subscribe("iot-2/type/+/id/+/cmd/+/fmt/+");
        add({ fault: "blackHole", clientId: "g:org:mygw:gw1", times: 1 });
        gateway.publishOnly(event("gone"));
        gateway.send({ cmd: "pingreq" });
        await application.publish("iot-2/type/mygw/id/gw1/cmd/c/fmt/json");
        assert.deepEqual(await application.settle(), []);
        assert.deepEqual([gateway.received, gateway.closed], [[], false]);
    });

    it("sends the stray packet with good publishes", async () => {
        add({ fault: "strayPing", times: 1 });
        await gateway.publish(event("good"));
        assert.deepEqual(await gateway.settle(), [{ cmd: "stray" }]);
    });

    const deviceEvent = (id: string): string => `iot-2/type/sensor/id/${id}/evt/e/fmt/json`;

    it("sends the stray packets of dropped messages as one run behind the PUBACKs of later messages", async () => {
        const clock = new SkippingClock();
        await platform.close();
        platform = await TestPlatform.start({ clock });
        gateway = await platform.connect("g:org:mygw:gw1");
        add({ fault: "delayStrayPings", delayMs: 1_000, clientId: "g:org:mygw:gw1" });
        platform.simulator.organisation("org").backOff({ typeId: "sensor", deviceId: "bad" });
        for (let index = 0; index < 3; index++) {
            await gateway.publish(deviceEvent("bad"));
            await gateway.publish(deviceEvent("good"));
        }
        assert.deepEqual(await gateway.settle(), []);
        clock.skip(1_000);
        assert.deepEqual(await gateway.settle(), [{ cmd: "stray" }, { cmd: "stray" }, { cmd: "stray" }]);
        await gateway.publish(deviceEvent("bad"));
        clock.skip(1_000);
        assert.deepEqual(await gateway.settle(), [{ cmd: "stray" }]);
    });

    it("holds the stray packets of every client back with strayPingDelayMs", async () => {
        const clock = new SkippingClock();
        await platform.close();
        platform = await TestPlatform.start({ clock, strayPingDelayMs: 1_000 });
        gateway = await platform.connect("g:org:mygw:gw1");
        platform.simulator.organisation("org").backOff({ typeId: "sensor", deviceId: "bad" });
        await gateway.publish(deviceEvent("bad"));
        assert.deepEqual(await gateway.settle(), []);
        clock.skip(1_000);
        assert.deepEqual(await gateway.settle(), [{ cmd: "stray" }]);
    });

    it("loses the notification of a refusal", async () => {
        add({ fault: "registration", devices: "sensor/*", rc: 180 });
        add({ fault: "loseNotification", topic: "*/id/lost/*" });
        await gateway.publish(deviceEvent("lost"));
        await gateway.publish(deviceEvent("kept"));
        assert.equal((await nextNotification(gateway)).Id, "kept");
        assert.deepEqual(await gateway.settle(), [{ cmd: "stray" }, { cmd: "stray" }]);
    });

    it("notifies without a Message", async () => {
        add({ fault: "registration", devices: "sensor/*", rc: 180 });
        add({ fault: "notificationWithoutMessage", times: 1 });
        await gateway.publish(deviceEvent("d1"));
        const expected = {
            Request: "Publish",
            Topic: "iot-2/org/type/sensor/id/d1/evt/e/fmt/json",
            Type: "sensor",
            Id: "d1",
            Client: "g:org:mygw:gw1",
            RC: 180,
        };
        assert.deepEqual(await nextNotification(gateway), expected);
        await gateway.publish(deviceEvent("d2"));
        assert.equal((await nextNotification(gateway)).Message, "The operation is not authorized.");
    });

    it("switches all faults off at once", async () => {
        add({ fault: "withholdPuback" });
        add({ fault: "refuseSubscribe" });
        platform.simulator.faults.clear();
        await gateway.publish(event("e"));
        assert.deepEqual(await gateway.subscribe("iot-2/mon"), [1]);
    });
});

describe("quotas and limits as back-pressure", () => {
    let platform: TestPlatform;
    afterEach(() => platform.close());

    for (const quota of [{ messagesPerSecond: 200 }, { bytesPerSecond: 20_000 }]) {
        it(`reads no faster than ${JSON.stringify(quota)}, refuses nothing and keeps the order`, async () => {
            platform = await TestPlatform.start({ quota });
            const [gateway, application] = [await platform.gateway(), await platform.application()];
            const begin = performance.now();
            for (let index = 0; index < 300; index++) gateway.publishOnly(event(`e${index}`), Buffer.alloc(100));
            for (let index = 0; index < 300; index++) assert.equal((await application.message()).topic, event(`e${index}`));
            // The first second's worth, 200 messages, passes at once; the other 100 take half a second.
            assert.ok(performance.now() - begin > 400);
            await gateway.settle();
        });
    }

    it("stops reading a client with too many unacknowledged messages and goes on when one is acknowledged", async () => {
        platform = await TestPlatform.start({ maxUnacknowledged: 3 });
        const gateway = await platform.gateway();
        const other = await platform.gateway("gw2");
        const remove = platform.simulator.faults.add({ fault: "delayPuback", delayMs: 50, clientId: "g:org:mygw:gw1" });
        const slowRead = new Promise<void>((resolve) => {
            platform.simulator.observed.onPacket(({ topic }) => topic === event("slow2") && resolve());
        });
        for (let index = 0; index < 3; index++) gateway.publishOnly(event(`slow${index}`));
        await slowRead;
        remove();
        await other.publish("iot-2/type/mygw/id/gw2/evt/e/fmt/json");
        await gateway.publish(event("after"));
        const acknowledged = gateway.received.filter(({ cmd }) => cmd === "puback");
        assert.ok(acknowledged.length > 0, "an earlier one was acknowledged before the later one was read");
    });

    it("sends a client no more unacknowledged messages than maxInFlight", async () => {
        platform = await TestPlatform.start({ maxInFlight: 2 });
        const [gateway, application] = [await platform.gateway(), await platform.connect("a:org:app")];
        await gateway.subscribe("iot-2/type/+/id/+/cmd/+/fmt/+");
        for (let index = 0; index < 3; index++) await application.publish(`iot-2/type/mygw/id/gw1/cmd/c${index}/fmt/json`);
        assert.equal((await gateway.settle()).length, 2);
        gateway.send({ cmd: "puback", messageId: 1 });
        assert.equal((await gateway.message()).topic, "iot-2/type/mygw/id/gw1/cmd/c2/fmt/json");
    });
});

describe("the record of received packets", () => {
    it("counts packets by client and remembers the latest ones", async () => {
        const platform = await TestPlatform.start({ logSize: 2 });
        const gateway = await platform.connect("g:org:mygw:gw1");
        const heard: string[] = [];
        const stop = platform.simulator.observed.onPacket(({ command }) => heard.push(command));
        await gateway.subscribe(["iot-2/mon", "iot-2/type/+/id/+/notify"]);
        await gateway.publish(event("a"), "12345", 1, { retain: true });
        stop();
        await gateway.unsubscribe("iot-2/mon");
        assert.deepEqual(platform.simulator.observed.counts("g:org:mygw:gw1"), { connect: 1, subscribe: 1, publish: 1, unsubscribe: 1 });
        assert.equal(platform.simulator.observed.total("publish"), 1);
        assert.deepEqual(heard, ["subscribe", "publish"]);
        const [publish, unsubscribe] = platform.simulator.observed.packets();
        assert.deepEqual(
            [publish?.topic, publish?.payload?.toString(), publish?.payloadBytes, publish?.retain, unsubscribe?.filters],
            [event("a"), "12345", 5, true, ["iot-2/mon"]],
        );
        await platform.close();
    });
});
