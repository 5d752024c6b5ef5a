import assert from "node:assert/strict";
import { once } from "node:events";
import { connect as dial } from "node:net";
import type { Duplex } from "node:stream";
import fc from "fast-check";
import { ErrorWithReasonCode, type IClientOptions, type IConnackPacket, type IPublishPacket, MqttClient } from "mqtt";
import { generate, type Packet, parser } from "mqtt-packet";
import {
    acceptAndClose,
    acceptLate,
    answerBytes,
    answerCode,
    BrokerScript,
    close,
    matchesFilter,
    neverAnswer,
    type ReceivedPacket,
} from "../../support/doubles/broker-script";
import { FakeClock } from "../../support/doubles/fake-clock";
import { ListeningBroker } from "../../support/doubles/listening-broker";
import { ScriptedBroker } from "../../support/doubles/scripted-broker";
import { streamPair } from "../../support/doubles/stream-pair";
import { waitFor } from "../../support/wait-for";

/** A PUBLISH as a client sends it. */
function publish(topic: string, { qos = 1, payload = "{}", messageId = 1, dup = false }: Partial<IPublishPacket> = {}): IPublishPacket {
    return { cmd: "publish", topic, payload, qos, messageId, dup, retain: false };
}

function received(packet: Packet, connection = 1, bytes = 10): ReceivedPacket {
    return { packet, bytes, connection, timeMs: 0 };
}

describe("a broker script", () => {
    it("accepts every packet that no rule matches", () => {
        assert.deepEqual(new BrokerScript().decide(received(publish("a"))), { answer: "good" });
    });

    it("decides by the first rule that matches", () => {
        const script = new BrokerScript([
            { cmd: "publish", topic: "a/+", reaction: close },
            { cmd: "publish", topic: "#", reaction: neverAnswer },
        ]);
        assert.equal(script.decide(received(publish("a/b"))), close);
        assert.equal(script.decide(received(publish("a/b/c"))), neverAnswer);
    });

    it("matches by topic, filter, QoS, size, connection and condition", () => {
        const subscribe: Packet = { cmd: "subscribe", messageId: 1, subscriptions: [{ topic: "f/#", qos: 1 }] };
        const unsubscribe: Packet = { cmd: "unsubscribe", messageId: 1, unsubscriptions: ["f/#"] };
        const cases: [rule: object, packet: ReceivedPacket, other: ReceivedPacket][] = [
            [{ cmd: "publish", topic: "t/#" }, received(publish("t/a")), received(publish("u/a"))],
            [{ cmd: "publish", qos: 2 }, received(publish("t", { qos: 2 })), received(publish("t"))],
            [{ cmd: "publish", minBytes: 100 }, received(publish("t"), 1, 100), received(publish("t"), 1, 99)],
            [{ cmd: "publish", connection: 2 }, received(publish("t"), 2), received(publish("t"), 1)],
            [
                { cmd: "publish", when: ({ packet }: ReceivedPacket) => packet.cmd === "publish" && packet.dup },
                received(publish("t", { dup: true })),
                received(publish("t")),
            ],
            [{ cmd: "subscribe", filter: "f/#", qos: 1 }, received(subscribe), received({ ...subscribe, subscriptions: [] })],
            [{ cmd: "unsubscribe", filter: "f/#" }, received(unsubscribe), received({ ...unsubscribe, unsubscriptions: ["f/+"] })],
        ];
        for (const [rule, matching, other] of cases) {
            const script = new BrokerScript([{ cmd: "publish", ...rule, reaction: close }]);
            assert.equal(script.decide(matching), close, JSON.stringify(rule));
            assert.notEqual(script.decide(other), close, JSON.stringify(rule));
        }
    });

    it("applies a rule to the nth packet that matches, or to a number of them", () => {
        const script = new BrokerScript([{ cmd: "publish", topic: "t", skip: 2, times: 2, reaction: close }]);
        const decisions = Array.from({ length: 6 }, () => {
            script.decide(received(publish("other")));
            return script.decide(received(publish("t"))) === close;
        });
        assert.deepEqual(decisions, [false, false, true, true, false, false]);
    });

    it("forgets a rule that is removed", () => {
        const script = new BrokerScript();
        const remove = script.add({ cmd: "publish", reaction: close });
        remove();
        remove();
        assert.notEqual(script.decide(received(publish("t"))), close);
    });

    it("takes a function for the reaction", () => {
        const script = new BrokerScript([{ cmd: "publish", reaction: ({ bytes }) => (bytes > 50 ? close : neverAnswer) }]);
        assert.equal(script.decide(received(publish("t"), 1, 51)), close);
        assert.equal(script.decide(received(publish("t"), 1, 50)), neverAnswer);
    });

    it("matches topics and filters as MQTT does", () => {
        for (const [topic, filter, expected] of [
            ["a/b", "a/b", true],
            ["a/b", "a/+", true],
            ["a/b", "+/+", true],
            ["a/b", "+", false],
            ["a/b", "#", true],
            ["a", "a/#", true],
            ["a/", "a/+", true],
            ["a", "a/+", false],
            ["ab", "a/#", false],
            ["$SYS/x", "#", false],
            ["$SYS/x", "+/x", false],
            ["$SYS/x", "$SYS/#", true],
        ] as const) {
            assert.equal(matchesFilter(topic, filter), expected, `${topic} ${filter}`);
        }
    });
});

