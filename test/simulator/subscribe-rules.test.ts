import assert from "node:assert/strict";
import { nextNotification, nextNotificationText, TestPlatform } from "./support/platform";

const d1 = "iot-2/type/mydevice/id/d1";

function refusedText(topic: string, reason: string, request = "Subscribe"): string {
    const Message = `The topic is not valid: ${topic} ${reason}`;
    return JSON.stringify({ Request: request, Time: "T", Topic: topic, Client: "g:org:mygw:gw2", RC: 276, Message });
}

describe("SUBSCRIBE of a gateway", () => {
    let platform: TestPlatform;
    beforeEach(async () => {
        platform = await TestPlatform.start();
    });
    afterEach(() => platform.close());

    const granted = [
        "iot-2/type/mygw/id/gw2/cmd/+/fmt/+",
        "iot-2/type/+/id/+/cmd/+/fmt/+",
        `${d1}/cmd/reboot/fmt/json`,
        "iot-2/type/+/id/+/notify",
        `${d1}/notify`,
        "iot-2/type/+/id/+/response",
        "iot-2/mon",
        ...[
            "#",
            "+",
            "type/+/id/+/#",
            "type/T/id/D/#",
            "type/T/id/D/response/",
            "type/T/id/D/response/+",
            "type/#",
            "foo/bar",
            "response",
            "",
        ].map((rest) => `iotdm-1/${rest}`),
    ];
    for (const filter of granted) {
        it(`grants ${filter} with the QoS that was asked for`, async () => {
            const gateway = await platform.gateway("gw2");
            for (const qos of [0, 1, 2] as const) assert.deepEqual(await gateway.subscribe(filter, qos), [qos]);
            await gateway.publish("marker");
            assert.equal((await nextNotification(gateway)).Topic, "marker");
        });
    }

    const breaksRule = [
        `${d1}/cmd/#`,
        `${d1}/cmd/+/fmt/#`,
        "iot-2/#",
        "#",
        "+/+",
        "iot-2/cmd/+/fmt/+",
        `${d1}/cmd/+/fmt/+/`,
        `${d1}/cmd/+/fmt`,
        `${d1}/cmd/+`,
        `${d1}/evt/+/fmt/+`,
        "iot-2/type/+/id/+/mon",
        "iot-2/notify",
        `${d1}/notify/`,
        "iotdm-1",
        "iotdevice-1/type/mydevice/id/d1/response",
        "foo",
        "$share/s1/iot-2/type/+/id/+/cmd/+/fmt/+",
    ].map((filter) => ({ filter, reason: "The topic does not match an authorized rule" }));
    const partial = ["iot-2/type/mydevice/id/dev+/cmd/+/fmt/+", `${d1}/cmd/a#b/fmt/+`, "iotdm-1/type/mydevice/id/d+/#"].map((filter) => ({
        filter,
        reason: "The topic contains a wildcard which is not valid",
    }));
    const shared = { filter: "$SharedSubscription/s1/iot-2/type/+/id/+/cmd/+/fmt/+", reason: "The shared topic is not authorized" };
    for (const { filter, reason } of [...breaksRule, ...partial, shared]) {
        it(`refuses ${filter} with 0x80 and a notification`, async () => {
            const gateway = await platform.gateway("gw2");
            assert.deepEqual(await gateway.subscribe(filter), [128]);
            assert.equal(await nextNotificationText(gateway), refusedText(filter, reason));
            assert.deepEqual(await gateway.settle(), []);
        });
    }

    it("notifies a system filter with 289", async () => {
        const gateway = await platform.gateway("gw2");
        assert.deepEqual(await gateway.subscribe("$SYS/#"), [128]);
        const { RC, Message } = await nextNotification(gateway);
        assert.deepEqual(
            [RC, Message],
            [289, "The topic cannot be used because it is a system topic: $SYS/# A system topic is not allowed"],
        );
    });

    const [good, good2, bad, bad2] = [`${d1}/cmd/a/fmt/+`, `${d1}/cmd/b/fmt/+`, "foo/a", "foo/b"];
    for (const [filters, codes, notified] of [
        [[good, good2], [1, 1], []],
        [[good, bad], [128, 128], [bad]],
        [[bad, good], [128, 128], [bad]],
        [
            [good, bad, bad2, good2],
            [128, 128, 128, 128],
            [bad, bad2],
        ],
    ] as const) {
        it(`answers [${filters.join(", ")}] in one packet with [${codes.join(", ")}]`, async () => {
            const [gateway, application] = [await platform.gateway("gw2"), await platform.connect("a:org:app")];
            assert.deepEqual(await gateway.subscribe([...filters]), [...codes]);
            for (const topic of notified) assert.equal((await nextNotification(gateway)).Topic, topic);
            await application.publish(`${d1}/cmd/a/fmt/json`);
            const received = (await gateway.settle()).filter((packet) => packet.cmd === "publish");
            assert.equal(received.length, notified.length === 0 ? 1 : 0);
        });
    }

    it("shows a refused filter as granted to MQTT 3.1, with the notification", async () => {
        const gateway = await platform.gateway("gw2", { protocolId: "MQIsdp", protocolVersion: 3 });
        assert.deepEqual(await gateway.subscribe([bad, good]), [0, 0]);
        assert.equal((await nextNotification(gateway)).Topic, bad);
    });

    for (const [what, bytes] of [
        ["an empty filter", [0x82, 0x05, 0x00, 0x01, 0x00, 0x00, 0x01]],
        ["no filter at all", [0x82, 0x02, 0x00, 0x01]],
        ["QoS 3", [0x82, 0x06, 0x00, 0x01, 0x00, 0x01, 0x61, 0x03]],
    ] as const) {
        it(`closes the connection at ${what}, without a notification`, async () => {
            const gateway = await platform.gateway("gw2");
            gateway.sendBytes(Buffer.from(bytes));
            await gateway.whenClosed();
            assert.deepEqual(gateway.received, []);
        });
    }

    it("closes the connection at the 51st subscription", async () => {
        const gateway = await platform.gateway("gw2");
        for (let count = 2; count <= 50; count++) assert.deepEqual(await gateway.subscribe(`iot-2/type/+/id/+/cmd/c${count}/fmt/+`), [1]);
        gateway.send({ cmd: "subscribe", messageId: 999, subscriptions: [{ topic: "iot-2/type/+/id/+/cmd/c51/fmt/+", qos: 1 }] });
        await gateway.whenClosed();
        assert.deepEqual(gateway.received, []);
    });

    it("always acknowledges UNSUBSCRIBE and notifies a filter that breaks the rules", async () => {
        const gateway = await platform.gateway("gw2");
        await gateway.unsubscribe("never/subscribed");
        assert.equal(
            await nextNotificationText(gateway),
            refusedText("never/subscribed", "The topic does not match an authorized rule", "Unsubscribe"),
        );
        await gateway.unsubscribe(`${d1}/cmd/never/fmt/+`);
        assert.deepEqual(await gateway.settle(), []);
    });

    for (const [clientId, bad] of [
        ["a:org:bad", "iot-2/#"],
        ["d:org:mydevice:d9", "iot-2/type/+/id/+/cmd/+/fmt/+"],
    ] as const) {
        it(`disconnects ${clientId} at a bad filter`, async () => {
            const client = await platform.connect(clientId);
            client.send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: bad, qos: 1 }] });
            await client.whenClosed();
            assert.deepEqual(client.received, []);
        });
    }
});

