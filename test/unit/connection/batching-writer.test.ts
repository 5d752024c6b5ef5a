import assert from "node:assert/strict";
import { Writable } from "node:stream";
import { setImmediate as turn } from "node:timers/promises";
import fc from "fast-check";
import { generate } from "mqtt-packet";
import { BatchingWriter } from "../../../src/connection/batching-writer";
import { PublishPacket } from "../../../src/connection/publish-packet";

async function turns(count: number): Promise<void> {
    for (let i = 0; i < count; i++) await turn();
}

/** A socket that takes a buffer only when the test says so. */
class SlowSocket extends Writable {
    readonly taken: Buffer[] = [];
    #resume: (() => void) | undefined;
    slow = false;

    override _write(chunk: Buffer, _encoding: BufferEncoding, done: () => void): void {
        this.taken.push(Buffer.from(chunk));
        if (this.slow) this.#resume = done;
        else done();
    }

    takeMore(): void {
        const resume = this.#resume;
        this.#resume = undefined;
        resume?.();
    }
}

describe("batching writer", () => {
    it("joins the writes of one turn into one buffer", async () => {
        const socket = new SlowSocket();
        const writer = new BatchingWriter(socket, assert.fail);
        writer.write(Buffer.of(1, 2));
        writer.write("é", "utf8");
        writer.write(Buffer.of(3));
        assert.equal(writer.waitingBytes, 5);
        await turns(2);
        assert.deepEqual(socket.taken, [Buffer.from([1, 2, 0xc3, 0xa9, 3])]);
        await turn();
        assert.equal(writer.waitingBytes, 0);
        assert.equal(writer.writtenBytes, 5);
    });

    it("writes packets of any size in order, between other writes", async () => {
        const sizes = fc.oneof(fc.nat(300), fc.integer({ min: 5_000, max: 6_000 }), fc.integer({ min: 16_000, max: 40_000 }));
        await fc.assert(
            fc.asyncProperty(fc.array(sizes, { maxLength: 30 }), async (lengths) => {
                const socket = new SlowSocket();
                const writer = new BatchingWriter(socket, () => undefined);
                const expected: Buffer[] = [];
                for (const [index, length] of lengths.entries()) {
                    const payload = "é".repeat(length);
                    writer.writePacket(new PublishPacket("t", payload, 1, index + 1));
                    writer.write(Buffer.of(index));
                    const publish = {
                        cmd: "publish",
                        topic: "t",
                        payload,
                        qos: 1,
                        messageId: index + 1,
                        dup: false,
                        retain: false,
                    } as const;
                    expected.push(generate(publish), Buffer.of(index));
                }
                assert.equal(writer.waitingBytes, Buffer.concat(expected).length);
                await new Promise<void>((resolve) => writer.whenEmpty(resolve));
                assert.deepEqual(Buffer.concat(socket.taken), Buffer.concat(expected));
                assert.equal(writer.waitingBytes, 0);
            }),
            { numRuns: 50 },
        );
    });

    it("keeps collecting while each turn adds something, but not for long", async () => {
        const socket = new SlowSocket();
        const writer = new BatchingWriter(socket, assert.fail);
        for (let i = 0; i < 5; i++) {
            writer.write(Buffer.of(i));
            await turn();
        }
        await turn();
        assert.deepEqual(socket.taken, [Buffer.of(0, 1, 2, 3, 4)]);
        for (let i = 0; i < 100; i++) {
            writer.write(Buffer.of(i));
            await turn();
        }
        assert.ok(socket.taken.length >= 5, `${socket.taken.length} batches`);
    });

    it("does not wait for more when a batch is full", async () => {
        const socket = new SlowSocket();
        const writer = new BatchingWriter(socket, assert.fail);
        writer.write(Buffer.alloc(10_000));
        writer.write(Buffer.alloc(10_000));
        await turn();
        assert.equal(socket.taken.length, 2);
    });

    it("keeps every byte in order, whatever the sizes", async () => {
        const chunks = fc.array(
            fc.oneof(
                fc.uint8Array({ maxLength: 40 }),
                fc.string({ maxLength: 40, unit: "grapheme" }),
                fc.integer({ min: 15_000, max: 50_000 }).map((length) => new Uint8Array(length).fill(length % 251)),
                fc.integer({ min: 5_000, max: 20_000 }).map((length) => "ß".repeat(length)),
            ),
            { maxLength: 20 },
        );
        await fc.assert(
            fc.asyncProperty(chunks, async (written) => {
                const socket = new SlowSocket();
                const writer = new BatchingWriter(socket, () => {});
                for (const chunk of written) writer.write(chunk);
                await new Promise<void>((resolve) => writer.whenEmpty(resolve));
                const expected = Buffer.concat(written.map((chunk) => (typeof chunk === "string" ? Buffer.from(chunk) : chunk)));
                assert.deepEqual(Buffer.concat(socket.taken), expected);
                assert.equal(writer.writtenBytes, expected.length);
            }),
            { numRuns: 50 },
        );
    });

    it("does not overwrite bytes that the socket has not taken yet", async () => {
        const socket = new SlowSocket();
        socket.slow = true;
        const writer = new BatchingWriter(socket, () => {});
        for (let i = 0; i < 5; i++) {
            writer.write(Buffer.alloc(10_000, i));
            await turns(2);
        }
        for (let i = 0; i < 10; i++) {
            socket.takeMore();
            await turns(2);
        }
        assert.deepEqual(Buffer.concat(socket.taken), Buffer.concat([0, 1, 2, 3, 4].map((i) => Buffer.alloc(10_000, i))));
    });

    it("asks for a pause when the socket does not keep up, and reports its end", async () => {
        const socket = new SlowSocket();
        socket.slow = true;
        let drains = 0;
        const writer = new BatchingWriter(socket, () => drains++);
        assert.equal(writer.write(Buffer.alloc(30_000)), true);
        assert.equal(writer.write(Buffer.alloc(40_000)), false);
        assert.equal(writer.write(Buffer.alloc(1)), false);
        for (let i = 0; i < 10; i++) {
            await turns(2);
            socket.takeMore();
        }
        await turn();
        assert.equal(drains, 1);
        assert.equal(writer.write(Buffer.alloc(1)), true);
    });

    it("reports progress on a large backlog step by step", async () => {
        const socket = new SlowSocket();
        socket.slow = true;
        const writer = new BatchingWriter(socket, () => {});
        writer.write(Buffer.alloc(131_072));
        await turn();
        socket.takeMore();
        await turn();
        assert.ok(writer.writtenBytes > 0 && writer.writtenBytes < 131_072);
    });
});
