import assert from "node:assert/strict";
import fc from "fast-check";
import { generate, type Packet } from "mqtt-packet";
import { FramingFilter } from "../../../src/connection/framing-filter";

const strayPing = Buffer.from([0xde, 0x00]);

const payloads = fc.oneof(
    fc.uint8Array({ maxLength: 300 }),
    // Bodies full of the very bytes the filter looks for.
    fc.array(fc.constantFrom(0xde, 0x00, 0xd0), { maxLength: 300 }).map((bytes) => Uint8Array.from(bytes)),
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

describe("framing filter", () => {
    it("removes each stray ping and passes everything else byte for byte, whatever the chunks", () => {
        fc.assert(
            fc.property(streams, chunkLengths, (stream, lengths) => {
                const sent = stream.map((item) => (item === "stray" ? strayPing : generate(item)));
                const expected = stream.flatMap((item) => (item === "stray" ? [] : [generate(item)]));
                let strays = 0;
                const filter = new FramingFilter({ strayPing: () => strays++ }, assert.fail);
                const passed = inChunks(Buffer.concat(sent), lengths).map((chunk) => filter.push(chunk));
                assert.deepEqual(Buffer.concat(passed), Buffer.concat(expected));
                assert.equal(strays, stream.filter((item) => item === "stray").length);
            }),
        );
    });

    it("passes the same buffer on if there is nothing to remove", () => {
        const chunk = Buffer.concat([generate({ cmd: "pingresp" }), generate({ cmd: "puback", messageId: 7 })]);
        assert.equal(new FramingFilter({ strayPing: assert.fail }, assert.fail).push(chunk), chunk);
    });

    it("recognises every set of reserved flags, even if the two bytes arrive separately", () => {
        for (let first = 0xd1; first <= 0xdf; first++) {
            let strays = 0;
            const filter = new FramingFilter({ strayPing: () => strays++ }, assert.fail);
            assert.equal(filter.push(Buffer.of(first)).length, 0);
            assert.equal(filter.push(Buffer.of(0)).length, 0);
            assert.equal(strays, 1);
        }
    });

    it("passes a ping response with a body, for MQTT.js to judge", () => {
        const filter = new FramingFilter({ strayPing: assert.fail }, assert.fail);
        const passed = [Buffer.of(0xde), Buffer.of(0x01), Buffer.of(0xde, 0x40)].map((chunk) => filter.push(chunk));
        assert.deepEqual(Buffer.concat(passed), Buffer.of(0xde, 0x01, 0xde, 0x40));
    });

    for (const [name, length, words] of [
        ["a length of five bytes", [0xff, 0xff, 0xff, 0xff], /four bytes/],
        ["a packet of 256 MB", [0xff, 0xff, 0xff, 0x7f], /268435455 bytes/],
        ["a packet of one byte more than 16 MiB", [0x81, 0x80, 0x80, 0x08], /16777217 bytes/],
    ] as const) {
        it(`reports ${name} and passes nothing more`, () => {
            const violations: string[] = [];
            const filter = new FramingFilter({ strayPing: assert.fail }, (detail) => violations.push(detail));
            filter.push(Buffer.of(0x30, ...length));
            assert.equal(violations.length, 1);
            assert.match(String(violations[0]), words);
            assert.equal(filter.push(Buffer.of(0xde, 0x00, 0xd0, 0x00)).length, 0);
        });
    }

    it("passes a packet of 16 MiB", () => {
        const header = Buffer.of(0x30, 0x80, 0x80, 0x80, 0x08);
        assert.equal(new FramingFilter({ strayPing: assert.fail }, assert.fail).push(header), header);
    });

    it("never throws and never passes more bytes than it received, whatever they are", () => {
        fc.assert(
            fc.property(fc.array(fc.uint8Array({ maxLength: 40 }), { maxLength: 20 }), (chunks) => {
                const filter = new FramingFilter({ strayPing: () => undefined }, () => undefined);
                let [received, passed] = [0, 0];
                for (const chunk of chunks) {
                    received += chunk.length;
                    passed += filter.push(Buffer.from(chunk)).length;
                    assert.ok(passed <= received);
                }
            }),
        );
    });
});
