import assert from "node:assert/strict";
import { once } from "node:events";
import { createServer } from "node:net";
import type { GatewayConnection } from "../../src/connection/gateway-connection";
import { FastClock } from "../support/doubles/fast-clock";
import { FaultyLine } from "../support/doubles/faulty-line";
import { Connections } from "../support/drivers/connections";
import { Mosquitto } from "../support/drivers/mosquitto";
import { testPacket } from "../support/packets";
import { portOf } from "../support/ports";
import { waitFor } from "../support/wait-for";

/** Publishes again what was not acknowledged, as the outbox does; counts what was settled how often. */
class Load {
    readonly acknowledged = new Set<number>();
    readonly settledTwice: number[] = [];
    #next = 0;

    constructor(
        readonly connection: GatewayConnection,
        readonly qos: 1 | 2 = 1,
    ) {}

    publish(count: number): void {
        for (let i = 0; i < count; i++) this.#send(this.#next++);
    }

    get sent(): number {
        return this.#next;
    }

    #send(number: number): void {
        let settled = false;
        this.connection.publish(testPacket(`evt/${number}`, this.qos), `${number}`, (error) => {
            if (settled) this.settledTwice.push(number);
            settled = true;
            if (!error) this.acknowledged.add(number);
            else setTimeout(() => this.#send(number), 20);
        });
    }
}

