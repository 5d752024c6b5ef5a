import assert from "node:assert/strict";
import fc from "fast-check";
import { WebSocketFrames } from "../../../src/connection/websocket-frames";

const response = "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n\r\n";
const [continuation, text, binary, ping] = [0, 1, 2, 9];

/** A frame as a server sends it. */
function frame(opcode: number, payload: Buffer, isFinal = true): Buffer {
    const first = (isFinal ? 0x80 : 0) | opcode;
    if (payload.length < 126) return Buffer.concat([Buffer.of(first, payload.length), payload]);
    const length = Buffer.alloc(payload.length < 65_536 ? 2 : 8);
    if (length.length === 2) length.writeUInt16BE(payload.length);
    else length.writeBigUInt64BE(BigInt(payload.length));
    return Buffer.concat([Buffer.of(first, length.length === 2 ? 126 : 127), length, payload]);
}

/** The frames in some bytes, which must be whole ones. */
function framesIn(bytes: Buffer): { opcode: number; isFinal: boolean; payload: Buffer }[] {
    const frames = [];
    for (let at = 0; at < bytes.length; ) {
        const [first = 0, second = 0] = bytes.subarray(at);
        const short = at + 2;
        const [start, length] =
            second === 126
                ? [short + 2, bytes.readUInt16BE(short)]
                : second === 127
                  ? [short + 8, Number(bytes.readBigUInt64BE(short))]
                  : [short, second];
        assert.ok(start + length <= bytes.length, "a frame ends too soon");
        frames.push({ opcode: first & 0x0f, isFinal: first > 0x7f, payload: bytes.subarray(start, start + length) });
        at = start + length;
    }
    return frames;
}

/** What comes out of some bytes in chunks of these sizes, and the largest part. */
function passed(bytes: Buffer, sizes: readonly number[]): Buffer {
    const frames = new WebSocketFrames();
    const out: Buffer[] = [];
    for (let at = 0, turn = 0; at < bytes.length; turn++) {
        const size = sizes[turn % sizes.length] ?? 1;
        out.push(frames.push(bytes.subarray(at, at + size)));
        at += size;
    }
    return Buffer.concat(out);
}

const anySizes = fc.array(fc.oneof(fc.integer({ min: 1, max: 5 }), fc.integer({ min: 1, max: 70_000 })), { minLength: 1, maxLength: 8 });
const anyPayload = fc.oneof(fc.nat(5), fc.integer({ min: 120, max: 130 }), fc.integer({ min: 65_530, max: 140_000 })).map((size) => {
    return Buffer.from(Array.from({ length: size }, (_, index) => index % 251));
});
const anyMessage = fc.record({
    opcode: fc.constantFrom(text, binary, binary),
    parts: fc.array(anyPayload, { minLength: 1, maxLength: 3 }),
    pinged: fc.boolean(),
});

describe("the frames of a websocket", () => {
    it("frames of binary messages become messages of their own that are no larger than what came in at once", () => {
        fc.assert(
            fc.property(fc.array(anyMessage, { maxLength: 4 }), anySizes, (messages, sizes) => {
                const sent = messages.flatMap(({ opcode, parts, pinged }) =>
                    parts.flatMap((payload, index) => [
                        frame(index === 0 ? opcode : continuation, payload, index === parts.length - 1),
                        ...(pinged ? [frame(ping, Buffer.from("p"))] : []),
                    ]),
                );
                const out = passed(Buffer.concat([Buffer.from(response), ...sent]), sizes);
                assert.equal(out.toString("latin1", 0, response.length), response);
                const frames = framesIn(out.subarray(response.length));
                const bytesOf = (wanted: number) =>
                    Buffer.concat(messages.filter(({ opcode }) => opcode === wanted).flatMap(({ parts }) => parts));
                const ofBinary = frames.filter(({ opcode }) => opcode === binary);
                assert.ok(Buffer.concat(ofBinary.map(({ payload }) => payload)).equals(bytesOf(binary)), "the bytes of binary messages");
                assert.ok(ofBinary.every(({ isFinal, payload }) => isFinal && payload.length <= Math.max(...sizes)));
                const ofText = frames.filter(({ opcode }) => opcode === text || opcode === continuation);
                assert.ok(Buffer.concat(ofText.map(({ payload }) => payload)).equals(bytesOf(text)), "the bytes of texts");
                const pings = messages.reduce((sum, { pinged, parts }) => sum + (pinged ? parts.length : 0), 0);
                assert.equal(frames.filter(({ opcode }) => opcode === ping).length, pings);
            }),
            { numRuns: 15 },
        );
    });

    it("frames follow only a response that agrees to the websocket: another one passes as it is", () => {
        const refusal = Buffer.concat([Buffer.from("HTTP/1.1 404 Not Found\r\n\r\n"), frame(binary, Buffer.alloc(1000))]);
        assert.ok(passed(refusal, [7]).equals(refusal));
    });

    it("frames that break the rules pass as they are, and all that follows them", () => {
        for (const first of [0xc2, 0x92]) {
            const bytes = Buffer.concat([Buffer.from(response), Buffer.of(first, 1, 65), frame(binary, Buffer.alloc(10), false)]);
            assert.ok(passed(bytes, [3]).equals(bytes));
        }
        const masked = Buffer.concat([Buffer.from(response), Buffer.of(0x82, 0x81, 1, 2, 3, 4, 65)]);
        assert.ok(passed(masked, [100]).equals(masked));
    });

    it("frames without bytes vanish", () => {
        const bytes = Buffer.concat([Buffer.from(response), frame(binary, Buffer.alloc(0)), frame(binary, Buffer.from("x"))]);
        assert.deepEqual(
            framesIn(passed(bytes, [1]).subarray(response.length)).map(({ payload }) => payload.toString()),
            ["x"],
        );
    });
});
