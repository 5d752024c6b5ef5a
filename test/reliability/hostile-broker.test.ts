import assert from "node:assert/strict";
import { once } from "node:events";
import { generate, type Packet, type PacketCmd } from "mqtt-packet";
import { WebSocketServer } from "ws";
import { type Clock, systemClock } from "../../src/clock";
import { answerBytes, close, neverAnswer, type Rule } from "../support/doubles/broker-script";
import { FastClock } from "../support/doubles/fast-clock";
import { ListeningBroker } from "../support/doubles/listening-broker";
import type { BrokerConnection } from "../support/doubles/scripted-broker";
import { RecordedGateway, type TestGatewayOptions } from "../support/drivers/recorded-gateway";
import { portOf } from "../support/ports";
import { usedBytes } from "../support/used-bytes";
import { waitFor } from "../support/wait-for";

const mebibyte = 1_048_576;
const commandTopic = "iot-2/type/t/id/d1/cmd/c/fmt/json";
const notifyTopic = "iot-2/type/gw/id/gw1/notify";

/** A PUBLISH as a broker sends it. */
function publish(topic: string, payload: string | Buffer, qos: 0 | 1 | 2 = 0, messageId = 1): Buffer {
    return generate({ cmd: "publish", topic, payload, qos, messageId, dup: false, retain: false });
}

/** Answers the packets of one kind with other bytes than a good broker would. */
function answering(cmd: PacketCmd, reply: (packet: Packet) => Buffer): Rule {
    return { cmd, reaction: ({ packet }) => answerBytes(reply(packet)) };
}

