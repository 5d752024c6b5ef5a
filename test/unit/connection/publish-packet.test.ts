import assert from "node:assert/strict";
import fc from "fast-check";
import { generate } from "mqtt-packet";
import { PublishPacket } from "../../../src/connection/publish-packet";

const topics = fc.string({ unit: "grapheme", minLength: 1, maxLength: 60 }).filter((topic) => topic.length > 0);
const payloads = fc.oneof(
    fc.string({ unit: "binary", maxLength: 300 }),
    fc.uint8Array({ maxLength: 300 }).map((bytes) => Buffer.from(bytes)),
    // Around each number of bytes that the remaining length takes.
    fc
        .constantFrom(127, 16_383, 2_097_151)
        .chain((length) => fc.integer({ min: length - 80, max: length }).map((bytes) => "x".repeat(bytes))),
);

describe("a PUBLISH of our own", () => {
    it("has the bytes that mqtt-packet writes, and no more than it announces, whatever is in it", () => {
        fc.assert(
            fc.property(
                topics,
                payloads,
                fc.constantFrom<0 | 1 | 2>(0, 1, 2),
                fc.integer({ min: 1, max: 65_535 }),
                fc.nat(20),
                (topic, payload, qos, messageId, start) => {
                    const packet = new PublishPacket(topic, payload, qos, messageId);
                    const target = Buffer.alloc(start + packet.maxBytes);
                    const end = packet.encode(target, start);
                    const expected = generate({ cmd: "publish", topic, payload, qos, messageId, dup: false, retain: false });
                    assert.deepEqual(target.subarray(start, end), expected);
                    assert.deepEqual(packet.encoded(), expected);
                },
            ),
        );
    });
});
