import assert from "node:assert/strict";
import fc from "fast-check";
import { generate, type Packet } from "mqtt-packet";
import { FramingFilter } from "../../../src/connection/framing-filter";
import { maxPacketBytes } from "../../../src/connection/link";

const strayPing = Buffer.from([0xde, 0x00]);

/** A filter and everything it reports. */
class Setup {
    strays = 0;
    readonly violations: string[] = [];
    readonly oversized: { publish: number; bytes: number }[] = [];
    readonly acknowledged: { packetId: number; preceding: number }[] = [];
    /** Whether the owner of a publish takes its acknowledgement. */
    takes: (packetId: number) => boolean = () => false;
    readonly filter = new FramingFilter(
        { strayPing: () => this.strays++ },
        {
            violated: (detail) => this.violations.push(detail),
            acknowledged: (packetId, preceding) => {
                this.acknowledged.push({ packetId, preceding });
                return this.takes(packetId);
            },
            oversized: (publish, bytes) => this.oversized.push({ publish, bytes }),
        },
    );

    /** What passes of these chunks. */
    push(...chunks: Uint8Array[]): Buffer {
        return Buffer.concat(chunks.map((chunk) => this.filter.push(Buffer.from(chunk))));
    }
}

const payloads = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    // Bodies full of the very bytes the filter looks for.
    fc.array(fc.constantFrom(0xde, 0x00, 0xd0, 0x90), { maxLength: 300 }).map((bytes) => Uint8Array.from(bytes)),
    fc.integer({ min: 16_000, max: 17_000 }).map((length) => new Uint8Array(length).fill(0xde)),
);
const messageId = fc.integer({ min: 1, max: 65_535 });
const packets: fc.Arbitrary<Packet> = fc.oneof(
    messageId.map((id): Packet => ({ cmd: "puback", messageId: id })),
    messageId.map((id): Packet => ({ cmd: "suback", messageId: id, granted: [128] })),
    fc.constant<Packet>({ cmd: "pingresp" }),
    fc.tuple(messageId, payloads, fc.constantFrom<0 | 1 | 2>(0, 1, 2)).map(
        ([id, payload, qos]): Packet => ({
            cmd: "publish",
            topic: "iot-2/type/t/id/d/cmd/c/fmt/bin",
            payload: Buffer.from(payload),
            qos,
            messageId: id,
            dup: false,
            retain: false,
        }),
    ),
);
const streams = fc.array(fc.oneof({ weight: 3, arbitrary: packets }, { weight: 1, arbitrary: fc.constant("stray" as const) }), {
    maxLength: 30,
});
const chunkLengths = fc.infiniteStream(fc.oneof(fc.integer({ min: 1, max: 4 }), fc.integer({ min: 1, max: 5_000 })));

function inChunks(bytes: Buffer, lengths: Iterator<number>): Buffer[] {
    const chunks: Buffer[] = [];
    for (let at = 0; at < bytes.length; ) {
        const length = Number(lengths.next().value);
        chunks.push(bytes.subarray(at, at + length));
        at += length;
    }
    return chunks;
}

