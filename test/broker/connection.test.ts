import assert from "node:assert/strict";
import { generate } from "mqtt-packet";
import type { ConnectionOptions } from "../../src/connection/gateway-connection";
import { rejectsCode } from "../support/assertions";
import { answerBytes } from "../support/doubles/broker-script";
import { FastClock } from "../support/doubles/fast-clock";
import { ListeningBroker } from "../support/doubles/listening-broker";
import { Connections } from "../support/drivers/connections";
import { Mosquitto, passwordFile } from "../support/drivers/mosquitto";
import { testPacket } from "../support/packets";
import { waitFor } from "../support/wait-for";

describe("connection to a broker", () => {
    let broker: Mosquitto;
    const connections = new Connections();
    const online = (deviceId: string, options: Partial<ConnectionOptions> = {}) =>
        connections.online(deviceId, { port: broker.port, ...options });

    before(async () => {
        broker = await Mosquitto.start();
    });
    afterEach(() => connections.close());
    after(() => broker.stop());

    it("carries thousands of events and messages of each QoS exactly once", async () => {
        const receiver = await online("receiver");
        const sender = await online("sender");
        for (const qos of [0, 1, 2] as const) {
            assert.equal(await receiver.connection.subscribe(`evt/${qos}/+`, qos), qos);
            let settled = 0;
            for (let i = 0; i < 1_000; i++) {
                sender.connection.publish(testPacket(`evt/${qos}/${i}`, qos), `payload ${i} €`, (error) => {
                    if (!error) settled++;
                });
            }
            await waitFor(() => settled === 1_000, "all acknowledgements");
            await waitFor(() => receiver.recorder.messages.length >= 1_000, "all messages");
            assert.deepEqual(
                receiver.recorder.topics,
                Array.from({ length: 1_000 }, (_, i) => `evt/${qos}/${i}`),
            );
            assert.deepEqual(receiver.recorder.messages[7]?.payload.toString(), "payload 7 €");
            assert.equal(receiver.recorder.messages[7]?.qos, qos);
            receiver.recorder.messages.length = 0;
        }
    });

    it("passes payloads of every size unchanged", async () => {
        const { connection, recorder } = await online("sizes");
        await connection.subscribe("bytes", 1);
        const sizes = [0, 1, 127, 128, 16_383, 16_384, 65_536, 131_072];
        for (const size of sizes) connection.publish(testPacket("bytes", 1), Buffer.alloc(size, size % 251), () => {});
        await waitFor(() => recorder.messages.length === sizes.length, "all messages");
        for (const [i, size] of sizes.entries()) assert.deepEqual(recorder.messages[i]?.payload, Buffer.alloc(size, size % 251));
    });

    it("acknowledges a message only when the flow has it, and receives it again if the link ends before", async () => {
        const first = await online("durable", { cleanSession: false });
        await first.connection.subscribe("cmd", 1);
        first.recorder.holding = true;
        const sender = await online("commander");
        sender.connection.publish(testPacket("cmd", 1), "reboot", () => {});
        await waitFor(() => first.recorder.messages.length === 1, "the message");
        assert.equal(broker.count(/Received PUBACK from g:org:gw:durable/), 0);
        await first.connection.stop(1_000);

        const second = await online("durable", { cleanSession: false });
        await waitFor(() => second.recorder.messages.length === 1, "the message again");
        await broker.logged(/Received PUBACK from g:org:gw:durable/);
        assert.deepEqual(second.connection.state, { phase: "online", sessionPresent: true });
        await second.connection.unsubscribe("cmd");
    });

    it("delivers a message that arrives in one chunk with the CONNACK, after it reports that it is online", async () => {
        const message = { cmd: "publish", topic: "cmd", payload: "go", qos: 1, messageId: 7, dup: false, retain: false } as const;
        const piece = Buffer.concat([generate({ cmd: "connack", returnCode: 0, sessionPresent: true }), generate(message)]);
        const server = await ListeningBroker.start({ rules: [{ cmd: "connect", reaction: answerBytes(piece) }] });
        try {
            const { recorder } = connections.open("piece", { port: server.port, cleanSession: false });
            await waitFor(() => server.count("puback") === 1, "the acknowledgement");
            assert.deepEqual(recorder.phases, ["connecting", "online"]);
            assert.deepEqual(recorder.topics, ["cmd"]);
            assert.equal(server.received.at(-1)?.packet.messageId, 7);
        } finally {
            await connections.close();
            await server.stop();
        }
    });

    it("ends with a DISCONNECT, so that the broker does not publish the last will", async () => {
        const watcher = await online("watcher");
        await watcher.connection.subscribe("will/+", 0);
        const will = (name: string) => ({ will: { topic: `will/${name}`, payload: "offline", qos: 1 } as const });
        const polite = await online("polite", will("polite"));
        await polite.connection.stop(1_000);
        const replaced = await online("abrupt", will("abrupt"));
        await online("abrupt");
        await waitFor(() => watcher.recorder.messages.length > 0, "the other's will");
        await replaced.connection.stop(1_000);
        assert.deepEqual(watcher.recorder.topics, ["will/abrupt"]);
    });

    it("reports a wrong token, and connects automatically once the broker accepts it", async () => {
        const strict = await Mosquitto.start({
            general: ["allow_anonymous false", "password_file {dir}/passwords"],
            files: { passwords: passwordFile({ "use-token-auth": "another" }) },
        });
        try {
            const clock = new FastClock(40);
            const startMs = clock.monotonicMs();
            const { connection, recorder } = connections.open("token", {
                port: strict.port,
                userName: "use-token-auth",
                password: "r1ght",
                clock,
            });
            await waitFor(() => connection.state.phase === "waiting", "the refusal");
            assert.equal(recorder.lastReason?.code, "GW_AUTH");
            assert.doesNotMatch(recorder.lastReason?.text ?? "", /r1ght/);
            await rejectsCode("GW_NOT_CONNECTED", connection.subscribe("a", 1));
            strict.reload({ passwords: passwordFile({ "use-token-auth": "r1ght" }) });
            await waitFor(() => connection.isOnline, "the connection");
            assert.ok(clock.monotonicMs() - startMs >= 60_000);
        } finally {
            await connections.close();
            await strict.stop();
        }
    });
});