describe("a connection on a bad line", () => {
    const connections = new Connections();
    let broker: Mosquitto;
    let line: FaultyLine;

    before(async () => {
        broker = await Mosquitto.start();
    });
    beforeEach(async () => {
        line = await FaultyLine.to(broker.port);
    });
    afterEach(async () => {
        await connections.close();
        line.close();
    });
    after(() => broker.stop());

    it("reconnects as soon as a server listens again", async () => {
        line.refuse();
        const { connection, recorder } = connections.open("refused", { port: line.port, clock: new FastClock(10) });
        await waitFor(() => recorder.phases.filter((phase) => phase === "waiting").length >= 3, "three attempts");
        assert.match(recorder.lastReason?.text ?? "", /127\.0\.0\.1:\d+ refused the connection/);
        await line.accept();
        await waitFor(() => connection.isOnline, "the connection");
    });

    it("loses nothing and settles each publish once while resets follow each other under load", async () => {
        const receiver = await connections.online("receiver", { port: broker.port });
        await receiver.connection.subscribe("evt/+", 1);
        const { connection } = await connections.online("reset", { port: line.port, clock: new FastClock(20) });
        const load = new Load(connection);
        for (let round = 0; round < 5; round++) {
            await waitFor(() => connection.isOnline, "the connection");
            const passed = line.passedBytes;
            load.publish(400);
            await waitFor(() => line.passedBytes > passed, "some events on their way");
            line.reset();
        }
        await waitFor(() => load.acknowledged.size === load.sent, "every event to be acknowledged");
        assert.deepEqual(load.settledTwice, []);
        await waitFor(() => new Set(receiver.recorder.topics).size === load.sent, "every event to arrive");
    });

    it("loses no QoS 2 event of a durable session over resets: no packet id is mistaken for that of an earlier publish", async () => {
        const receiver = await connections.online("receiver2", { port: broker.port });
        await receiver.connection.subscribe("evt/+", 2);
        const { connection } = await connections.online("reset2", { port: line.port, clock: new FastClock(20), cleanSession: false });
        const load = new Load(connection, 2);
        for (let round = 0; round < 3; round++) {
            await waitFor(() => connection.isOnline, "the connection");
            const passed = line.passedBytes;
            load.publish(300);
            await waitFor(() => line.passedBytes > passed + 2_000, "some events on their way");
            line.reset();
        }
        await waitFor(() => load.acknowledged.size === load.sent, "every event to be acknowledged");
        assert.deepEqual(load.settledTwice, []);
        await waitFor(() => new Set(receiver.recorder.topics).size === load.sent, "every event to arrive");
        for (const { topic, payload } of receiver.recorder.messages) assert.equal(topic, `evt/${payload}`);
    });

    it("delivers each QoS 2 message of a durable session once, however often the line is reset", async () => {
        const { connection, recorder } = await connections.online("once", {
            port: line.port,
            clock: new FastClock(20),
            cleanSession: false,
        });
        await connection.subscribe("once/+", 2);
        const sender = await connections.online("sender", { port: broker.port });
        for (let round = 0; round < 3; round++) {
            await waitFor(() => connection.isOnline, "the connection");
            const before = recorder.messages.length;
            for (let i = 0; i < 300; i++) sender.connection.publish(testPacket(`once/${round * 300 + i}`, 2), "x", () => {});
            await waitFor(() => recorder.messages.length > before + 20, "some messages");
            line.reset();
        }
        await waitFor(() => new Set(recorder.topics).size === 900, "every message");
        assert.equal(recorder.messages.length, 900);
    });

    it("survives a broker that crashes and restarts under load", async () => {
        const durable = await Mosquitto.start();
        try {
            const { connection, recorder } = await connections.online("crash", { port: durable.port, clock: new FastClock(20) });
            const load = new Load(connection);
            for (let round = 0; round < 3; round++) {
                await waitFor(() => connection.isOnline, "the connection");
                load.publish(500);
                await durable.halt("SIGKILL");
                await waitFor(() => connection.state.phase !== "online", "the loss to be noticed");
                await durable.resume();
            }
            await waitFor(() => load.acknowledged.size === load.sent, "every event to be acknowledged");
            assert.equal(recorder.phases.filter((phase) => phase === "online").length, 4);
        } finally {
            await connections.close();
            await durable.stop();
        }
    });

    it("detects a black hole by the age of an acknowledgement, well before the keep-alive", async () => {
        const clock = new FastClock(20);
        const { connection, recorder } = await connections.online("hole", { port: line.port, clock, keepAliveS: 40 });
        line.blackHole();
        const startMs = clock.monotonicMs();
        connection.publish(testPacket("evt/lost", 1), "x", () => {});
        await waitFor(() => recorder.lastReason, "the loss to be noticed");
        assert.equal(recorder.lastReason?.code, "GW_STALLED");
        const tookMs = clock.monotonicMs() - startMs;
        assert.ok(tookMs >= 19_000 && tookMs < 40_000, `${tookMs} ms`);
        line.heal();
        await waitFor(() => connection.isOnline, "the connection to come back");
    });

    it("detects a half-open connection without publishes by an unanswered ping", async () => {
        const clock = new FastClock(40);
        const { connection, recorder } = await connections.online("half", { port: line.port, clock, keepAliveS: 20 });
        line.halfOpen();
        await waitFor(() => recorder.lastReason, "the loss to be noticed");
        assert.equal(recorder.lastReason?.code, "GW_STALLED");
        line.heal();
        await waitFor(() => connection.isOnline, "the connection to come back");
    });

    it("keeps an idle connection open with pings", async () => {
        const { connection, recorder } = await connections.online("idle", { port: line.port, keepAliveS: 1 });
        await broker.logged(/Received PINGREQ from g:org:gw:idle/, 3);
        assert.equal(connection.isOnline, true);
        assert.deepEqual(recorder.phases, ["connecting", "online"]);
    });

    it("sends 300 events in a pipeline, not one per round trip", async () => {
        const { connection } = await connections.online("slow", { port: line.port });
        line.delay(100);
        let acknowledged = 0;
        const startMs = performance.now();
        for (let i = 0; i < 300; i++) connection.publish(testPacket(`evt/${i}`, 1), "x", () => acknowledged++);
        await waitFor(() => acknowledged === 300, "all acknowledgements");
        // One at a time they would take 60 s.
        assert.ok(performance.now() - startMs < 30_000);
    });

    it("applies back-pressure on a slow line, and resumes when the line has drained", async () => {
        const { connection, recorder } = await connections.online("throttled", { port: line.port });
        line.throttle(200_000);
        let acknowledged = 0;
        let published = 0;
        while (connection.isWritable && published < 200) {
            connection.publish(testPacket("evt/large", 1), Buffer.alloc(100_000), () => acknowledged++);
            published++;
        }
        assert.ok(published < 200, "nothing ever pushed back");
        await waitFor(() => recorder.drains > 0, "the line to drain");
        assert.equal(connection.isWritable, true);
        line.heal();
        await waitFor(() => acknowledged === published, "all acknowledgements");
        assert.equal(connection.pendingCount, 0);
    });

    it("stops at once on a dead line", async () => {
        const { connection } = await connections.online("stuck", { port: line.port });
        line.blackHole();
        for (let i = 0; i < 100; i++) connection.publish(testPacket("evt/x", 1), Buffer.alloc(100_000), () => {});
        const startMs = performance.now();
        await connection.stop(300);
        assert.ok(performance.now() - startMs < 5_000);
        assert.equal(connection.state.phase, "closed");
    });

    it("gives up an attempt on a server that accepts the connection but never answers", async () => {
        line.blackHole();
        const reason = await connections.reason("mute", { port: line.port, clock: new FastClock(100) });
        assert.match(reason.text, /did not answer the MQTT CONNECT within 30 s/);
    });

    it("distinguishes two clients with the same identity from a bad network", async () => {
        const clock = new FastClock(20);
        const one = connections.open("twin", { port: broker.port, clock });
        const other = connections.open("twin", { port: broker.port, clock });
        const suspicion = await waitFor(
            () => [one, other].map(({ recorder }) => recorder.lastReason).find((reason) => reason?.code === "GW_TAKEN_OVER"),
            "the suspicion",
        );
        assert.match(suspicion.text, /Another client seems to use the client id g:org:gw:twin/);
    });
});