/** A PUBLISH as it would be without the limit of mqtt-packet's memory: fixed header, topic and id, and so many zeros. */
function publishOf(flags: number, topic: string, id: number | undefined, payloadBytes: number): Buffer {
    const name = Buffer.from(topic);
    const variableHeader = Buffer.concat([
        Buffer.of(name.length >> 8, name.length & 0xff),
        name,
        id === undefined ? Buffer.alloc(0) : Buffer.of(id >> 8, id & 0xff),
    ]);
    const length = variableHeader.length + payloadBytes;
    const encoded: number[] = [];
    for (let rest = length; rest > 0 || encoded.length === 0; rest >>= 7) encoded.push((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    return Buffer.concat([Buffer.of(0x30 | flags), Buffer.from(encoded), variableHeader, Buffer.alloc(payloadBytes)]);
}

describe("framing filter", () => {
    it("removes each stray ping and passes everything else byte for byte, whatever the chunks", () => {
        fc.assert(
            fc.property(streams, chunkLengths, (stream, lengths) => {
                const sent = stream.map((item) => (item === "stray" ? strayPing : generate(item)));
                const expected = stream.flatMap((item) => (item === "stray" ? [] : [generate(item)]));
                const setup = new Setup();
                assert.deepEqual(setup.push(...inChunks(Buffer.concat(sent), lengths)), Buffer.concat(expected));
                assert.equal(setup.strays, stream.filter((item) => item === "stray").length);
                assert.deepEqual([setup.violations, setup.oversized], [[], []]);
            }),
        );
    });

    it("takes out each PUBACK that its owner takes, and says how many packets passed before it, for any chunks", () => {
        fc.assert(
            fc.property(streams, chunkLengths, (stream, lengths) => {
                const setup = new Setup();
                setup.takes = (packetId) => packetId % 2 === 0;
                const expected: Buffer[] = [];
                const acknowledged: { packetId: number; preceding: number }[] = [];
                for (const item of stream) {
                    if (item === "stray") continue;
                    const packetId = item.cmd === "puback" ? (item.messageId ?? 0) : undefined;
                    if (packetId !== undefined) acknowledged.push({ packetId, preceding: expected.length });
                    if (packetId === undefined || packetId % 2 !== 0) expected.push(generate(item));
                }
                const sent = stream.map((item) => (item === "stray" ? strayPing : generate(item)));
                assert.deepEqual(setup.push(...inChunks(Buffer.concat(sent), lengths)), Buffer.concat(expected));
                assert.deepEqual(setup.acknowledged, acknowledged);
            }),
        );
    });

    it("passes a PUBACK with flags, without an id or with a reason code, for MQTT.js to judge", () => {
        const bytes = Buffer.of(0x41, 2, 0, 7, 0x40, 0, 0x40, 1, 7, 0x40, 3, 0, 7, 0);
        const setup = new Setup();
        setup.takes = () => true;
        assert.deepEqual(setup.push(...inChunks(bytes, [3, 1, 1, 20].values())), bytes);
        assert.deepEqual(setup.acknowledged, []);
    });

    it("passes the same buffer on if there is nothing to remove", () => {
        const chunk = Buffer.concat([generate({ cmd: "pingresp" }), generate({ cmd: "puback", messageId: 7 })]);
        assert.equal(new Setup().filter.push(chunk), chunk);
    });

    it("recognises every set of reserved flags, even if the two bytes arrive separately", () => {
        for (let first = 0xd1; first <= 0xdf; first++) {
            const setup = new Setup();
            assert.equal(setup.push(Buffer.of(first), Buffer.of(0)).length, 0);
            assert.equal(setup.strays, 1);
        }
    });

    it("passes a ping response with a body, for MQTT.js to judge", () => {
        const bytes = [Buffer.of(0xde), Buffer.of(0x01), Buffer.of(0xde, 0x40), Buffer.of(0x02, 0x00, 0x07)];
        assert.deepEqual(new Setup().push(...bytes), Buffer.of(0xde, 0x01, 0xde, 0x40, 0x02, 0x00, 0x07));
    });

    it("turns every SUBACK code with the top bit set into a refusal, and leaves the packet id alone, for any chunks", () => {
        const codes = fc.array(fc.integer({ min: 0, max: 255 }), { minLength: 1, maxLength: 4 });
        fc.assert(
            fc.property(messageId, codes, chunkLengths, (id, granted, lengths) => {
                const suback = (values: number[]) => Buffer.from([0x90, values.length + 2, id >> 8, id & 0xff, ...values]);
                const pingResponse = Buffer.of(0xd0, 0);
                const sent = Buffer.concat([suback(granted), pingResponse, suback([0x87])]);
                const expected = [suback(granted.map((code) => (code >= 0x80 ? 0x80 : code))), pingResponse, suback([0x80])];
                assert.deepEqual(new Setup().push(...inChunks(sent, lengths)), Buffer.concat(expected));
            }),
        );
    });

    it("replaces a PUBLISH over the limit by an empty one with the same flags, topic and id, for any chunks", () => {
        const flags = fc.tuple(fc.constantFrom(0, 1, 2), fc.boolean(), fc.boolean()).map(([qos, dup, retain]) => ({
            qos,
            bits: (dup ? 8 : 0) | (qos << 1) | (retain ? 1 : 0),
        }));
        const topics = fc.oneof(fc.string({ minLength: 1, maxLength: 20 }), fc.constant("x".repeat(300)));
        const chunks = fc.infiniteStream(fc.oneof(fc.integer({ min: 1, max: 3 }), fc.integer({ min: 100_000, max: 4_000_000 })));
        fc.assert(
            fc.property(flags, topics, messageId, chunks, ({ qos, bits }, topic, id, lengths) => {
                const packetId = qos > 0 ? id : undefined;
                const large = publishOf(bits, topic, packetId, maxPacketBytes);
                const [before, after] = [publishOf(0, "before", undefined, 5), generate({ cmd: "puback", messageId: 7 })];
                const setup = new Setup();
                const passed = setup.push(...inChunks(Buffer.concat([before, large, after]), lengths));
                assert.deepEqual(passed, Buffer.concat([before, publishOf(bits, topic, packetId, 0), after]));
                assert.deepEqual(setup.oversized, [{ publish: 2, bytes: large.length - 5 }]);
                assert.deepEqual(setup.violations, []);
            }),
            { numRuns: 20 },
        );
    });

    it("says of which packet a part has come in", () => {
        const setup = new Setup();
        const command = publishOf(0, "t", undefined, 10);
        setup.push(generate({ cmd: "pingresp" }));
        assert.equal(setup.filter.incomingPacket, 0);
        setup.push(command.subarray(0, 8));
        assert.equal(setup.filter.incomingPacket, 2);
        setup.push(command.subarray(8));
        assert.equal(setup.filter.incomingPacket, 0);
    });

    for (const [name, first, length, text] of [
        ["a length of five bytes", 0x30, [0xff, 0xff, 0xff, 0xff], /four bytes/],
        ["a packet of 256 MB that is no PUBLISH", 0x90, [0xff, 0xff, 0xff, 0x7f], /268435455 bytes/],
        ["a packet of one byte more than 16 MiB that is no PUBLISH", 0x40, [0x81, 0x80, 0x80, 0x08], /16777217 bytes/],
    ] as const) {
        it(`reports ${name} and passes nothing more`, () => {
            const setup = new Setup();
            setup.push(Buffer.of(first, ...length));
            assert.equal(setup.violations.length, 1);
            assert.match(String(setup.violations[0]), text);
            assert.equal(setup.push(Buffer.of(0xde, 0x00, 0xd0, 0x00)).length, 0);
        });
    }

    it("passes a packet of 16 MiB", () => {
        const header = Buffer.of(0x30, 0x80, 0x80, 0x80, 0x08);
        assert.equal(new Setup().filter.push(header), header);
    });

    it("never throws and never passes more bytes than it received, whatever they are", () => {
        fc.assert(
            fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (chunks) => {
                const setup = new Setup();
                let [received, passed] = [0, 0];
                for (const chunk of chunks) {
                    received += chunk.length;
                    passed += setup.push(chunk).length;
                    assert.ok(passed <= received);
                }
            }),
        );
    });
});
