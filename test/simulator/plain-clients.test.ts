import assert from "node:assert/strict";
import { acquireSimulator } from "../../src/simulator/shared";
import { freePortPair } from "../support/ports";
import { TestPlatform } from "./support/platform";
import { RawClient } from "./support/raw-client";

describe("a client whose id names no class of the platform", () => {
    let platform: TestPlatform;
    afterEach(() => platform.close());

    it("is refused with CONNACK 5 by default", async () => {
        platform = await TestPlatform.start();
        await assert.rejects(platform.connect("my-gateway"), /CONNACK 5/);
    });

    describe("with the option plain", () => {
        beforeEach(async () => {
            platform = await TestPlatform.start({ plain: true });
        });

        it("publishes and subscribes on any topic, with every QoS", async () => {
            const [publisher, subscriber] = [await platform.connect("my-gateway"), await platform.connect("nodered_1")];
            assert.deepEqual(await subscriber.subscribe(["site/+/temperature", "#"], 2), [2, 2]);
            for (const qos of [0, 1, 2] as const) {
                await publisher.publish("site/boiler/temperature", String(qos), qos);
                const message = await subscriber.message();
                assert.deepEqual([message.topic, message.payload.toString(), message.qos], ["site/boiler/temperature", String(qos), qos]);
                if (qos === 2) subscriber.send({ cmd: "pubrec", messageId: message.messageId ?? 0 });
            }
            await subscriber.next(({ cmd }) => cmd === "pubrel");
            assert.deepEqual(await subscriber.settle(), [], "one copy each, although two filters match");
        });

        it("needs no registration, gets no notification and has no limit of subscriptions", async () => {
            const client = await platform.connect("my-gateway");
            for (let index = 0; index < 60; index++) await client.subscribe(`filter/${index}`);
            await client.subscribe("iot-2/type/gw/id/my-gateway/notify");
            platform.simulator.faults.add({ fault: "registration", devices: "*", never: true });
            await client.publish("iot-2/type/sensor/id/s1/evt/e/fmt/json");
            await client.publish("foo");
            assert.deepEqual(await client.settle(), []);
        });

        it("shares no topic with an organisation", async () => {
            const client = await platform.connect("my-gateway");
            await client.subscribe("#");
            const application = await platform.application();
            const gateway = await platform.gateway();
            await gateway.publish("iot-2/type/mygw/id/gw1/evt/e/fmt/json", "from the gateway");
            await client.publish("iot-2/type/mygw/id/gw1/evt/e/fmt/json", "from the client");
            assert.equal((await application.message()).payload.toString(), "from the gateway");
            assert.equal((await client.message()).payload.toString(), "from the client");
            assert.deepEqual([await application.settle(), await client.settle()], [[], []]);
        });

        it("retains messages until an empty one", async () => {
            const client = await platform.connect("my-gateway");
            await client.subscribe("state/+");
            await client.publish("state/pump", "on", 1, { retain: true });
            assert.equal((await client.message()).retain, false);
            const later = await platform.connect("nodered_1");
            await later.subscribe("state/#");
            const retained = await later.message();
            assert.deepEqual([retained.topic, retained.payload.toString(), retained.retain], ["state/pump", "on", true]);
            await client.publish("state/pump", "", 1, { retain: true });
            const last = await platform.connect("nodered_2");
            await last.subscribe("state/#");
            assert.deepEqual(await last.settle(), []);
        });

        it("publishes its will, retained if it says so", async () => {
            const will = { topic: "state/gateway", payload: Buffer.from("offline"), qos: 1, retain: true } as const;
            const client = await platform.connect("my-gateway", { will });
            client.destroy();
            await client.whenClosed();
            const later = await platform.connect("nodered_1");
            await later.subscribe("state/gateway");
            assert.equal((await later.message()).payload.toString(), "offline");
        });

        it("has a durable session", async () => {
            const client = await platform.connect("my-gateway", { clean: false });
            await client.subscribe("commands/+");
            client.destroy();
            await client.whenClosed();
            const other = await platform.connect("nodered_1");
            await other.publish("commands/start");
            const again = await platform.connect("my-gateway", { clean: false });
            assert.equal((await again.message()).topic, "commands/start");
        });

        for (const filter of ["a#", "a/#/b", "+a", "$share/g/a", "$SYS/#"]) {
            it(`is refused the filter ${filter} with 0x80, and no other of the same packet`, async () => {
                const client = await platform.connect("my-gateway");
                assert.deepEqual(await client.subscribe([filter, "/+/a//#"]), [128, 1]);
            });
        }

        for (const topic of ["a/+", "#", "$SYS/uptime"]) {
            it(`is disconnected when it publishes on ${topic}`, async () => {
                const client = await platform.connect("my-gateway");
                client.publishOnly(topic);
                await client.whenClosed();
            });
        }

        it("may have an empty client id, unless its session is to be durable", async () => {
            const clients = [await platform.connect(""), await platform.connect("")];
            for (const client of clients) assert.deepEqual(await client.settle(), []);
            const durable = await platform.open();
            durable.sendBytes(Buffer.from([0x10, 12, 0, 4, ...Buffer.from("MQTT"), 4, 0, 0, 0, 0, 0]));
            const connack = await durable.next(({ cmd }) => cmd === "connack");
            assert.equal(connack.cmd === "connack" && connack.returnCode, 2);
        });

        it("leaves the rules of the platform's own clients as they are", async () => {
            await assert.rejects(platform.connect("g:org:mygw"), /CONNACK 5/);
            const gateway = await platform.gateway();
            assert.deepEqual(await gateway.subscribe("foo"), [128]);
        });
    });

    it("must give the token, with any user name", async () => {
        platform = await TestPlatform.start({ plain: true, token: "s3cret" });
        await assert.rejects(platform.connect("my-gateway"), /CONNACK 5/);
        await platform.connect("my-gateway", { username: "me", password: Buffer.from("s3cret") });
    });

    it("is admitted by the simulator inside Node-RED", async () => {
        platform = await TestPlatform.start();
        const port = await freePortPair();
        const lease = await acquireSimulator(port);
        const client = await RawClient.connect(port, "my-gateway");
        await client.publish("foo");
        client.destroy();
        await lease.release();
    });
});
