import assert from "node:assert/strict";
import { connectAsync, type MqttClient } from "mqtt";
import helper from "node-red-node-test-helper";
import {
    commandNode,
    eventNode,
    gatewayNode,
    Inbox,
    load,
    node,
    observers,
    responderNode,
    withRuntime,
} from "../support/drivers/flow-runner";
import { Mosquitto, passwordFile } from "../support/drivers/mosquitto";
import { memberOf } from "../support/records";
import { secretToken } from "../support/secrets";
import { waitFor } from "../support/wait-for";

/** The same three nodes on a broker that knows nothing of the platform: a gateway is a plain MQTT 3.1.1 client there. */
describe("the nodes on Mosquitto", () => {
    let broker: Mosquitto;
    let application: MqttClient;
    let received: { topic: string; payload: string; qos: number; retain: boolean }[] = [];
    withRuntime();

    before(async () => {
        broker = await Mosquitto.start({
            general: ["allow_anonymous false", "password_file {dir}/passwords"],
            files: { passwords: passwordFile({ "use-token-auth": secretToken, application: "application" }) },
        });
        application = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { username: "application", password: "application" });
        application.on("message", (topic, payload, { qos, retain }) => received.push({ topic, payload: payload.toString(), qos, retain }));
        await application.subscribeAsync(["iot-2/#", "iotdevice-1/#"], { qos: 2 });
    });

    after(async () => {
        await application?.endAsync();
        await broker?.stop();
    });

    beforeEach(async () => {
        received = [];
        const subscribed = broker.count(/Sending SUBACK to g:org:gw:gw1/);
        await load([gatewayNode(broker.port), eventNode({ qos: "" }), commandNode(), ...observers], { gateway: { token: secretToken } });
        await broker.logged(/Sending SUBACK to g:org:gw:gw1/, subscribed + 2);
    });

    it("publishes events of every QoS with the gateway's identity and token", async () => {
        const completed = new Inbox("completed");
        node("event").receive({ typeId: "pump", deviceId: "p1", payload: { n: 1 }, qos: 1 });
        await completed.count(1);
        node("event").receive({ typeId: "pump", deviceId: "p1", payload: { n: 2 }, qos: 2 });
        await completed.count(2);
        node("event").receive({ typeId: "pump", deviceId: "p1", payload: { n: 0 }, qos: 0 });
        await waitFor(() => received.length === 3, "three events");
        const topic = "iot-2/type/pump/id/p1/evt/status/fmt/json";
        assert.deepEqual(received, [
            { topic, payload: '{"n":1}', qos: 1, retain: false },
            { topic, payload: '{"n":2}', qos: 2, retain: false },
            { topic, payload: '{"n":0}', qos: 0, retain: false },
        ]);
        await broker.logged(/as g:org:gw:gw1 .*u'use-token-auth'/);
    });

    it("marks a retained device management request, because it arrives with each subscription, however old it is", async () => {
        const topic = "iotdm-1/type/gw/id/gw1/mgmt/initiate/device/reboot";
        await application.publishAsync(topic, '{"reqId":"r1"}', { qos: 1, retain: true });
        try {
            await helper.unload();
            await load([gatewayNode(broker.port), responderNode({ manage: false }), ...observers]);
            const requests = new Inbox("requests");
            const { dm } = await requests.next();
            assert.deepEqual(dm, { action: "device/reboot", typeId: "gw", deviceId: "gw1", reqId: "r1", replayed: true });
            await application.publishAsync(topic, '{"reqId":"r2"}', { qos: 1 });
            const [, next] = await requests.count(2);
            assert.equal(memberOf(next?.dm, "replayed"), undefined, "one that is sent now is not old");
            await helper.unload();

            await load([gatewayNode(broker.port), responderNode({ manage: false, replayed: "refuse" }), ...observers]);
            await waitFor(
                () => received.some((message) => message.topic.endsWith("/response") && message.payload.includes('"rc":500')),
                "the refusal",
            );
        } finally {
            await application.publishAsync(topic, "", { qos: 1, retain: true });
        }
    });

    it("receives commands, and ignores messages on other topics", async () => {
        const commands = new Inbox("commands");
        await application.publishAsync("iot-2/type/pump/id/p1/cmd/a/b/fmt/json", "{}", { qos: 1 });
        await application.publishAsync("iot-2/type/pump/id/p1/cmd/setSpeed/fmt/json", '{"speed":5}', { qos: 1 });
        const { typeId, deviceId, commandId, payload } = await commands.next();
        assert.deepEqual([typeId, deviceId, commandId, payload], ["pump", "p1", "setSpeed", { speed: 5 }]);
        assert.equal(commands.messages.length, 1);
    });
});
