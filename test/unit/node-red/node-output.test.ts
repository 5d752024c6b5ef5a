import assert from "node:assert/strict";
import type { Node, NodeAPI, NodeMessage } from "node-red";
import { GatewayError } from "../../../src/errors";
import { NodeOutput } from "../../../src/node-red/node-output";
import { FakeClock } from "../../support/doubles/fake-clock";

/** A node as far as an outlet sees it; `isCaught` = a Catch node takes its errors. */
class FakeNode {
    readonly logged: string[] = [];
    readonly caught: NodeMessage[] = [];
    isCaught = false;
    readonly _flow = {
        handleError: (_node: unknown, _error: Error, message: NodeMessage) => {
            if (this.isCaught) this.caught.push(message);
            return this.isCaught;
        },
    };

    send(): void {}

    error(error: unknown, message?: NodeMessage): void {
        if (!message || !this._flow.handleError(this, new Error(), message)) this.logged.push(String(error));
    }

    warn(text: string): void {
        this.logged.push(text);
    }

    /** The runtime, which notes for which messages its hooks were told. */
    readonly hooked: unknown[] = [];
    asRuntime(): NodeAPI {
        const trigger = (_name: string, { msg }: { msg: unknown }) => void this.hooked.push(msg);
        return Object.assign(Object.create(null), { hooks: { trigger } });
    }

    asNode(): Node {
        return Object.assign(Object.create(null), {
            id: "n",
            _flow: this._flow,
            send: () => this.send(),
            error: this.error.bind(this),
            warn: this.warn.bind(this),
        });
    }
}

const failure = new GatewayError("GW_BAD_COMMAND", "bad");

describe("node output", () => {
    it("does not fill the log with uncaught errors, and logs how many it left out", () => {
        const node = new FakeNode();
        const clock = new FakeClock();
        const output = new NodeOutput(node.asRuntime(), node.asNode(), clock);
        for (let count = 0; count < 1000; count++) output.raise(failure, {});
        assert.equal(node.logged.length, 30);
        clock.advance(60_000);
        assert.match(node.logged.at(-1) ?? "", /^Further errors of this node omitted from the log: 970\./);
        output.raise(failure, {});
        assert.equal(node.logged.length, 32);
        output.close();
        assert.equal(clock.timerCount, 0);
    });

    it("gives a Catch node every error", () => {
        const node = new FakeNode();
        node.isCaught = true;
        const clock = new FakeClock();
        const output = new NodeOutput(node.asRuntime(), node.asNode(), clock);
        for (let payload = 0; payload < 1000; payload++) output.raise(failure, { payload });
        assert.deepEqual(
            node.caught.map(({ payload }) => payload),
            Array.from({ length: 1000 }, (_, index) => index),
        );
        output.close();
        assert.deepEqual(node.logged, []);
    });

    it("logs an error for the log once, with or without a Catch node, and within the same limit", () => {
        for (const isCaught of [true, false]) {
            const node = new FakeNode();
            node.isCaught = isCaught;
            const clock = new FakeClock();
            const output = new NodeOutput(node.asRuntime(), node.asNode(), clock);
            output.raiseAndLog(failure, {});
            assert.equal(node.caught.length, isCaught ? 1 : 0);
            assert.equal(node.logged.length, 1);
            assert.match(node.logged[0] ?? "", /bad/);
            for (let count = 0; count < 1000; count++) output.raiseAndLog(failure, {});
            assert.equal(node.caught.length, isCaught ? 1001 : 0);
            assert.equal(node.logged.length, 30);
            output.close();
        }
    });

    it("fails messages through their callback, and beyond thirty a minute without a log line", () => {
        const node = new FakeNode();
        const clock = new FakeClock();
        const output = new NodeOutput(node.asRuntime(), node.asNode(), clock);
        let called = 0;
        for (let payload = 0; payload < 99; payload++) output.fail(failure, { payload }, () => called++);
        assert.deepEqual([called, node.hooked.length, node.logged.length], [30, 69, 0]);
        node.isCaught = true;
        output.fail(failure, { payload: "caught" }, () => assert.fail("logged"));
        assert.deepEqual(node.caught, [{ payload: "caught" }]);
        output.close();
        assert.match(node.logged[0] ?? "", /^Further errors of this node omitted from the log: 69\./);
    });

    it("hands on a hundred failures a second of a flow that goes in a circle, and at once only what is beyond a thousand that wait", () => {
        const node = new FakeNode();
        node.isCaught = true;
        const clock = new FakeClock();
        const output = new NodeOutput(node.asRuntime(), node.asNode(), clock);
        const fail = (payload: number) => output.fail(failure, { payload }, (error) => node.error(error, { payload }));
        for (let payload = 0; payload < 100; payload++) fail(payload);
        assert.equal(node.caught.length, 100, "a hundred at once");
        for (let payload = 100; payload < 1100; payload++) fail(payload);
        assert.equal(node.caught.length, 100);
        clock.advance(1000);
        assert.equal(node.caught.length, 200);
        for (let payload = 1100; payload < 1250; payload++) fail(payload);
        assert.equal(node.caught.length, 250, "a thousand wait");
        clock.advance(20_000);
        assert.deepEqual(
            node.caught.map(({ payload }) => payload),
            Array.from({ length: 1250 }, (_, index) => index),
        );
        for (let payload = 0; payload < 300; payload++) fail(payload);
        output.close();
        assert.equal(node.caught.length, 1550, "a node that closes hands on what waits");
        assert.equal(clock.timerCount, 0);
    });

    it("counts a message that a Catch node sends back indefinitely, instead of logging a warning for each", () => {
        const node = new FakeNode();
        node.isCaught = true;
        const output = new NodeOutput(node.asRuntime(), node.asNode(), new FakeClock());
        for (let line = 0; line < 30; line++) output.complain("x");
        const looping = (id: string, count: number) => ({ payload: count, error: { source: { id, count } } });
        for (const message of [looping("n", 8), looping("n", 9), looping("other", 9)]) output.raise(failure, message);
        assert.deepEqual(
            node.caught.map(({ payload }) => payload),
            [8, 9],
        );
        output.close();
        assert.match(node.logged.at(-1) ?? "", /^Further errors of this node omitted from the log: 1\./);
    });

    it("raises an error with a stub of a message that cannot be cloned, instead of ending the process", () => {
        const node = new FakeNode();
        node.send = () => {
            throw new RangeError("Maximum call stack size exceeded");
        };
        const { handleError } = node._flow;
        node._flow.handleError = (about, error, message) => {
            if ("payload" in message) throw new TypeError("cannot be cloned");
            return handleError(about, error, message);
        };
        node.isCaught = true;
        const output = new NodeOutput(node.asRuntime(), node.asNode(), new FakeClock());
        output.send({});
        assert.match(node.logged[0] ?? "", /call stack/);
        const topic = {
            get topic(): string {
                throw new Error("no topic");
            },
        };
        for (let count = 0; count < 20; count++) {
            output.raise(failure, { _msgid: "a", topic: "t", payload: 1 });
            output.raise(failure, Object.assign(topic, { _msgid: "b", payload: 1 }));
        }
        assert.equal(node.caught.length, 40);
        assert.deepEqual(node.caught.slice(-2), [{ _msgid: "a", topic: "t" }, { _msgid: "b" }]);
        output.close();
    });
});