describe("the messages that a filter delivers", () => {
    let platform: TestPlatform;
    afterEach(() => platform.close());

    const suffixes = ["response", "response/", "response/x", "observe", "device/update", "mgmt/initiate/device/reboot", "mgmt/custom/b/a"];
    for (const [filter, expected] of [
        ["iotdm-1/#", suffixes],
        ["iotdm-1/type/+/id/+/#", suffixes],
        ["iotdm-1/type/#", suffixes],
        ["iotdm-1/type/mydevice/id/d1/#", suffixes],
        ["iotdm-1/type/mydevice/#", suffixes],
        ["iotdm-1/type/mydevice/id/d1/+", ["response", "observe"]],
        ["iotdm-1/type/mydevice/id/d1/response", ["response"]],
        ["iotdm-1/type/mydevice/id/d1/response/", ["response/"]],
        ["iotdm-1/type/mydevice/id/d1/response/+", ["response/", "response/x"]],
        ["iotdm-1/+", []],
        ["iotdm-1/response", []],
        ["iotdm-1/foo/bar", []],
    ] as const) {
        it(`${filter} receives ${expected.length === 0 ? "nothing" : expected.join(", ")}`, async () => {
            platform = await TestPlatform.start();
            const gateway = await platform.gateway();
            assert.deepEqual(await gateway.subscribe(filter), [1]);
            const prefix = "iotdm-1/type/mydevice/id/d1/";
            for (const suffix of suffixes) platform.simulator.publish("org", `${prefix}${suffix}`, "{}", 0);
            const received = (await gateway.settle()).flatMap((packet) =>
                packet.cmd === "publish" ? packet.topic.slice(prefix.length) : [],
            );
            assert.deepEqual(received, [...expected]);
        });
    }

    for (const copyPerFilter of [true, false]) {
        it(`a message that two filters match arrives ${copyPerFilter ? "twice" : "once, with the higher QoS, when so configured"}`, async () => {
            platform = await TestPlatform.start({ copyPerFilter });
            const [gateway, application] = [await platform.gateway(), await platform.connect("a:org:app")];
            await gateway.subscribe("iot-2/type/+/id/+/cmd/+/fmt/+", 0);
            await gateway.subscribe("iot-2/type/mygw/id/gw1/cmd/+/fmt/+", 1);
            await application.publish("iot-2/type/mygw/id/gw1/cmd/c/fmt/json");
            const qos = (await gateway.settle()).flatMap((packet) => (packet.cmd === "publish" ? packet.qos : []));
            assert.deepEqual(qos.sort(), copyPerFilter ? [0, 1] : [1]);
        });
    }

    it("stay within their organisation", async () => {
        platform = await TestPlatform.start();
        const [gateway, foreign] = [await platform.gateway(), await platform.connect("a:other:app")];
        await foreign.subscribe("iot-2/type/+/id/+/evt/+/fmt/+");
        await gateway.publish("iot-2/type/mygw/id/gw1/evt/e/fmt/json");
        assert.deepEqual(await foreign.settle(), []);
    });

    it("a device that connects without a gateway uses short topics", async () => {
        platform = await TestPlatform.start();
        const application = await platform.application();
        const device = await platform.connect("d:org:mydevice:d1");
        await device.subscribe("iot-2/cmd/+/fmt/+");
        await device.subscribe("iotdm-1/#");
        await device.publish("iot-2/evt/e/fmt/json");
        assert.equal((await application.message()).topic, `${d1}/evt/e/fmt/json`);
        await application.publish(`${d1}/cmd/c/fmt/json`);
        await application.publish("iot-2/type/mydevice/id/d2/cmd/c/fmt/json");
        assert.equal((await device.message()).topic, "iot-2/cmd/c/fmt/json");
        platform.simulator.publish("org", "iotdm-1/type/mydevice/id/d1/response", "{}");
        assert.equal((await device.message()).topic, "iotdm-1/response");
    });

    it("report each connect, disconnect and refusal on the mon topics", async () => {
        platform = await TestPlatform.start();
        const application = await platform.application("iot-2/type/+/id/+/mon");
        const gateway = await platform.connect("g:org:mygw:gw1");
        const connect: Record<string, unknown> = JSON.parse((await application.message()).payload.toString());
        assert.deepEqual([connect.Action, connect.ClientID, connect.Protocol], ["Connect", "g:org:mygw:gw1", "mqtt4"]);
        gateway.destroy();
        const ended: Record<string, unknown> = JSON.parse((await application.message()).payload.toString());
        assert.deepEqual([ended.Action, ended.CloseCode], ["Disconnect", 91]);
        platform.simulator.organisation("org").registry.setRights("mygw", "gw1", { token: "other" });
        await assert.rejects(platform.connect("g:org:mygw:gw1"));
        const failed: Record<string, unknown> = JSON.parse((await application.message()).payload.toString());
        assert.deepEqual([failed.Action, failed.CloseCode], ["FailedConnect", 180]);
    });
});
