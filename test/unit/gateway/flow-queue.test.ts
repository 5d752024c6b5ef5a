import assert from "node:assert/strict";
import fc from "fast-check";
import type { ReceivedCommand } from "../../../src/gateway/inbound/command";
import { FlowQueue } from "../../../src/gateway/inbound/flow-queue";

function command(id: string, payload: Buffer = Buffer.from(id)): ReceivedCommand {
    const parts = { typeId: "t", deviceId: "d", commandId: "c", format: "json" };
    return {
        id,
        topic: "topic",
        levels: ["topic"],
        ...parts,
        payload,
        qos: 1,
        duplicate: false,
        retain: false,
        isReplayed: false,
        receivedAt: 0,
    };
}

/** A queue before flows that have room for a number of commands. */
class Setup {
    room = Number.POSITIVE_INFINITY;
    /** What reached the flows, in order. */
    readonly passed: string[] = [];
    /** Each change of whether reading is held. */
    readonly held: boolean[] = [];
    readonly queue = new FlowQueue({
        monotonicMs: () => 0,
        handOver: ({ id, payload }) => {
            if (this.room === 0) return false;
            this.room -= 1;
            this.passed.push(id);
            this.payloads.push(payload);
            return true;
        },
        holdReading: (isHeld) => this.held.push(isHeld),
    });
    readonly payloads: Buffer[] = [];

    command(id: string, payload?: Buffer): void {
        this.queue.pass(command(id, payload), () => undefined);
    }

    request(id: string): void {
        this.queue.run(id.length, () => this.passed.push(id));
    }
}

describe("queue of commands for the flows", () => {
    it("hands over at once while there is room", () => {
        const setup = new Setup();
        setup.command("a");
        setup.request("r");
        assert.deepEqual([setup.passed, setup.queue.size], [["a", "r"], 0]);
    });

    it("keeps commands and requests while flows stop and start, and hands them over in order", () => {
        const setup = new Setup();
        setup.queue.pause();
        setup.command("a");
        setup.request("r");
        setup.command("b");
        assert.deepEqual([setup.passed, setup.queue.size], [[], 3]);
        setup.queue.resume();
        setup.command("c");
        assert.deepEqual([setup.passed, setup.queue.size], [["a", "r", "b", "c"], 0]);
    });

    it("keeps commands in order while as many as may be are in work, and lets requests pass", () => {
        const setup = new Setup();
        setup.room = 1;
        for (const id of ["a", "b", "c"]) setup.command(id);
        setup.request("r");
        assert.deepEqual(setup.passed, ["a", "r"]);
        setup.room = 1;
        setup.queue.drain();
        assert.deepEqual(setup.passed, ["a", "r", "b"]);
        setup.room = 5;
        setup.command("d");
        setup.queue.drain();
        assert.deepEqual(setup.passed, ["a", "r", "b", "c", "d"]);
    });

    it("hands over nothing while it is paused, although there is room", () => {
        const setup = new Setup();
        setup.queue.pause();
        setup.command("a");
        setup.queue.drain();
        assert.deepEqual(setup.passed, []);
    });

    it("stops the reading at a thousand messages, and goes on at half of them", () => {
        const setup = new Setup();
        setup.room = 0;
        for (let i = 0; i < 999; i++) setup.command(`c${i}`);
        assert.deepEqual([setup.held, setup.queue.isReadingHeld], [[], false]);
        setup.command("c999");
        assert.deepEqual([setup.held, setup.queue.isReadingHeld], [[true], true]);
        setup.room = 500;
        setup.queue.drain();
        assert.deepEqual(setup.held, [true]);
        setup.room = 1;
        setup.queue.drain();
        assert.deepEqual(setup.held, [true, false]);
    });

    it("stops the reading at four megabytes", () => {
        const setup = new Setup();
        setup.room = 0;
        for (let i = 0; i < 4; i++) setup.command(`c${i}`, Buffer.alloc(1_000_000));
        assert.deepEqual(setup.held, []);
        setup.command("c4", Buffer.alloc(1_000_000));
        assert.deepEqual(setup.held, [true]);
        setup.queue.clear();
        assert.deepEqual([setup.held, setup.queue.size], [[true, false], 0]);
    });

    it("keeps the bytes of a command, not the chunk that they came in", () => {
        const setup = new Setup();
        setup.room = 0;
        const chunk = Buffer.alloc(1_000_000, "x");
        setup.command("a", chunk.subarray(0, 10));
        setup.room = 1;
        setup.queue.drain();
        assert.equal(setup.payloads[0]?.toString(), "x".repeat(10));
        assert.ok((setup.payloads[0]?.buffer.byteLength ?? 0) < chunk.length);
    });

    it("keeps every command, in order, whatever happens", () => {
        const step = fc.oneof(
            { weight: 5, arbitrary: fc.constant("command") },
            { weight: 1, arbitrary: fc.constant("request") },
            { weight: 2, arbitrary: fc.constantFrom("pause", "resume") },
            { weight: 4, arbitrary: fc.nat(3) },
        );
        fc.assert(
            fc.property(fc.array(step, { maxLength: 80 }), (script) => {
                const setup = new Setup();
                const sent: string[] = [];
                let requests = 0;
                setup.room = 3;
                for (const each of script) {
                    if (each === "command") setup.command(String(sent.push(String(sent.length)) - 1));
                    else if (each === "request") setup.request(`r${requests++}`);
                    else if (each === "pause") setup.queue.pause();
                    else if (each === "resume") setup.queue.resume();
                    else {
                        setup.room += Number(each);
                        setup.queue.drain();
                    }
                }
                setup.room = Number.POSITIVE_INFINITY;
                setup.queue.resume();
                assert.deepEqual(
                    setup.passed.filter((id) => !id.startsWith("r")),
                    sent,
                );
                assert.equal(setup.passed.length, sent.length + requests);
                assert.equal(setup.queue.size, 0);
            }),
        );
    });
});