describe("a hostile broker", () => {
    let broker: ListeningBroker;
    let watched: RecordedGateway;

    afterEach(async () => {
        await watched?.close();
        await broker?.stop();
    });

    async function start(rules: readonly Rule[] = [], clock: Clock = systemClock): Promise<void> {
        broker = await ListeningBroker.start({ rules });
        watch(broker.port, { clock });
    }

    function watch(port: number, options: TestGatewayOptions): void {
        watched = new RecordedGateway(port, options);
        watched.receiveCommands();
        watched.gateway.start();
        watched.gateway.flowsStarted();
    }

    /** Waits until the gateway is online with its subscriptions, and returns the broker's end of the connection. */
    async function online(): Promise<BrokerConnection> {
        await waitFor(() => watched.isOnline && broker.count("subscribe") >= 2, "the gateway to be online");
        const [client] = broker.connections;
        assert.ok(client);
        return client;
    }

    /** A command goes through from end to end. */
    async function stillWorks(client: BrokerConnection): Promise<void> {
        const before = watched.commands.length;
        await client.send(publish(commandTopic, "{}", 1, 77));
        await waitFor(() => watched.commands.length > before, "a command after it");
    }

    describe("sends after the CONNACK", () => {
        const malformed: readonly (readonly [string, Buffer])[] = [
            ["a packet of the reserved type 0", Buffer.from([0x00, 0x00])],
            ["a packet of the reserved type 15", Buffer.from([0xf0, 0x00])],
            ["a PUBLISH of QoS 3", Buffer.from([0x36, 0x07, 0, 3, 0x61, 0x2f, 0x62, 0, 1])],
            ["an empty PUBACK", Buffer.from([0x40, 0x00])],
            ["an empty PUBREL before another packet", Buffer.from([0x62, 0x00, 0x40, 0x02, 0x00, 0x01])],
            ["an empty SUBACK", Buffer.from([0x90, 0x00])],
            ["a PUBLISH of QoS 1 with the packet id 0", Buffer.from([0x32, 0x05, 0, 1, 0x61, 0, 0])],
            ["a PUBLISH of QoS 2 without a packet id", Buffer.from([0x34, 0x03, 0, 1, 0x61])],
            ["a topic longer than its packet", Buffer.from([0x30, 0x04, 0xff, 0xff, 0x61, 0x62])],
            ["a remaining length of five bytes", Buffer.from([0x30, 0xff, 0xff, 0xff, 0xff, 0x7f])],
            ["a second CONNACK", Buffer.from([0x20, 0x02, 0, 0])],
            ["an HTTP answer", Buffer.from("HTTP/1.1 400 Bad Request\r\nConnection: close\r\n\r\n")],
        ];
        for (const [name, bytes] of malformed) {
            it(`after ${name}, the gateway reconnects and says that the data is invalid`, async () => {
                await start([], new FastClock(20));
                const client = await online();
                await client.send(bytes);
                const problem = await watched.problem(/sent invalid data; reconnecting/);
                assert.equal(problem.code, "GW_NETWORK");
                await waitFor(() => broker.connectionCount >= 2 && watched.isOnline, "the next connection");
                const [next] = broker.connections;
                assert.ok(next);
                await stillWorks(next);
            });
        }

        const harmless: readonly (readonly [string, Buffer])[] = [
            ["packets that only clients send", Buffer.concat([generate({ cmd: "pingreq" }), generate({ cmd: "disconnect" })])],
            ["acknowledgements of what was never sent", acknowledgements()],
            ["a SUBACK for what was never asked", generate({ cmd: "suback", messageId: 60_000, granted: [0] })],
            ["a topic with NUL and other control characters", publishRaw("iot-2/type/t\u0000/id/d\u0001/cmd/c\u0000\n/fmt/json")],
            [
                "a retained command without a payload",
                generate({ cmd: "publish", topic: commandTopic, payload: "", qos: 0, dup: false, retain: true }),
            ],
            ["a device management request without a payload", publishRaw("iotdm-1/type/gw/id/gw1/mgmt/initiate/device/reboot")],
            ["a topic that is not UTF-8", Buffer.from([0x30, 0x05, 0, 2, 0xff, 0xfe, 0x61])],
            ["an empty topic", publishRaw("")],
            ["topics with wildcards", Buffer.concat([publishRaw("iot-2/type/+/id/+/cmd/c/fmt/json"), publishRaw("#")])],
            ["empty and surplus levels", Buffer.concat([publishRaw("iot-2/type//id//cmd//fmt/"), publishRaw(`${commandTopic}/x`)])],
            ["a command of 65535 characters", publishRaw(`iot-2/type/t/id/d1/cmd/${"c".repeat(65_500)}/fmt/json`)],
            ["100 stray pings", Buffer.concat(Array.from({ length: 100 }, () => Buffer.from([0xde, 0x00])))],
        ];
        for (const [name, bytes] of harmless) {
            it(`after ${name}, the gateway keeps working`, async () => {
                await start();
                const client = await online();
                await client.send(bytes);
                await stillWorks(client);
                assert.equal(broker.connectionCount, 1);
            });
        }

        it("a packet announced with 256 MB that is no PUBLISH is not awaited, takes no memory, and is named as the reason", async () => {
            await start();
            const client = await online();
            const before = usedBytes();
            await client.send(Buffer.from([0x90, 0xff, 0xff, 0xff, 0x7f]));
            const chunk = Buffer.alloc(mebibyte);
            for (let sent = 0; sent < 64 && client.isOpen; sent++) await client.send(chunk);
            const problem = await watched.problem(/268435455 bytes/);
            assert.equal(problem.code, "GW_NETWORK");
            await waitFor(() => usedBytes() - before < 24 * mebibyte, "no more memory than before");
        });

        it("a PUBLISH announced with 256 MB takes no memory and keeps its connection while it comes in", async () => {
            await start();
            const client = await online();
            const before = usedBytes();
            await client.send(Buffer.from([0x30, 0xff, 0xff, 0xff, 0x7f, 0x00, 0x01, 0x61]));
            const chunk = Buffer.alloc(mebibyte);
            for (let sent = 0; sent < 64; sent++) await client.send(chunk);
            await waitFor(() => usedBytes() - before < 24 * mebibyte, "no more memory than before");
            assert.ok(client.isOpen);
            assert.deepEqual(watched.problems, []);
        });

        it("nothing is lost if everything arrives one byte at a time", async () => {
            await start();
            const client = await online();
            for (let round = 0; round < 5; round++) {
                for (const byte of publish(commandTopic, '{"n":1}', 1, round + 1)) {
                    await client.send(Buffer.of(byte));
                    await new Promise((resolve) => setImmediate(resolve));
                }
            }
            await waitFor(() => watched.commands.length === 5, "five commands");
            await waitFor(() => broker.count("puback") === 5, "five acknowledgements");
        });

        for (const [name, kinds] of [
            ["a PUBREC", ["pubrec", "puback"]],
            ["a PUBCOMP", ["pubcomp", "puback"]],
            ["two PUBACKs", ["puback", "puback"]],
        ] as const) {
            it(`an event of QoS 1 that is answered with ${name} ends once`, async () => {
                const answers = ({ messageId = 0 }: Packet) => Buffer.concat(kinds.map((cmd) => generate({ cmd, messageId })));
                await start([answering("publish", answers)], new FastClock(20));
                await online();
                watched.publish();
                watched.publish();
                await waitFor(() => watched.endings.length >= 2, "both outcomes");
                await stillWorks(await online());
                assert.deepEqual(watched.endings, ["done", "done"]);
            });
        }

        it("each of several commands with one packet id is delivered and acknowledged", async () => {
            await start();
            const client = await online();
            await client.send(Buffer.concat(["1", "2", "3"].map((payload) => publish(commandTopic, payload, 1, 9))));
            await waitFor(() => broker.count("puback") === 3, "three acknowledgements");
            assert.deepEqual(
                watched.commands.map(({ payload }) => payload.toString()),
                ["1", "2", "3"],
            );
        });

        it("a command of QoS 2 that is repeated before its PUBREL counts once, and one without DUP under its packet id is another", async () => {
            await start();
            const client = await online();
            const repeated = { cmd: "publish", topic: commandTopic, payload: "2", qos: 2, messageId: 9, dup: true, retain: false } as const;
            await client.send(Buffer.concat([publish(commandTopic, "1", 2, 9), publish(commandTopic, "2", 2, 9), generate(repeated)]));
            for (let round = 0; round < 3; round++) await client.send({ cmd: "pubrel", messageId: 9 });
            await waitFor(() => broker.count("pubcomp") === 3, "three PUBCOMP");
            assert.deepEqual(
                watched.commands.map(({ payload }) => payload.toString()),
                ["1", "2"],
            );
        });
    });

    describe("answers a SUBSCRIBE", () => {
        const suback = (messageId: number, ...codes: number[]) =>
            Buffer.from([0x90, codes.length + 2, messageId >> 8, messageId & 0xff, ...codes]);

        for (const [name, codes] of [
            ["without any return code", []],
            ["with two return codes for one filter", [0, 1]],
            ["with a return code that does not exist", [3]],
        ] as const) {
            it(`after a SUBACK ${name}, the gateway reconnects and says why`, async () => {
                const answers = ({ messageId = 0 }: Packet) => suback(messageId, ...codes);
                await start([answering("subscribe", answers)], new FastClock(20));
                assert.equal((await watched.problem(/sent invalid data; reconnecting/)).code, "GW_NETWORK");
                await waitFor(() => broker.connectionCount >= 5, "further attempts");
                assert.ok(!watched.problems.some(({ code }) => code === "GW_TAKEN_OVER"), "nobody took the connection over");
            });
        }

        it("after a SUBACK with 255, the gateway takes the filter for rejected and keeps the connection", async () => {
            await start([answering("subscribe", ({ messageId = 0 }) => suback(messageId, 255))]);
            await online();
            await waitFor(() => watched.lines.some((line) => /rejected/.test(line)), "the rejection of the subscription");
            assert.equal(broker.connectionCount, 1);
            assert.deepEqual(watched.problems, []);
        });

        it("without any SUBACK, the gateway reconnects and says why", async () => {
            await start([{ cmd: "subscribe", reaction: neverAnswer }], new FastClock(20));
            await watched.problem(/subscription/);
            await waitFor(() => broker.connectionCount >= 2, "another attempt");
        });
    });

    describe("answers the CONNECT", () => {
        for (const returnCode of [1, 2, 3, 4, 5, 6, 127, 128, 255]) {
            it(`a CONNACK with the return code ${returnCode} is a refusal with a reason`, async () => {
                await start([answering("connect", () => Buffer.from([0x20, 0x02, 0, returnCode]))]);
                const problem = await watched.problem(/./);
                assert.equal(problem.code, [2, 4, 5].includes(returnCode) ? "GW_AUTH" : "GW_NETWORK");
                if (returnCode > 5) assert.match(problem.message, new RegExp(`${returnCode}`));
                assert.equal(watched.isOnline, false);
            });
        }

        for (const [name, bytes] of [
            ["a CONNACK without a return code", Buffer.from([0x20, 0x01, 0])],
            ["an empty CONNACK", Buffer.from([0x20, 0x00])],
            ["a PUBLISH instead of a CONNACK", publish(commandTopic, "{}")],
            ["something that is not MQTT", Buffer.from("SSH-2.0-OpenSSH_9.2\r\n")],
        ] as const) {
            it(`after ${name}, the gateway does not count as connected, and says why`, async () => {
                await start([answering("connect", () => bytes)], new FastClock(20));
                assert.equal((await watched.problem(/MQTT/)).code, "GW_NETWORK");
                assert.equal(watched.commands.length, 0);
            });
        }
    });

    it("a websocket frame announced with 100 MB is not collected, and its first bytes are the reason", async () => {
        broker = await ListeningBroker.start();
        const server = new WebSocketServer({ port: 0, host: "127.0.0.1" });
        await once(server, "listening");
        const chunk = Buffer.alloc(mebibyte);
        server.on("connection", (_socket, { socket }) => {
            const header = Buffer.from([0x82, 127, 0, 0, 0, 0, 0x06, 0, 0, 0]);
            socket.write(header);
            for (let sent = 0; sent < 60; sent++) socket.write(chunk);
        });
        try {
            const before = usedBytes();
            watch(portOf(server), { transport: "ws" });
            const problem = await watched.problem(/does not speak MQTT/);
            assert.equal(problem.code, "GW_NETWORK");
            await waitFor(() => usedBytes() - before < 24 * mebibyte, "the memory to be what it was");
        } finally {
            for (const client of server.clients) client.terminate();
            server.close();
        }
    });

    it("memory does not grow while the broker closes each connection at once", async function () {
        this.timeout(60_000);
        // A careful connection begins with a ping.
        const rules: readonly Rule[] = [
            { cmd: "subscribe", reaction: close },
            { cmd: "pingreq", reaction: close },
        ];
        await start(rules, new FastClock(2000));
        const usedNow = () => {
            broker.clearRecord();
            // An error keeps its connection in memory as long as the error is kept.
            watched.problems.length = 0;
            return usedBytes();
        };
        await waitFor(() => broker.connectionCount >= 100, "100 connections");
        const before = usedNow();
        await waitFor(() => broker.connectionCount >= 500, "400 more", 50_000);
        // What a connection leaves behind is collected a moment after its end.
        await waitFor(() => usedNow() < before + 2 * mebibyte, "the memory to be what it was");
    });

    describe("floods", () => {
        /** Sends the same bytes again and again, as fast as the gateway takes them. */
        async function flood(client: BrokerConnection, messages: readonly Buffer[], total: number): Promise<void> {
            const batch = Buffer.concat(Array.from({ length: 500 }, (_, index) => messages[index % messages.length] ?? Buffer.alloc(0)));
            for (let sent = 0; sent < total; sent += 500) await client.send(batch);
        }

        it("memory and log stay bounded under 200 000 messages on unknown topics", async () => {
            await start();
            const client = await online();
            const before = usedBytes();
            await flood(client, [publish("other/topic", "x".repeat(50)), publish("iot-2/evt/e/fmt/json", "{}")], 200_000);
            await stillWorks(client);
            assert.ok(usedBytes() - before < 16 * mebibyte);
            assert.ok(watched.lines.length < 10, watched.lines.join("\n"));
        });

        /** Names as long as a topic takes, and as large as a packet takes: each is another one. */
        const oversized: readonly (readonly [string, number, (number: number) => Buffer])[] = [
            ["command ids", 300, (number) => publish(`iot-2/type/t/id/d1/cmd/${number}${"c".repeat(60_000)}/fmt/json`, "{}")],
            ["formats", 300, (number) => publish(`iot-2/type/t/id/d1/cmd/a-command-${number}/fmt/${"f".repeat(60_000)}`, "{}")],
            ["device ids", 300, (number) => publish(`iot-2/type/t/id/${number}${"d".repeat(60_000)}/cmd/c/fmt/json`, "{}")],
            [
                "device ids of requests",
                150,
                (number) => publish(`iotdm-1/type/t/id/${number}${"d".repeat(60_000)}/mgmt/initiate/device/reboot`, '{"reqId":1}'),
            ],
            [
                "actions and ids of requests",
                50,
                (number) =>
                    publish(
                        `iotdm-1/type/gw/id/gw1/mgmt/custom/${"b".repeat(60_000)}/a`,
                        JSON.stringify({ reqId: `${number}${"r".repeat(200_000)}` }),
                    ),
            ],
            ...["Message", "Topic", "Request", "Type", "Time"].map((field): readonly [string, number, (number: number) => Buffer] => [
                `a ${field} of notifications`,
                30,
                (number) =>
                    publish(
                        notifyTopic,
                        JSON.stringify({
                            Request: "PUBLISH",
                            Topic: "iot-2/type/t/id/d/evt/e/fmt/json",
                            RC: 276,
                            Type: "t",
                            Id: "d",
                            [field]: `${number}${"x".repeat(2_000_000)}`,
                        }),
                    ),
            ]),
            ["text in place of notifications", 15, () => publish(notifyTopic, "x".repeat(4_000_000))],
        ];
        it("names as long as a topic or as large as a packet are not kept, and do not fill the log", async function () {
            this.timeout(60_000);
            await start();
            const client = await online();
            for (const [what, count, message] of oversized) {
                const before = usedBytes();
                for (let number = 0; number < count; number++) await client.send(message(number));
                await stillWorks(client);
                watched.commands.length = 0;
                // Buffers are given back some time after the garbage collection.
                const grown = () => (usedBytes() - before) / mebibyte;
                await waitFor(
                    () => grown() < 12,
                    () => `the memory after ${what}; ${grown().toFixed(1)} MB more are in use`,
                );
            }
            const logged = watched.lines.join("\n");
            assert.ok(logged.length < 200_000, `${logged.length} characters, such as ${logged.slice(0, 300)}`);
            assert.equal(broker.connectionCount, 1);
        });

        it("memory and log stay bounded under 100 000 notifications", async () => {
            await start();
            const client = await online();
            watched.publish();
            await waitFor(() => watched.endings.length === 1, "an event");
            const before = usedBytes();
            const notification = (fields: object) => publish(notifyTopic, JSON.stringify(fields));
            await flood(
                client,
                [
                    notification({ Request: "PUBLISH", Topic: "iot-2/type/t/id/d1/evt/e/fmt/json", RC: 173, Type: "t", Id: "d1" }),
                    notification({ Request: "PUBLISH", Topic: "iot-2/type/t/id/d2/evt/e/fmt/json", RC: 276, __proto__: 1 }),
                    publish(notifyTopic, "{bad"),
                    publish(notifyTopic, "[".repeat(3000)),
                    publish(notifyTopic, Buffer.from([0xff, 0xfe, 0xfd])),
                ],
                100_000,
            );
            await stillWorks(client);
            assert.ok(usedBytes() - before < 16 * mebibyte);
            assert.ok(watched.lines.length < 200, watched.lines.slice(0, 20).join("\n"));
        });
    });
});

/** Acknowledgements of every kind for ids that are not in use. */
function acknowledgements(): Buffer {
    const kinds = ["puback", "pubrec", "pubrel", "pubcomp", "unsuback"] as const;
    return Buffer.concat(kinds.map((cmd) => generate({ cmd, messageId: 60_000, granted: [] })));
}

/** A PUBLISH of QoS 0 with any topic, also one that may not be sent. */
function publishRaw(topic: string): Buffer {
    const length = Buffer.byteLength(topic) + 4;
    const head =
        length < 128
            ? [length]
            : length < 16_384
              ? [(length & 0x7f) | 0x80, length >> 7]
              : [(length & 0x7f) | 0x80, ((length >> 7) & 0x7f) | 0x80, length >> 14];
    const size = Buffer.byteLength(topic);
    return Buffer.concat([Buffer.from([0x30, ...head, size >> 8, size & 0xff]), Buffer.from(topic), Buffer.from("{}")]);
}
