import assert from "node:assert/strict";
import type { SimulatorOptions } from "../../src/simulator/simulator";
import { nextNotification, nextNotificationText, TestPlatform } from "./support/platform";
import type { RawClient } from "./support/raw-client";

const event = (id: string, type = "autotype"): string => `iot-2/type/${type}/id/${id}/evt/e/fmt/json`;
const commands = (id: string): string => `iot-2/type/autotype/id/${id}/cmd/+/fmt/+`;

const messages: Readonly<Record<number, string>> = {
    100: "System error",
    173: "Too many active devices",
    177: "Failed to create device.",
    180: "The operation is not authorized.",
};

function refusedText(request: string, topic: string, id: string, rc: number): string {
    const fields = {
        Request: request,
        Time: "T",
        Topic: topic,
        Type: "autotype",
        Id: id,
        Client: "g:org:mygw:gw1",
        RC: rc,
        Message: messages[rc],
    };
    return JSON.stringify(fields);
}

describe("the check of a new device with the registry", () => {
    let platform: TestPlatform;
    let gateway: RawClient;
    afterEach(() => platform.close());

    async function start(options: SimulatorOptions = {}): Promise<void> {
        const rules = [
            { devices: "*/deny*", rc: 180 },
            { devices: "*/full*", rc: 173 },
            { devices: "*/fail*", rc: 177 },
            { devices: "*/syse*", rc: 100 },
            { devices: "*/slow*", delayMs: 40 },
            { devices: "*/hang*", never: true },
        ];
        const { registration, ...rest } = options;
        platform = await TestPlatform.start({ ...rest, registration: { delayMs: 0, rules, ...registration } });
        gateway = await platform.gateway();
    }

    const registry = () => platform.simulator.organisation("org").registry;

    it("creates type and device, delivers the message and acknowledges it, without a notification", async () => {
        await start();
        const application = await platform.application();
        await gateway.publish(event("ok1"));
        assert.equal((await application.message()).topic, event("ok1"));
        assert.equal(registry().device("autotype", "ok1")?.createdBy, "g:org:mygw:gw1");
        assert.ok(registry().types.includes("autotype"));
        assert.deepEqual(await gateway.settle(), []);
    });

    for (const [id, rc] of [
        ["deny1", 180],
        ["full1", 173],
        ["fail1", 177],
        ["syse1", 100],
    ] as const) {
        it(`a registry answer ${rc} is acknowledged, notified once with the organisation in the topic, then silent`, async () => {
            await start();
            await gateway.publish(event(id));
            await gateway.next((packet) => packet.cmd === "stray");
            const topic = `iot-2/org/type/autotype/id/${id}/evt/e/fmt/json`;
            assert.equal(await nextNotificationText(gateway), refusedText("Publish", topic, id, rc));
            assert.equal(registry().device("autotype", id), undefined);
            await gateway.publish(event(id));
            await gateway.next((packet) => packet.cmd === "stray");
            await gateway.publish("marker");
            assert.equal((await nextNotification(gateway)).Topic, "marker");
            assert.deepEqual(await gateway.settle(), []);
        });
    }

    for (const qos of [0, 2] as const) {
        it(`refuses QoS ${qos} with the stray packet and the notification as well`, async () => {
            await start();
            await gateway.publish(event("deny1"), "1", qos);
            await gateway.next((packet) => packet.cmd === "stray");
            assert.equal((await nextNotification(gateway)).RC, 180);
        });
    }

    it("sends no stray packet with strayPing off", async () => {
        await start({ strayPing: false });
        await gateway.publish(event("deny1"));
        await nextNotification(gateway);
        assert.deepEqual(await gateway.settle(), []);
    });

    it("refuses device-management topics of a refused device", async () => {
        await start();
        await gateway.publish("iotdevice-1/type/autotype/id/denyU/mgmt/manage");
        const topic = "iotdevice-1/org/type/autotype/id/denyU/mgmt/manage";
        assert.equal(await nextNotificationText(gateway), refusedText("Publish", topic, "denyU", 180));
    });

    it("refuses a single concrete filter with 0x80 and a notification, and in the back-off with 0x80 alone", async () => {
        await start();
        assert.deepEqual(await gateway.subscribe(commands("denyS")), [128]);
        await gateway.next((packet) => packet.cmd === "stray");
        const topic = "iot-2/org/type/autotype/id/denyS/cmd/+/fmt/+";
        assert.equal(await nextNotificationText(gateway), refusedText("Subscribe", topic, "denyS", 180));
        assert.deepEqual(await gateway.subscribe(commands("denyS")), [128]);
        await gateway.publish("marker");
        assert.equal((await nextNotification(gateway)).Topic, "marker");
        assert.deepEqual(await gateway.settle(), []);
        assert.deepEqual(await gateway.subscribe(commands("ok1")), [1]);
        assert.ok(registry().device("autotype", "ok1"));
    });

    it("does not ask the registry for two filters in one packet or for wildcards", async () => {
        await start();
        assert.deepEqual(await gateway.subscribe([commands("denyA"), commands("denyB")]), [1, 1]);
        assert.deepEqual(await gateway.subscribe("iot-2/type/denytype/id/+/cmd/+/fmt/+"), [1]);
        assert.deepEqual(await gateway.settle(), []);
        assert.equal(registry().device("autotype", "denyA"), undefined);
    });

    const longId = "x".repeat(37);
    for (const [type, id] of [
        ["my type", "d1"],
        ["mydevice", "d:1"],
        ["mydevice", longId],
        [longId, "d1"],
        ["mydevice", "capteur-é"],
    ] as const) {
        it(`refuses the illegal ids ${type}/${id} once with Type and Id, then silently`, async () => {
            await start();
            await gateway.publish(event(id, type));
            await gateway.next((packet) => packet.cmd === "stray");
            const expected = {
                Request: "Publish",
                Time: "T",
                Topic: `iot-2/org/type/${type}/id/${id}/evt/e/fmt/json`,
                Type: type,
                Id: id,
                Client: "g:org:mygw:gw1",
                RC: 276,
                Message: "The topic is not valid.",
            };
            assert.equal(await nextNotificationText(gateway), JSON.stringify(expected));
            await gateway.publish(event(id, type));
            const [stray, ...rest] = await gateway.settle();
            assert.deepEqual([stray?.cmd, rest.length], ["stray", 0]);
        });
    }

    it("shares the back-off among gateways and across reconnects, without another notification", async () => {
        await start();
        await gateway.publish(event("fail1"));
        await nextNotification(gateway);
        const other = await platform.gateway("gw2");
        await other.publish(event("fail1"));
        const [stray, ...rest] = await other.settle();
        assert.deepEqual([stray?.cmd, rest.length], ["stray", 0]);
        gateway.disconnect();
        await gateway.whenClosed();
        const again = await platform.gateway();
        await again.publish(event("fail1"));
        await again.next((packet) => packet.cmd === "stray");
        await again.publish("marker");
        assert.equal((await nextNotification(again)).Topic, "marker");
    });

    it("asks the registry again when the back-off is over", async () => {
        await start({ registration: { backoffMs: 1 } });
        const remove = platform.simulator.faults.add({ fault: "registration", devices: "*/flaky", rc: 177 });
        await gateway.publish(event("flaky"));
        assert.equal((await nextNotification(gateway)).RC, 177);
        remove();
        platform.simulator.organisation("org").forgetChecks({ typeId: "autotype", deviceId: "flaky" });
        const application = await platform.application();
        await gateway.publish(event("flaky"));
        assert.equal((await application.message()).topic, event("flaky"));
    });

    it("withholds the acknowledgement until the registry answers, keeps the order and does not delay other devices", async () => {
        await start();
        const application = await platform.application();
        const slow = [gateway.publishOnly(event("slow1"), "1"), gateway.publishOnly(event("slow1"), "2")];
        const quick = gateway.publishOnly(event("quick"), "3");
        const order: unknown[] = [];
        for (let count = 0; count < 3; count++) order.push((await gateway.next((packet) => packet.cmd === "puback")).messageId);
        assert.deepEqual(order, [quick, ...slow]);
        const payloads = [await application.message(), await application.message(), await application.message()];
        assert.deepEqual(
            payloads.map(({ payload }) => payload.toString()),
            ["3", "1", "2"],
        );
    });

    it("notifies once when several messages waited for a refusal, and acknowledges all of them", async () => {
        await start({ registration: { rules: [{ devices: "*/late*", rc: 177, delayMs: 20 }] } });
        for (let count = 0; count < 3; count++) gateway.publishOnly(event("late1"));
        for (let count = 0; count < 3; count++) await gateway.next((packet) => packet.cmd === "puback");
        assert.equal((await nextNotification(gateway)).RC, 177);
        await gateway.publish("marker");
        assert.equal((await nextNotification(gateway)).Topic, "marker");
    });

    it("withholds the SUBACK while the registration is pending", async () => {
        await start();
        gateway.publishOnly(event("slow1"), "1");
        gateway.send({ cmd: "subscribe", messageId: 500, subscriptions: [{ topic: commands("slow1"), qos: 1 }] });
        await gateway.next((packet) => packet.cmd === "puback");
        await gateway.next((packet) => packet.cmd === "suback");
    });

    it("never acknowledges while the registry never answers, not even after a reconnect", async () => {
        await start();
        gateway.publishOnly(event("hang1"));
        await gateway.publish(event("ok1"));
        gateway.destroy();
        await gateway.whenClosed();
        const again = await platform.gateway();
        again.publishOnly(event("hang1"));
        await again.publish(event("ok1"));
        assert.deepEqual(await again.settle(), []);
    });

    it("refuses each new device beyond ten pending ones with 173, healthy ones too, and leaves known ones alone", async () => {
        await start();
        await gateway.publish(event("known"));
        for (let index = 0; index < 10; index++) gateway.publishOnly(event(`hang${index}`));
        await gateway.publish(event("healthy"));
        const expected = refusedText("Publish", "iot-2/org/type/autotype/id/healthy/evt/e/fmt/json", "healthy", 173);
        assert.equal(await nextNotificationText(gateway), expected);
        await gateway.settle();
        await gateway.publish(event("known"));
        assert.deepEqual(await gateway.settle(), []);
        const other = await platform.gateway("gw2");
        await other.publish(event("healthy"));
        assert.equal((await other.settle())[0]?.cmd, "stray", "the healthy device is in back-off for all");
        await other.publish(event("free"));
        assert.deepEqual(await other.settle(), [], "the pending ones count for their own connection only");
    });

    it("checks 500 devices per connection, the gateway included, and starts again with the next connection", async () => {
        await start({ registration: { maxPending: 1000 } });
        for (let index = 1; index <= 499; index++) gateway.publishOnly(event(`n${index}`));
        for (let index = 1; index <= 499; index++) await gateway.next((packet) => packet.cmd === "puback");
        assert.deepEqual(await gateway.settle(), []);
        await gateway.publish(event("n500"));
        assert.equal((await nextNotification(gateway)).RC, 173);
        const again = await platform.gateway();
        for (let index = 1; index <= 499; index++) again.publishOnly(event(`n${index}`));
        for (let index = 1; index <= 499; index++) await again.next((packet) => packet.cmd === "puback");
        await again.publish(event("n501"));
        assert.deepEqual(await again.settle(), []);
    });

    it("does not count refused devices towards the 500 of a connection", async () => {
        await start({ registration: { maxPerConnection: 3 } });
        for (let index = 0; index < 5; index++) await gateway.publish(event(`deny${index}`));
        await gateway.publish(event("n1"));
        await gateway.publish(event("n2"));
        for (let index = 0; index < 5; index++) assert.equal((await nextNotification(gateway)).RC, 180);
        await gateway.publish(event("n3"));
        assert.equal((await nextNotification(gateway)).RC, 173);
    });

    it("limits the devices of a gateway with 173 and those of an organisation with 177", async () => {
        await start({ registration: { maxDevicesPerGateway: 1, maxDevices: 4 } });
        await gateway.publish(event("one"));
        await gateway.publish(event("two"));
        assert.equal((await nextNotification(gateway)).RC, 173);
        const other = await platform.gateway("gw2");
        await other.publish(event("three"));
        const third = await platform.gateway("gw3");
        await third.publish(event("four"));
        assert.equal((await nextNotification(third)).RC, 177);
    });

    it("admits only registered devices of a standard gateway", async () => {
        await start();
        registry().setRights("mygw", "gw1", { role: "standard" });
        registry().register("autotype", "there");
        const standard = await platform.gateway();
        await standard.publish(event("there"));
        assert.deepEqual(await standard.settle(), []);
        await standard.publish(event("new"));
        const topic = "iot-2/org/type/autotype/id/new/evt/e/fmt/json";
        assert.equal(await nextNotificationText(standard), refusedText("Publish", topic, "new", 180));
    });

    it("refuses a disabled device with 180, even if it was accepted before", async () => {
        await start();
        await gateway.publish(event("d1"));
        platform.simulator.organisation("org").setDisabled("autotype", "d1", true);
        await gateway.publish(event("d1"));
        assert.equal((await nextNotification(gateway)).RC, 180);
    });

    it("delivers what was pending after DISCONNECT, and loses it when the line drops", async () => {
        await start();
        const application = await platform.application();
        const dropped = await platform.gateway("gw2");
        dropped.publishOnly(event("slowA"), "lost");
        await dropped.settle();
        dropped.destroy();
        await dropped.whenClosed();
        gateway.publishOnly(event("slowB"), "kept");
        gateway.disconnect();
        assert.equal((await application.message()).payload.toString(), "kept");
    });
});
