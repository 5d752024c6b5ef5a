import assert from "node:assert/strict";
import { generate } from "mqtt-packet";
import type { ReceivedMessage } from "../../../src/connection/link";
import { mqttTransportFactory } from "../../../src/connection/mqtt-transport";
import type { Transport, TransportEnd, TransportFactory } from "../../../src/connection/transport";
import type { Qos } from "../../../src/protocol/qos";
import { ScriptedBroker } from "../../support/doubles/scripted-broker";
import { streamPair } from "../../support/doubles/stream-pair";
import { waitFor } from "../../support/wait-for";

/** A client of a scripted broker, both in memory. */
class Client {
    readonly broker = new ScriptedBroker();
    readonly messages: ReceivedMessage[] = [];
    readonly accepts: (() => void)[] = [];
    readonly ends: TransportEnd[] = [];
    readonly settled: string[] = [];
    acceptsAtOnce = true;
    /** The broker takes nothing more from this connection. */
    stopReading: () => void = () => undefined;
    transport!: Transport;
    readonly #open: TransportFactory = mqttTransportFactory(
        () => 0,
        () => {
            const [stream, other] = streamPair();
            this.broker.attach(other);
            this.stopReading = () => other.pause();
            return { stream, stage: "open", certificate: undefined, ownCertificate: undefined, proxy: undefined };
        },
    );

    async connect(cleanSession: boolean): Promise<void> {
        let isOnline = false;
        this.transport = this.#open(
            { host: "broker.test", port: 1883, transport: "tcp", clientId: "c", keepAliveS: 60, cleanSession },
            { connected: () => (isOnline = true), pinged: () => undefined, ended: (end) => this.ends.push(end) },
            {
                messageReceived: (message, accepted) => {
                    this.messages.push(message);
                    if (this.acceptsAtOnce) accepted();
                    else this.accepts.push(accepted);
                },
                strayPing: assert.fail,
                drained: () => undefined,
            },
        );
        await waitFor(() => isOnline, "the connection");
    }

    async subscribe(filter: string, qos: Qos): Promise<void> {
        await new Promise((resolve) => this.transport.subscribe(filter, qos, resolve));
    }

    async ended(): Promise<void> {
        await waitFor(() => this.ends.length > 0, "the end of the connection");
    }

    /** How many messages of the client's session the broker still keeps. */
    get outstanding(): number {
        return this.broker.session("c")?.outstanding ?? 0;
    }
}

const turn = () => new Promise((resolve) => setImmediate(resolve));

