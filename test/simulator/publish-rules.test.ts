import assert from "node:assert/strict";
import { generate } from "mqtt-packet";
import { nextNotification, nextNotificationText, TestPlatform } from "./support/platform";

const d1 = "iot-2/type/mydevice/id/d1";
const dm = "iotdevice-1/type/mydevice/id/d1";

function refusedText(topic: string, message: string, rc = 276): string {
    return JSON.stringify({ Request: "Publish", Time: "T", Topic: topic, Client: "g:org:mygw:gw1", RC: rc, Message: message });
}

describe("publishing by a gateway", () => {
    let platform: TestPlatform;
    beforeEach(async () => {
        platform = await TestPlatform.start();
    });
    afterEach(() => platform.close());

    const accepted = [
        `${d1}/evt/status/fmt/json`,
        "iot-2/type/mygw/id/gw1/evt/status/fmt/json",
        `${d1}/evt/température 1/fmt/json`,
        `${d1}/evt/😀/fmt/json`,
        `${d1}/evt/a\u007fb/fmt/json`,
        ...["response", "notify", "mgmt/manage", "mgmt/unmanage", "device/update/location"].map((suffix) => `${dm}/${suffix}`),
        ...["add/diag/errorCodes", "add/diag/log", "clear/diag/errorCodes", "clear/diag/log"].map((suffix) => `${dm}/${suffix}`),
    ];
    for (const topic of accepted) {
        it(`accepts ${topic}`, async () => {
            const [gateway, application] = [await platform.gateway(), await platform.application()];
            await gateway.publish(topic, "1");
            if (topic.startsWith("iot-2/")) assert.equal((await application.message()).topic, topic);
            await gateway.publish("marker", "1");
            assert.equal((await nextNotification(gateway)).Topic, "marker");
        });
    }

    const breaksRule = [
        "iot-2/evt/status/fmt/json",
        `/${d1}/evt/status/fmt/json`,
        `${d1}/evt/status/fmt`,
        `${d1}/evt//fmt/json`,
        `${d1}/evt/status/fmt/`,
        `${d1}/evt/status/fmt/json/`,
        "iot-2/type//id/d1/evt/s/fmt/json",
        "IOT-2/type/mydevice/id/d1/evt/s/fmt/json",
        "foo/bar",
        `${d1}/cmd/x/fmt/json`,
        `${d1}/notify`,
        "iot-2/type/mygw/id/gw1/notify",
        ...["response/", "mgmt/manage/", "mgmt/initiate/device/reboot", "device/update", ""].map((suffix) => `${dm}/${suffix}`),
        "iotdevice-1/response",
        "iotdevice-1/mgmt/unmanage",
        "iotdm-1/type/mydevice/id/d1/response",
    ];
    const illegal = [`${d1}/evt/a+b/fmt/json`, `${d1}/evt/a#b/fmt/json`, `${d1}/evt/#`, "iot-2/type/mydevice/id/+/evt/s/fmt/json"];
    const cases = [
        ...breaksRule.map((topic) => ({ topic, shown: topic, reason: "The topic does not match an authorized rule" })),
        ...illegal.map((topic) => ({ topic, shown: topic, reason: "The topic contains characters which are not allowed" })),
        {
            topic: `${d1}/evt/a\u0007b/fmt/json`,
            shown: `${d1}/evt/a?b/fmt/json`,
            reason: "The topic contains characters which are not allowed",
        },
        { topic: `${d1}/evt/a\u0000b/fmt/json`, shown: `${d1}/evt/a`, reason: "The topic contains characters which are not allowed" },
        {
            topic: `${d1}/evt/a\uffffb/fmt/json`,
            shown: `${d1}/evt/a\uffffb/fmt/json`,
            reason: "The topic contains characters which are not allowed",
        },
        { topic: `${d1}/evt/a\ufffdb/fmt/json`, shown: `${d1}/evt/a\ufffdb/fmt/json`, reason: "The topic is not valid Unicode" },
    ];
    for (const { topic, shown, reason } of cases) {
        it(`acknowledges, drops and notifies ${JSON.stringify(topic)}`, async () => {
            const [gateway, application] = [await platform.gateway(), await platform.application()];
            await gateway.publish(topic, "1");
            assert.equal(await nextNotificationText(gateway), refusedText(shown, `The topic is not valid: ${shown} ${reason}`));
            await gateway.publish(`${d1}/evt/after/fmt/json`, "1");
            assert.equal((await application.message()).topic, `${d1}/evt/after/fmt/json`);
            assert.deepEqual(await gateway.settle(), [], "no stray packet for a broken rule");
        });
    }

    it("notifies a system topic with 289", async () => {
        const gateway = await platform.gateway();
        await gateway.publish("$SYS/foo");
        const message = "The topic cannot be used because it is a system topic: $SYS/foo A system topic is not allowed";
        assert.equal(await nextNotificationText(gateway), refusedText("$SYS/foo", message, 289));
    });

    for (const qos of [0, 2] as const) {
        it(`keeps the connection and notifies a bad topic of QoS ${qos}`, async () => {
            const gateway = await platform.gateway();
            await gateway.publish("foo/bar", "1", qos);
            assert.equal((await nextNotification(gateway)).RC, 276);
        });
    }

    it("sends the acknowledgement before the notification, which has QoS 0 and is not retained", async () => {
        const gateway = await platform.gateway();
        gateway.publishOnly("foo/bar");
        await gateway.until(() => gateway.received.length === 2);
        const [first, second] = gateway.received;
        assert.equal(first?.cmd, "puback");
        assert.ok(second?.cmd === "publish");
        assert.deepEqual([second.topic, second.qos, second.retain], ["iot-2/type/mygw/id/gw1/notify", 0, false]);
    });

    it("sends a notification once for each matching filter", async () => {
        const gateway = await platform.gateway();
        await gateway.subscribe("iot-2/type/+/id/+/notify", 0);
        await gateway.publish("foo/bar");
        await nextNotification(gateway);
        await nextNotification(gateway);
        await gateway.publish("foo/baz");
        assert.equal((await nextNotification(gateway)).Topic, "foo/baz");
    });

    it("closes the connection at an empty topic, without a notification", async () => {
        const gateway = await platform.gateway();
        gateway.sendBytes(Buffer.from([0x30, 0x02, 0x00, 0x00]));
        await gateway.whenClosed();
        assert.deepEqual(gateway.received, []);
    });

    for (const [clientId, good] of [
        ["a:org:bad", `${d1}/cmd/x/fmt/json`],
        ["d:org:mydevice:d9", "iot-2/evt/x/fmt/json"],
    ] as const) {
        it(`disconnects ${clientId} at a bad topic, without a notification`, async () => {
            const client = await platform.connect(clientId);
            await client.publish(good);
            client.publishOnly("foo/bar");
            await client.whenClosed();
            assert.deepEqual(client.received, []);
        });
    }
});