describe("a scripted broker for MQTT.js over TCP", () => {
    let broker: ListeningBroker;
    const clients: MqttClient[] = [];

    beforeEach(async () => {
        broker = await ListeningBroker.start();
    });

    afterEach(async () => {
        for (const client of clients.splice(0)) client.end(true);
        await broker.stop();
    });

    function open(options: IClientOptions = {}): MqttClient {
        const client = new MqttClient(() => dial(broker.port, "127.0.0.1"), { clientId: "c1", reconnectPeriod: 0, ...options });
        client.on("error", () => undefined);
        clients.push(client);
        return client;
    }

    async function connected(options?: IClientOptions): Promise<MqttClient> {
        const client = open(options);
        await accepted(client);
        return client;
    }

    const accepted = (client: MqttClient) => new Promise<IConnackPacket>((resolve) => client.once("connect", resolve));
    const closed = (client: MqttClient) => new Promise<void>((resolve) => client.once("close", resolve));

    it("takes publishes of each QoS in order and records them with connection, size and time", async () => {
        const client = await connected();
        for (const qos of [0, 1, 2] as const) await client.publishAsync("t/a", `payload ${qos}`, { qos });
        await waitFor(() => broker.count("pubrel") === 1, "the PUBREL");
        assert.deepEqual(
            broker.taken.map(({ topic, payload, qos }) => [topic, String(payload), qos]),
            [
                ["t/a", "payload 0", 0],
                ["t/a", "payload 1", 1],
                ["t/a", "payload 2", 2],
            ],
        );
        assert.deepEqual(
            broker.received.map(({ packet: { cmd }, connection }) => `${cmd} ${connection}`),
            ["connect 1", "publish 1", "publish 1", "publish 1", "pubrel 1"],
        );
        const [, qos0, qos1] = broker.received;
        assert.equal(qos0?.bytes, generate(publish("t/a", { qos: 0, payload: "payload 0" })).length);
        assert.equal(qos1?.bytes, generate(publish("t/a", { payload: "payload 1" })).length);
        const times = broker.received.map(({ timeMs }) => timeMs);
        assert.deepEqual(
            times,
            [...times].sort((a, b) => a - b),
        );
    });

    it("measures packets whose length takes several bytes", async () => {
        const client = await connected();
        for (const size of [100, 120, 16_370, 2_097_150]) {
            const payload = Buffer.alloc(size);
            await client.publishAsync("t/a", payload, { qos: 1 });
            assert.equal(broker.received.at(-1)?.bytes, generate(publish("t/a", { payload })).length);
        }
    });

    it("withholds the acknowledgement of one topic", async () => {
        broker.script.add({ cmd: "publish", topic: "silent", reaction: neverAnswer });
        const client = await connected();
        let isAnswered = false;
        client.publish("silent", "1", { qos: 1 }, () => {
            isAnswered = true;
        });
        await client.publishAsync("other", "2", { qos: 1 });
        await client.publishAsync("other", "3", { qos: 2 });
        assert.equal(isAnswered, false);
        assert.deepEqual(
            broker.taken.map(({ topic }) => topic),
            ["other", "other"],
        );
    });

    it("acknowledges and closes", async () => {
        broker.script.add({ cmd: "publish", topic: "denied", reaction: acceptAndClose });
        const client = await connected();
        const end = closed(client);
        await client.publishAsync("denied", "1", { qos: 1 });
        await end;
        assert.deepEqual(broker.taken, []);
    });

    it("closes without an answer, and ignores what came with it", async () => {
        broker.script.add({ cmd: "publish", minBytes: 1000, reaction: close });
        const client = await connected();
        client.stream.cork();
        client.publish("t", Buffer.alloc(1000), { qos: 1 });
        client.publish("t", "small", { qos: 1 });
        client.stream.uncork();
        await closed(client);
        assert.equal(broker.count("publish"), 1);
        assert.deepEqual(broker.connections, []);
    });

    it("refuses a connection with a return code and closes it", async () => {
        broker.script.add({ cmd: "connect", times: 1, reaction: answerCode(5) });
        const client = open();
        const end = closed(client);
        const error = await new Promise<unknown>((resolve) => client.once("error", resolve));
        assert.ok(error instanceof ErrorWithReasonCode);
        assert.equal(error.code, 5);
        await end;
        await connected();
    });

    it("refuses one filter with a return code and grants another", async () => {
        broker.script.add({ cmd: "subscribe", filter: "denied/#", reaction: answerCode(0x80) });
        const client = await connected();
        await assert.rejects(client.subscribeAsync("denied/#"), /Unspecified error|128/);
        assert.deepEqual(await client.subscribeAsync("granted/#", { qos: 1 }), [{ topic: "granted/#", qos: 1 }]);
        assert.deepEqual([...(broker.session("c1")?.subscriptions ?? [])], [["granted/#", 1]]);
    });

    it("answers a ping, an unsubscription and a disconnection", async () => {
        const client = await connected({ keepalive: 60 });
        await client.subscribeAsync("t");
        await client.unsubscribeAsync("t");
        client.sendPing();
        await waitFor(() => broker.count("pingreq") === 1, "the PINGREQ");
        await client.endAsync();
        assert.equal(broker.session("c1"), undefined);
        await waitFor(() => broker.connections.length === 0, "the end of the connection");
    });

    it("sends messages with QoS, RETAIN and DUP to those that subscribed, at most with the QoS that was granted", async () => {
        const client = await connected();
        const messages: IPublishPacket[] = [];
        client.on("message", (_topic, _payload, packet) => messages.push(packet));
        await client.subscribeAsync({ "a/#": { qos: 2 }, "b/+": { qos: 1 } });
        broker.publish("a/1", "0", { qos: 0, retain: true });
        broker.publish("a/1", "1", { qos: 1, dup: true });
        broker.publish("b/1", "2", { qos: 2 });
        broker.publish("c", "not asked for", { qos: 2 });
        broker.publish("a/1", "3", { qos: 2 });
        await waitFor(() => messages.length === 4, "four messages");
        assert.deepEqual(
            messages.map(({ payload, qos, retain, dup }) => [String(payload), qos, retain, dup]),
            [
                ["0", 0, true, false],
                ["1", 1, false, true],
                ["2", 1, false, false],
                ["3", 2, false, false],
            ],
        );
        await waitFor(() => broker.session("c1")?.outstanding === 0, "the acknowledgements");
    });

    it("keeps a durable session and sends again, with DUP and in order, what was not acknowledged", async () => {
        const durable = { clean: false, resubscribe: false };
        const first = await connected(durable);
        await first.subscribeAsync("t", { qos: 1 });
        first.handleMessage = () => undefined;
        broker.publish("t", "1", { qos: 1 });
        await waitFor(() => broker.session("c1")?.outstanding === 1, "a message on its way");
        first.end(true);
        await waitFor(() => broker.connections.length === 0, "the end of the connection");
        broker.publish("t", "2", { qos: 1 });
        broker.publish("t", "lost", { qos: 0 });

        const second = open(durable);
        const messages: IPublishPacket[] = [];
        second.on("message", (_topic, _payload, packet) => messages.push(packet));
        const { sessionPresent } = await accepted(second);
        assert.equal(sessionPresent, true);
        await waitFor(() => messages.length === 2, "both messages");
        assert.deepEqual(
            messages.map(({ payload, dup }) => [String(payload), dup]),
            [
                ["1", true],
                ["2", true],
            ],
        );
        await waitFor(() => broker.session("c1")?.outstanding === 0, "the acknowledgements");
    });

    it("has no session for a clean client, nor after it has forgotten them", async () => {
        const present = async (clean: boolean) => {
            const client = open({ clean, resubscribe: false });
            const { sessionPresent } = await accepted(client);
            await client.endAsync();
            return sessionPresent;
        };
        assert.deepEqual(
            [await present(false), await present(false), await present(true), await present(false)],
            [false, true, false, false],
        );
        assert.equal(await present(false), true);
        broker.forgetSessions();
        assert.equal(await present(false), false);
    });

    it("takes a QoS 2 publish once, although it is sent twice with one id", async () => {
        const client = await connected();
        for (const dup of [false, true]) client.stream.write(generate(publish("t", { qos: 2, messageId: 9, dup })));
        await waitFor(() => broker.count("publish") === 2, "both packets");
        assert.equal(broker.taken.length, 1);
        client.stream.write(generate({ cmd: "pubrel", messageId: 9 }));
        client.stream.write(generate(publish("t", { qos: 2, messageId: 9 })));
        await waitFor(() => broker.taken.length === 2, "the next publish under the id");
    });

    it("ends the first connection of a client id when a second one comes", async () => {
        const first = await connected();
        const end = closed(first);
        await connected();
        await end;
        assert.equal(broker.connections.length, 1);
        assert.equal(broker.connectionCount, 2);
    });

    it("closes a connection on which it cannot read a packet", async () => {
        const client = await connected();
        const end = closed(client);
        client.stream.write(Buffer.of(0x36, 0x07, 0, 3, 0x61, 0x2f, 0x62, 0, 1));
        await end;
    });
});