describe("reasons for servers that are not MQTT servers", () => {
    const connections = new Connections();
    afterEach(() => connections.close());

    async function reasonFrom(answer: (received: Buffer) => Buffer | "close" | "reset", will = false) {
        const server = createServer((socket) => {
            socket.on("error", () => {});
            socket.once("data", (chunk) => {
                const reply = answer(chunk);
                if (reply === "reset") socket.resetAndDestroy();
                else if (reply === "close") socket.end();
                else socket.write(reply);
            });
        }).listen(0, "127.0.0.1");
        await once(server, "listening");
        const port = portOf(server);
        try {
            return await connections.reason("lost", {
                port,
                ...(will ? { will: { topic: "iot-2/type/gw/id/lost/evt/gone/fmt/text", payload: "offline", qos: 1 } } : {}),
            });
        } finally {
            server.close();
        }
    }

    it("names a server that closes without an answer, as the platform does for a bad last will", async () => {
        assert.match((await reasonFrom(() => "close", true)).text, /without answering the MQTT CONNECT.*refuses the last will on iot-2/);
        assert.doesNotMatch((await reasonFrom(() => "close")).text, /last will/);
    });

    it("names a server that speaks another protocol", async () => {
        const reason = await reasonFrom(() => Buffer.from("HTTP/1.1 400 Bad Request\r\n\r\n"));
        assert.match(reason.text, /127\.0\.0\.1:\d+ does not speak MQTT/);
    });

    it("names a server that resets the connection", async () => {
        assert.match((await reasonFrom(() => "reset")).text, /reset/);
    });

    it("distinguishes refusals of a connection by their return code", async () => {
        const text = async (code: number) => (await reasonFrom(() => Buffer.of(0x20, 0x02, 0x00, code))).text;
        assert.match(await text(1), /does not accept MQTT 3\.1\.1/);
        assert.match(await text(2), /does not accept the client id/);
        assert.match(await text(3), /unavailable/);
        assert.match(await text(5), /did not authorise .* no token was sent/);
    });

    it("says that a host name was not found", async () => {
        const reason = await connections.reason("nowhere", { host: "no..such..host", port: 1883 });
        assert.equal(reason.code, "GW_NETWORK");
        assert.match(reason.text, /The host name no\.\.such\.\.host (was not found|could not be looked up)/);
    });
});
