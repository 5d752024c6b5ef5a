import assert from "node:assert/strict";
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
    acceptsAtOnce = true;
    transport!: Transport;
    readonly #open: TransportFactory = mqttTransportFactory(
        () => 0,
        () => {
            const [stream, other] = streamPair();
            this.broker.attach(other);
            return { stream, stage: "open", certificate: undefined, proxy: undefined };
        },
    );

    async connect(cleanSession: boolean): Promise<void> {
        let isOnline = false;
        this.transport = this.#open(
            { host: "broker.test", port: 1883, transport: "tcp", clientId: "c", keepAliveS: 60, cleanSession },
            { connected: () => (isOnline = true), ended: (end) => this.ends.push(end) },
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
    it("acknowledges a message when it is accepted, once, and reads nothing behind it before", async () => {
        const client = new Client();
        await client.connect(true);
        await client.subscribe("t", 1);
        client.acceptsAtOnce = false;
        for (const payload of ["one", "two"]) client.broker.publish("t", payload, { qos: 1 });
        await waitFor(() => client.messages.length > 0, "the first message");
        for (let i = 0; i < 20; i++) await turn();
        assert.equal(client.broker.count("puback"), 0);
        assert.equal(client.messages.length, 1);
        assert.equal(client.transport.unacceptedMessage, 1);
        for (const accept of [...client.accepts, ...client.accepts]) accept();
        await waitFor(() => client.messages.length === 2, "the second message");
        assert.equal(client.transport.unacceptedMessage, 2);
        for (const accept of client.accepts) accept();
        await waitFor(() => client.broker.count("puback") === 2, "both acknowledgements");
        assert.equal(client.transport.unacceptedMessage, 0);
        assert.equal(client.outstanding, 0);
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
});