describe("a scripted broker over streams in memory", () => {
    /** A client that writes packets and notes those it receives. */
    class PacketClient {
        readonly received: Packet[] = [];
        readonly stream: Duplex;

        constructor(stream: Duplex) {
            this.stream = stream;
            const packets = parser();
            packets.on("packet", (packet) => this.received.push(packet));
            stream.on("data", (chunk: Buffer) => packets.parse(chunk));
        }

        async send(...sent: Packet[]): Promise<void> {
            this.stream.write(Buffer.concat(sent.map((packet) => generate(packet))));
            await settle();
        }
    }

    const settle = () => new Promise((resolve) => setImmediate(resolve));
    const connect: Packet = { cmd: "connect", clientId: "c1", protocolId: "MQTT", protocolVersion: 4, clean: true, keepalive: 0 };

    function attached(options?: ConstructorParameters<typeof ScriptedBroker>[0]) {
        const broker = new ScriptedBroker(options);
        const [near, far] = streamPair();
        broker.attach(far);
        return { broker, client: new PacketClient(near) };
    }

    it("answers late by its clock, and answers later packets meanwhile", async () => {
        const clock = new FakeClock();
        const { client } = attached({ clock, rules: [{ cmd: "publish", topic: "late", reaction: acceptLate(60_000) }] });
        await client.send(connect, publish("late", { messageId: 1 }), publish("t", { messageId: 2 }));
        const acknowledged = () => client.received.flatMap(({ cmd, messageId }) => (cmd === "puback" ? [messageId] : []));
        assert.deepEqual(acknowledged(), [2]);
        clock.advance(59_999);
        await settle();
        assert.deepEqual(acknowledged(), [2]);
        clock.advance(1);
        await settle();
        assert.deepEqual(acknowledged(), [2, 1]);
    });

    it("closes a while after the acknowledgement", async () => {
        const clock = new FakeClock();
        const { broker, client } = attached({ clock, rules: [{ cmd: "publish", reaction: { answer: "good", closeAfterMs: 1000 } }] });
        await client.send(connect, publish("t"));
        assert.equal(client.received.at(-1)?.cmd, "puback");
        clock.advance(999);
        assert.equal(broker.connections.length, 1);
        clock.advance(1);
        assert.equal(broker.connections.length, 0);
    });

    it("sends bytes as they are", async () => {
        const bytes = Buffer.of(0xd0, 0);
        const { client } = attached({ rules: [{ cmd: "publish", reaction: answerBytes(bytes) }] });
        await client.send(connect, publish("t"));
        assert.deepEqual(
            client.received.map(({ cmd }) => cmd),
            ["connack", "pingresp"],
        );
    });

    it("ends the stream of the client when it closes", async () => {
        const { broker, client } = attached({ rules: [{ cmd: "publish", reaction: acceptAndClose }] });
        const end = once(client.stream, "end");
        await client.send(connect, publish("t"), publish("t"));
        await end;
        assert.deepEqual(
            client.received.map(({ cmd }) => cmd),
            ["connack", "puback"],
        );
        assert.equal(broker.count("publish"), 1);
    });

    it("ends the stream of the client when it closes without an answer", async () => {
        const { broker, client } = attached();
        const end = once(client.stream, "end");
        await client.send(connect);
        broker.disconnectAll();
        await end;
    });

    it("decides the same for the same packets", async () => {
        const reaction = fc.constantFrom(acceptAndClose, close, neverAnswer, acceptLate(5));
        const rule = fc.record({
            cmd: fc.constant("publish" as const),
            topic: fc.constantFrom("a", "b", "#"),
            skip: fc.nat(2),
            times: fc.nat(2),
            reaction,
        });
        const topics = fc.array(fc.constantFrom("a", "b", "c"), { maxLength: 20 });
        await fc.assert(
            fc.asyncProperty(fc.array(rule, { maxLength: 4 }), topics, async (rules, sent) => {
                const run = async () => {
                    const clock = new FakeClock();
                    const { broker, client } = attached({ clock, rules });
                    await client.send(connect, ...sent.map((topic, index) => publish(topic, { messageId: index + 1 })));
                    clock.advance(10);
                    await settle();
                    return { reactions: broker.received.map((each) => each.reaction), answers: client.received };
                };
                assert.deepEqual(await run(), await run());
            }),
            { numRuns: 50 },
        );
    });
});
