import assert from "node:assert/strict";
import fc from "fast-check";
import { generate } from "mqtt-packet";
import { GatewayConnection } from "../../../src/connection/gateway-connection";
import { PublishRate } from "../../../src/connection/publish-rate";
import type { PacketKind, SentPacket } from "../../../src/connection/sent-packet";
import type { Qos } from "../../../src/protocol/qos";
import { ConnectionRecorder } from "../../support/doubles/connection-recorder";
import { FakeClock } from "../../support/doubles/fake-clock";
import { fakeTransports } from "../../support/doubles/fake-transport";

const qos = fc.constantFrom<Qos>(0, 1, 2);

function packet(name: string, bytes: number, quality: Qos, kind: PacketKind = "event"): SentPacket {
    return { kind, name, device: "t/a", qos: quality, bytes };
}

/** The bytes of a packet as an encoder makes it. */
function wireBytes({ name, bytes, qos }: SentPacket): number {
    return generate({ cmd: "publish", topic: name, payload: Buffer.alloc(bytes), qos, messageId: 1, dup: false, retain: false }).length;
}

describe("the bytes of publishes", () => {
    it("publishes count as they are on the wire, with topic and headers", () => {
        const topic = fc.string({ minLength: 1, maxLength: 200, unit: "grapheme" }).filter((text) => !/[+#\0\ud800-\udfff]/.test(text));
        const size = fc.oneof(
            fc.integer({ min: 0, max: 300 }),
            fc.integer({ min: 16_000, max: 17_000 }),
            fc.integer({ min: 0, max: 3_000_000 }),
        );
        fc.assert(
            fc.property(topic, size, qos, (name, bytes, quality) => {
                const clock = new FakeClock();
                let paidAtMs = 0;
                const rate = new PublishRate(1, clock, () => {
                    paidAtMs = clock.monotonicMs();
                });
                const sent = packet(name, bytes, quality);
                rate.sent(sent);
                clock.advance(10_000_000_000);
                // A byte a second, but for the slack: of it, and of the rate.
                const expectedMs = ((wireBytes(sent) - 0.05) / 0.995) * 1000;
                assert.ok(Math.abs(paidAtMs - expectedMs) <= 2, `${paidAtMs} ms instead of ${expectedMs}`);
            }),
            { numRuns: 200 },
        );
    });

    it("publishes stay below eleven times the rate in any ten seconds, with repeats on later connections and QoS 0", () => {
        const event = fc.record({ bytes: fc.integer({ min: 0, max: 900 }), quality: qos });
        const step = fc.oneof(
            { weight: 4, arbitrary: fc.record({ kind: fc.constant("events" as const), events: fc.array(event, { maxLength: 20 }) }) },
            { weight: 4, arbitrary: fc.record({ kind: fc.constant("pass" as const), ms: fc.integer({ min: 0, max: 5000 }) }) },
            { weight: 1, arbitrary: fc.constant({ kind: "cut" as const }) },
        );
        fc.assert(
            fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
                const maxBytesPerS = 1000;
                const { connection, clock, recorder, publish, cut, goOnline } = setUp(maxBytesPerS);
                const waiting: SentPacket[] = [];
                const sent: { atMs: number; bytes: number; packet: SentPacket }[] = [];
                const pump = () => {
                    while (waiting.length > 0 && connection.isWritable) {
                        const next = waiting.shift();
                        if (!next) break;
                        sent.push({ atMs: clock.monotonicMs(), bytes: wireBytes(next), packet: next });
                        publish(next);
                    }
                };
                recorder.onDrained = pump;
                for (const each of steps) {
                    if (each.kind === "pass") clock.advance(each.ms);
                    else if (each.kind === "events") {
                        for (const { bytes, quality } of each.events)
                            waiting.push(packet("iot-2/type/t/id/a/evt/e/fmt/json", bytes, quality));
                    } else {
                        // What was sent last is sent again first.
                        waiting.unshift(...sent.slice(-3).map((last) => last.packet));
                        cut();
                        goOnline();
                    }
                    pump();
                }
                for (const [index, { atMs: fromMs }] of sent.entries()) {
                    const window = sent.slice(index).filter(({ atMs }) => atMs - fromMs <= 10_000);
                    const total = window.reduce((sum, { bytes }) => sum + bytes, 0);
                    assert.ok(total <= 11 * maxBytesPerS, `${total} bytes in ten seconds`);
                }
            }),
        );
    });

    it("messages of device management count but never wait, and events wait for them", () => {
        const { connection, clock, recorder } = setUp(1000);
        assert.equal(connection.isWritable, true);
        for (let index = 0; index < 10; index++) connection.publish(packet("iotdm-1/response", 480, 0, "management"), "", () => undefined);
        assert.deepEqual([connection.isWritable, connection.isRateUsedUp], [false, true]);
        clock.advance(4900);
        assert.equal(recorder.drains, 0);
        clock.advance(200);
        assert.deepEqual([recorder.drains, connection.isWritable], [1, true]);
    });

    it("publishes have no limit without the setting, and leave no timer behind", async () => {
        const unlimited = setUp(0);
        for (let index = 0; index < 100; index++) unlimited.connection.publish(packet("t", 100_000, 0), "", () => undefined);
        assert.equal(unlimited.connection.isWritable, true);
        const limited = setUp(10);
        limited.connection.publish(packet("t", 1000, 0), "", () => undefined);
        await limited.connection.stop(1000);
        assert.equal(limited.clock.timerCount, 0);
    });
});

/** A connection that is online. */
function setUp(maxBytesPerS: number) {
    const clock = new FakeClock();
    const transports = fakeTransports();
    const recorder = new ConnectionRecorder();
    const connection = new GatewayConnection({
        host: "broker.test",
        port: 1883,
        transport: "tcp",
        clientId: "g:org:gw:g1",
        keepAliveS: 3600,
        cleanSession: true,
        clock,
        random: () => 0,
        transportFactory: transports.factory,
        maxBytesPerS,
    });
    connection.start(recorder);
    const goOnline = () => transports.latest().owner.connected(false);
    const cut = () => {
        transports.latest().owner.ended({ kind: "closed", stage: "open" });
        while (connection.state.phase === "waiting") clock.advance(100);
    };
    /** Publishes, and the server acknowledges it at once. */
    const publish = (sent: SentPacket) => {
        connection.publish(sent, Buffer.alloc(sent.bytes), () => undefined);
        for (const { settled } of transports.latest().published.splice(0)) settled();
    };
    goOnline();
    return { clock, connection, recorder, publish, cut, goOnline };
}