describe("size, retain flag and QoS of messages", () => {
    let platform: TestPlatform;
    beforeEach(async () => {
        platform = await TestPlatform.start();
    });
    afterEach(() => platform.close());

    const topicOf = (bytes: number): string => {
        const [start, end] = ["iot-2/type/mygw/id/gw1/evt/", "/fmt/json"];
        return `${start}${"e".repeat(bytes - start.length - end.length)}${end}`;
    };
    for (const [topicBytes, payloadBytes, passes] of [
        [60, 131072, true],
        [60, 131073, false],
        [60, 400_000, false],
        [338, 130_934, true],
        [338, 130_935, false],
    ] as const) {
        it(`${passes ? "accepts" : "closes the connection at"} ${payloadBytes} bytes with a topic of ${topicBytes}`, async () => {
            const gateway = await platform.gateway();
            gateway.publishOnly(topicOf(topicBytes), Buffer.alloc(payloadBytes));
            if (passes) await gateway.next((packet) => packet.cmd === "puback");
            else await gateway.whenClosed();
            assert.deepEqual(gateway.received, []);
        });
    }

    it("clears the retain flag and retains nothing", async () => {
        const [gateway, application] = [await platform.gateway(), await platform.application()];
        await gateway.publish(`${d1}/evt/s/fmt/json`, "1", 1, { retain: true });
        assert.equal((await application.message()).retain, false);
        const later = await platform.connect("a:org:later");
        await later.subscribe("iot-2/type/+/id/+/evt/+/fmt/+");
        assert.deepEqual(await later.settle(), []);
    });

    for (const qos of [0, 1] as const) {
        it(`delivers a publish of QoS ${qos} that is followed by DISCONNECT in the same segment`, async () => {
            const [gateway, application] = [await platform.gateway(), await platform.application()];
            const publish = {
                topic: "iot-2/type/mygw/id/gw1/evt/last/fmt/json",
                payload: "1",
                qos,
                messageId: 1,
                dup: false,
                retain: false,
            };
            gateway.sendBytes(Buffer.concat([generate({ cmd: "publish", ...publish }), generate({ cmd: "disconnect" })]));
            assert.equal((await application.message()).topic, "iot-2/type/mygw/id/gw1/evt/last/fmt/json");
        });
    }

    for (const qos of [0, 1, 2] as const) {
        it(`carries QoS ${qos} from the gateway to the application and back`, async () => {
            const gateway = await platform.gateway();
            const application = await platform.connect("a:org:app");
            await application.subscribe("iot-2/type/+/id/+/evt/+/fmt/+", 2);
            await gateway.subscribe("iot-2/type/+/id/+/cmd/+/fmt/+", 2);
            await gateway.publish("iot-2/type/mygw/id/gw1/evt/e/fmt/bin", Buffer.from([0, 255]), qos);
            const event = await application.message();
            assert.deepEqual([event.qos, event.payload], [qos, Buffer.from([0, 255])]);
            await application.publish("iot-2/type/mygw/id/gw1/cmd/c/fmt/bin", "x", qos);
            const command = await gateway.message();
            assert.deepEqual([command.qos, command.topic], [qos, "iot-2/type/mygw/id/gw1/cmd/c/fmt/bin"]);
        });
    }

    it("delivers a QoS 2 message once although the client repeats it", async () => {
        const [gateway, application] = [await platform.gateway(), await platform.application()];
        const topic = "iot-2/type/mygw/id/gw1/evt/e/fmt/json";
        const messageId = gateway.publishOnly(topic, "1", 2);
        await gateway.next((packet) => packet.cmd === "pubrec");
        gateway.send({ cmd: "publish", topic, payload: "1", qos: 2, messageId, dup: true, retain: false });
        await gateway.next((packet) => packet.cmd === "pubrec");
        gateway.send({ cmd: "pubrel", messageId });
        await gateway.next((packet) => packet.cmd === "pubcomp");
        await gateway.publish(topic, "2", 1);
        assert.equal((await application.message()).payload.toString(), "1");
        assert.equal((await application.message()).payload.toString(), "2");
    });
});
