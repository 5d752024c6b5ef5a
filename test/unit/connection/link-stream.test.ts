import assert from "node:assert/strict";
import { Duplex } from "node:stream";
import fc from "fast-check";
import { generate } from "mqtt-packet";
import { LinkStream } from "../../../src/connection/link-stream";

/** A socket whose other end is the test: it has as many bytes as it is asked for, and counts them. */
class FakeSocket extends Duplex {
    readonly #source: Buffer;
    readonly #chunkBytes: number;
    /** Bytes that were taken from the network. */
    taken = 0;

    constructor(source: Buffer, chunkBytes: number) {
        super({ readableHighWaterMark: 1 });
        this.#source = source;
        this.#chunkBytes = chunkBytes;
    }

    override _read(): void {
        const chunk = this.#source.subarray(this.taken, this.taken + this.#chunkBytes);
        this.taken += chunk.length;
        this.push(chunk.length > 0 ? chunk : null);
    }

    override _write(_chunk: Buffer, _encoding: string, done: () => void): void {
        done();
    }
}

const unexpected = { violated: assert.fail, acknowledged: assert.fail, oversized: assert.fail };
const turn = () => new Promise((resolve) => setImmediate(resolve));
const command = (payload: string) =>
    generate({ cmd: "publish", topic: "iot-2/type/t/id/d/cmd/c/fmt/json", payload, qos: 1, messageId: 7, dup: false, retain: false });

describe("link stream", () => {
    it("passes the server's bytes in order to a reader of any pace, without the stray pings", async () => {
        await fc.assert(
            fc.asyncProperty(
                fc.array(fc.oneof(fc.string({ maxLength: 200 }).map(command), fc.constant("stray" as const)), { maxLength: 40 }),
                fc.integer({ min: 1, max: 3_000 }),
                fc.integer({ min: 1, max: 500 }),
                async (packets, chunkBytes, readBytes) => {
                    const sent = Buffer.concat(packets.map((packet) => (packet === "stray" ? Buffer.of(0xde, 0) : packet)));
                    let strays = 0;
                    const stream = new LinkStream(new FakeSocket(sent, chunkBytes), { strayPing: () => strays++ }, unexpected);
                    const read: Buffer[] = [];
                    stream.on("readable", () => {
                        for (let part = stream.read(readBytes) ?? stream.read(); part; part = stream.read(readBytes) ?? stream.read()) {
                            read.push(part);
                        }
                    });
                    const ended = new Promise((resolve) => stream.once("end", resolve));
                    stream.read(0);
                    await ended;
                    assert.deepEqual(Buffer.concat(read), Buffer.concat(packets.filter((packet) => packet !== "stray")));
                    assert.equal(strays, packets.filter((packet) => packet === "stray").length);
                    assert.equal(stream.receivedBytes, sent.length);
                },
            ),
            { numRuns: 60 },
        );
    });

    it("stops reading from the network while its reader pauses, and resumes afterwards", async () => {
        const sent = Buffer.concat(Array.from({ length: 5_000 }, () => command("x".repeat(200))));
        const socket = new FakeSocket(sent, 1_000);
        const stream = new LinkStream(socket, { strayPing: assert.fail }, unexpected);
        for (let i = 0; i < 2_000; i++) await turn();
        const takenUnread = socket.taken;
        assert.ok(takenUnread < 100_000, `${takenUnread} bytes were taken for nobody`);
        const read: Buffer[] = [];
        stream.on("data", (chunk: Buffer) => read.push(chunk));
        await new Promise((resolve) => stream.once("end", resolve));
        assert.deepEqual(Buffer.concat(read), sent);
    });
});
