import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { connectAsync, type MqttClient } from "mqtt";
import { Mosquitto } from "../support/drivers/mosquitto";
import { NodeRedProcess } from "../support/drivers/node-red-process";
import { requireRecord } from "../support/records";
import { waitFor } from "../support/wait-for";

const messages = 200;

/** The example as a user deploys it, with one Mosquitto for the field and for the platform. */
function example(port: number): Record<string, unknown>[] {
    const stored: unknown = JSON.parse(readFileSync("examples/13 One of several processes.json", "utf8"));
    assert.ok(Array.isArray(stored));
    return stored.map(requireRecord).map((node) => {
        if (node.type === "tab") return { ...node, disabled: false };
        if (node.type === "mqtt-broker") return { ...node, port: String(port) };
        if (node.type === "gateway-config") return { ...node, platform: "broker", transport: "tcp", port: String(port), tls: "" };
        return node;
    });
}

describe("example 13: two processes behind a shared subscription", function () {
    this.timeout(90_000);
    let broker: Mosquitto;
    let application: MqttClient;
    let processes: NodeRedProcess[] = [];

    before(async () => {
        broker = await Mosquitto.start();
        application = await connectAsync(`mqtt://127.0.0.1:${broker.port}`, { clientId: "a:demo:test" });
        processes = await Promise.all([1, 2].map((number) => startProcess(number)));
        await broker.logged(/Sending SUBACK to field-/, 2);
        await broker.logged(/Sending SUBACK to g:/, 2);
    });

    after(async () => {
        await Promise.all(processes.map((each) => each.stop()));
        await application?.endAsync();
        await broker?.stop();
    });

    async function startProcess(number: number): Promise<NodeRedProcess> {
        const nodeRed = await NodeRedProcess.start("node-red", {
            env: {
                FIELD_BROKER_HOST: "127.0.0.1",
                FIELD_CLIENT_ID: `field-${number}`,
                SITE_GATEWAY_ID: `gateway-${number}`,
                MAXIMO_HOST: "127.0.0.1",
                MAXIMO_WORKSPACE: "site",
                MAXIMO_GATEWAY_TYPE: "gateway",
            },
        });
        await nodeRed.deploy(example(broker.port));
        return nodeRed;
    }

    it("each message from the field becomes one event of the device in its topic, and both processes take a share", async () => {
        const events: string[] = [];
        application.on("message", (topic, payload) => events.push(`${topic} ${payload}`));
        await application.subscribeAsync("iot-2/#", { qos: 1 });
        const wanted: string[] = [];
        for (let n = 0; n < messages; n++) {
            await application.publishAsync(`field/meter/meter-${n % 10}`, JSON.stringify({ n }), { qos: 1 });
            wanted.push(`iot-2/type/meter/id/meter-${n % 10}/evt/status/fmt/json {"n":${n}}`);
        }
        await waitFor(() => events.length >= messages, `${messages} events`);
        const withoutTime = events.map((event) => event.replace(/,"timestamp":"[^"]+"/, ""));
        assert.deepEqual(withoutTime.sort(), wanted.sort());
        for (const number of [1, 2]) {
            const sent = broker.count(new RegExp(`Received PUBLISH from g:site:gateway:gateway-${number} `));
            assert.equal(sent, messages / 2, `gateway-${number}`);
        }
    });
});