describe("MQTT transport", () => {
    it("reads on while messages are not accepted, and acknowledges each once, in the order in which they came", async () => {
        const client = new Client();
        await client.connect(true);
        await client.subscribe("t", 2);
        client.acceptsAtOnce = false;
        for (const qos of [1, 2, 1, 0] as const) client.broker.publish("t", `${qos}`, { qos });
        await waitFor(() => client.messages.length === 4, "every message");
        const [first, ...others] = client.accepts;
        for (const accept of [...others, ...others]) accept();
        for (let i = 0; i < 20; i++) await turn();
        assert.deepEqual([client.broker.count("puback"), client.broker.count("pubrec")], [0, 0]);
        first?.();
        await waitFor(() => client.outstanding === 0, "the acknowledgements");
        assert.deepEqual(
            client.broker.received.map(({ packet }) => packet.cmd).filter((cmd) => cmd === "puback" || cmd === "pubrec"),
            ["puback", "pubrec", "puback"],
        );
    });

    it("hands over nothing while reading is held, reads nothing behind it, and goes on in order", async () => {
        const client = new Client();
        await client.connect(true);
        await client.subscribe("t", 1);
        client.transport.holdReading(true);
        assert.equal(client.transport.isReadingHeld, false, "nothing has come");
        for (const payload of ["one", "two"]) client.broker.publish("t", payload, { qos: 1 });
        client.transport.publish("other", "x", 1, () => client.settled.push("other"));
        await waitFor(() => client.transport.isReadingHeld, "the first message");
        await waitFor(() => client.broker.count("publish") === 1, "the publish");
        for (let i = 0; i < 20; i++) await turn();
        assert.deepEqual([client.messages.length, client.broker.count("puback"), client.settled], [0, 0, []]);
        client.transport.holdReading(false);
        await waitFor(() => client.broker.count("puback") === 2, "both acknowledgements");
        assert.deepEqual([client.transport.isReadingHeld, client.messages.length], [false, 2]);
        await waitFor(() => client.settled.length === 1, "the acknowledgement behind them");
    });

    it("does not lose a message that was not handed over when the connection ended", async () => {
        const client = new Client();
        await client.connect(false);
        await client.subscribe("t", 1);
        client.transport.holdReading(true);
        client.broker.publish("t", "one", { qos: 1 });
        await waitFor(() => client.transport.isReadingHeld, "the message");
        client.broker.disconnectAll();
        await client.ended();
        await client.connect(false);
        await waitFor(() => client.outstanding === 0, "the message to be acknowledged");
        assert.equal(client.messages.length, 1);
    });

    for (const qos of [1, 2] as const) {
        it(`does not hand a message of QoS ${qos} over again that is in work when the connection ends`, async () => {
            const client = new Client();
            await client.connect(false);
            await client.subscribe("t", 2);
            client.acceptsAtOnce = false;
            for (const payload of ["one", "two"]) client.broker.publish("t", payload, { qos });
            await waitFor(() => client.messages.length === 2, "both messages");
            client.broker.disconnectAll();
            await client.ended();
            client.accepts[1]?.();
            await client.connect(false);
            for (let i = 0; i < 20; i++) await turn();
            assert.deepEqual([client.messages.length, client.outstanding], [2, 2]);
            client.accepts[0]?.();
            await waitFor(() => client.outstanding === 0, "both to be acknowledged");
            assert.equal(client.messages.length, 2);
        });
    }

    it("hands a message over again that was in work when the server lost the session", async () => {
        const client = new Client();
        await client.connect(false);
        await client.subscribe("t", 1);
        client.acceptsAtOnce = false;
        const send = (dup: boolean) =>
            client.broker.connections[0]?.send({ cmd: "publish", topic: "t", payload: "one", qos: 1, messageId: 5, dup, retain: false });
        await send(false);
        await waitFor(() => client.messages.length === 1, "the message");
        client.broker.forgetSessions();
        client.broker.disconnectAll();
        await client.ended();
        await client.connect(false);
        await send(true);
        await waitFor(() => client.messages.length === 2, "the message again");
        client.accepts[0]?.();
        for (let i = 0; i < 20; i++) await turn();
        assert.equal(client.broker.count("puback"), 0, "the first one came on a session that is gone");
        client.accepts[1]?.();
        await waitFor(() => client.broker.count("puback") === 1, "the acknowledgement");
    });

    it("reads no faster than the server takes the acknowledgements", async () => {
        const client = new Client();
        await client.connect(true);
        await client.subscribe("t", 1);
        client.stopReading();
        const batch = Buffer.concat(
            Array.from({ length: 1000 }, (_, index) =>
                generate({ cmd: "publish", topic: "t", payload: "x", qos: 1, messageId: index + 1, dup: false, retain: false }),
            ),
        );
        for (let i = 0; i < 200; i++) void client.broker.connections[0]?.send(batch);
        let before = -1;
        while (client.messages.length !== before) {
            before = client.messages.length;
            for (let i = 0; i < 200; i++) await turn();
        }
        assert.ok(before > 0 && before < 100_000, `${before} messages`);
    });

    for (const cleanSession of [true, false]) {
        const name = cleanSession ? "accepts" : "leaves to the next connection of a durable session";
        it(`${name} a message of QoS 1 that arrives after its own DISCONNECT`, async () => {
            const client = new Client();
            await client.connect(cleanSession);
            await client.subscribe("t", 1);
            client.broker.script.add({ cmd: "disconnect", reaction: { answer: "none", closeAfterMs: 5 } });
            client.transport.disconnect();
            client.broker.publish("t", "late", { qos: 1 });
            await client.ended();
            assert.deepEqual(
                client.messages.map(({ payload }) => payload.toString()),
                cleanSession ? ["late"] : [],
            );
            if (cleanSession) return;
            await client.connect(false);
            await waitFor(() => client.messages.length > 0, "the message to come again");
            assert.equal(client.messages[0]?.duplicate, true);
        });
    }

    for (const qos of [1, 2] as const) {
        it(`settles each publish of QoS ${qos} once, when the broker has completed it`, async () => {
            const client = new Client();
            await client.connect(true);
            const settled: string[] = [];
            for (const name of ["one", "two", "three"]) client.transport.publish(name, "x", qos, () => settled.push(name));
            await waitFor(() => settled.length === 3, "all acknowledgements");
            assert.deepEqual(settled, ["one", "two", "three"]);
            assert.deepEqual(
                client.broker.taken.map(({ topic }) => topic),
                settled,
            );
            assert.equal(client.broker.count("pubrel"), qos === 2 ? 3 : 0);
        });
    }

    it("settles no publish before a message that came before its acknowledgement, such as the notification that refuses it", async () => {
        const client = new Client();
        await client.connect(true);
        const refusal = generate({ cmd: "publish", topic: "notify", payload: "refused", qos: 0, dup: false, retain: false });
        const bytes = Buffer.concat([refusal, Buffer.of(0x40, 2, 0, 1), Buffer.of(0x40, 2, 0, 2)]);
        client.broker.script.add({ cmd: "publish", times: 1, reaction: { answer: "none" } });
        client.broker.script.add({ cmd: "publish", times: 1, reaction: { answer: { bytes } } });
        client.transport.holdReading(true);
        const settled: number[] = [];
        for (const number of [1, 2]) {
            client.transport.publish("t", "x", 1, () => {
                assert.equal(client.messages.length, 1);
                settled.push(number);
            });
        }
        await waitFor(() => client.transport.isReadingHeld, "the notification");
        assert.deepEqual(settled, []);
        client.transport.holdReading(false);
        await waitFor(() => settled.length === 2, "both acknowledgements");
        assert.deepEqual(settled, [1, 2]);
        await new Promise<void>((acknowledged) => client.transport.publish("t", "later", 1, acknowledged));
    });

    it("settles a publish without MQTT.js, which has no part in it", async () => {
        const client = new Client();
        await client.connect(true);
        await client.subscribe("t", 1);
        client.broker.publish("t", "before", { qos: 1 });
        await waitFor(() => client.outstanding === 0 && client.messages.length === 1, "the message");
        const stack = await new Promise((resolve) => client.transport.publish("t/2", "x", 1, () => resolve(new Error("settled").stack)));
        assert.doesNotMatch(String(stack), /node_modules.mqtt.build/);
    });

    it("takes a PUBACK for a publish of QoS 2, as some brokers send, for its completion", async () => {
        const client = new Client();
        await client.connect(true);
        client.broker.script.add({ cmd: "publish", reaction: { answer: { bytes: Buffer.of(0x40, 2, 0, 1) } } });
        await new Promise<void>((settled) => client.transport.publish("t", "x", 2, settled));
        assert.equal(client.broker.count("pubrel"), 0);
    });

    it("ignores an acknowledgement for which nothing waits", async () => {
        const client = new Client();
        await client.connect(true);
        const stray = Buffer.of(0x40, 2, 0, 99, 0x50, 2, 0, 99, 0x70, 2, 0, 99);
        client.broker.script.add({ cmd: "publish", times: 1, reaction: { answer: { bytes: stray } } });
        client.transport.publish("t", "unanswered", 1, assert.fail);
        await new Promise<void>((settled) => client.transport.publish("t", "answered", 1, settled));
        assert.deepEqual(client.ends, []);
    });

    it("releases at the broker, on the next connection of the session, the ids of QoS 2 publishes that were cut off", async () => {
        const client = new Client();
        await client.connect(false);
        client.broker.script.add({ cmd: "pubrel", times: 1, reaction: { answer: "none", closeAfterMs: 0 } });
        client.transport.publish("t", "x", 2, assert.fail);
        await client.ended();
        await client.connect(false);
        await waitFor(() => client.broker.received.filter(({ packet }) => packet.cmd === "pubrel").length === 2, "the second PUBREL");
        await turn();
        const ids = client.broker.received.flatMap(({ packet }) => (packet.cmd === "pubrel" ? [packet.messageId] : []));
        assert.deepEqual(ids, [1, 1]);
    });

    describe("receiving QoS 2", () => {
        /** A client of a durable session, subscribed with QoS 2. */
        async function subscribed(): Promise<Client> {
            const client = new Client();
            await client.connect(false);
            await client.subscribe("t", 2);
            return client;
        }

        const payloads = (client: Client) => client.messages.map(({ payload }) => payload.toString());

        it("hands a message over before its PUBREC, and the next one meanwhile", async () => {
            const client = await subscribed();
            client.acceptsAtOnce = false;
            for (const payload of ["one", "two"]) client.broker.publish("t", payload, { qos: 2 });
            await waitFor(() => client.messages.length === 2, "both messages");
            for (let i = 0; i < 20; i++) await turn();
            assert.deepEqual([payloads(client), client.broker.count("pubrec")], [["one", "two"], 0]);
            for (const accept of client.accepts) accept();
            await waitFor(() => client.broker.count("pubcomp") === 2, "the end of both");
            assert.equal(client.outstanding, 0);
        });

        it("does not hand a message over again when only its PUBREC was lost", async () => {
            const client = await subscribed();
            client.broker.script.add({ cmd: "pubrec", times: 1, reaction: { answer: "none", closeAfterMs: 0 } });
            client.broker.publish("t", "one", { qos: 2 });
            await client.ended();
            await client.connect(false);
            await waitFor(() => client.outstanding === 0, "the message to be completed");
            assert.deepEqual(payloads(client), ["one"]);
        });

        it("takes the next message under a released id for another one", async () => {
            const client = await subscribed();
            const send = (payload: string, dup: boolean) =>
                client.broker.connections[0]?.send({ cmd: "publish", topic: "t", payload, qos: 2, messageId: 5, dup, retain: false });
            await send("one", false);
            await waitFor(() => client.broker.count("pubrec") === 1, "the PUBREC");
            await client.broker.connections[0]?.send({ cmd: "pubrel", messageId: 5 });
            await waitFor(() => client.broker.count("pubcomp") === 1, "the PUBCOMP");
            await send("two", true);
            await waitFor(() => client.broker.count("pubrec") === 2, "the second PUBREC");
            assert.deepEqual(payloads(client), ["one", "two"]);
        });

        it("takes a message without DUP for another one, and forgets the ids with the session", async () => {
            const client = await subscribed();
            const send = (payload: string, dup: boolean) =>
                client.broker.connections[0]?.send({ cmd: "publish", topic: "t", payload, qos: 2, messageId: 5, dup, retain: false });
            await send("one", false);
            await send("two", false);
            await send("two", true);
            await waitFor(() => client.broker.count("pubrec") === 3, "three times PUBREC");
            client.broker.forgetSessions();
            client.broker.disconnectAll();
            await client.ended();
            await client.connect(false);
            await send("three", true);
            await waitFor(() => client.broker.count("pubrec") === 4, "the last PUBREC");
            assert.deepEqual(payloads(client), ["one", "two", "three"]);
        });
    });

    it("accepts a message over the limit without its payload, in order and with its size", async () => {
        const client = new Client();
        await client.connect(true);
        const large = generate({
            cmd: "publish",
            topic: "t/large",
            payload: Buffer.alloc(17_000_000),
            qos: 1,
            messageId: 3,
            dup: false,
            retain: false,
        });
        const small = generate({ cmd: "publish", topic: "t/small", payload: "x", qos: 1, messageId: 4, dup: false, retain: false });
        await client.broker.connections[0]?.send(Buffer.concat([small, large, small]));
        await waitFor(() => client.broker.count("puback") === 3, "three acknowledgements");
        assert.deepEqual(
            client.messages.map(({ topic, payload, oversizedBytes }) => [topic, payload.length, oversizedBytes]),
            [
                ["t/small", 1, undefined],
                ["t/large", 0, 17_000_011],
                ["t/small", 1, undefined],
            ],
        );
    });

    it("takes a SUBACK code of MQTT 5 for a refusal", async () => {
        const client = new Client();
        await client.connect(true);
        client.broker.script.add({
            cmd: "subscribe",
            reaction: ({ packet }) => ({ answer: { bytes: suback(packet.messageId ?? 0, 0x87) } }),
        });
        const answer = await new Promise((resolve) => client.transport.subscribe("t", 1, resolve));
        assert.deepEqual([answer, client.ends], [128, []]);
    });
});

function suback(messageId: number, code: number): Buffer {
    return Buffer.of(0x90, 3, messageId >> 8, messageId & 0xff, code);
}
