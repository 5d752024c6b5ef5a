import assert from "node:assert/strict";
import type { Node, NodeMessage } from "node-red";
import { GatewayError } from "../../../src/errors";
import { Outlet } from "../../../src/node-red/outlet";
import { FakeClock } from "../../support/fake-clock";

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

    asNode(): Node {
        return Object.assign(Object.create(null), {
            _flow: this._flow,
            send: () => this.send(),
            error: this.error.bind(this),
            warn: this.warn.bind(this),
        });
    }
}

const failure = new GatewayError("GW_BAD_COMMAND", "bad");

describe("outlet", () => {
    it("does not fill the log with errors that nobody catches, and says how many it left out", () => {
        const node = new FakeNode();
        const clock = new FakeClock();
        const outlet = new Outlet(node.asNode(), clock);
        for (let count = 0; count < 1000; count++) outlet.raise(failure, {});
        assert.equal(node.logged.length, 30);
        clock.advance(60_000);
        assert.match(node.logged.at(-1) ?? "", /^970 further errors/);
        outlet.raise(failure, {});
        assert.equal(node.logged.length, 32);
        outlet.close();
        assert.equal(clock.timerCount, 0);
    });

    it("gives a Catch node every error", () => {
        const node = new FakeNode();
        node.isCaught = true;
        const clock = new FakeClock();
        const outlet = new Outlet(node.asNode(), clock);
        for (let payload = 0; payload < 1000; payload++) outlet.raise(failure, { payload });
        assert.deepEqual(
            node.caught.map(({ payload }) => payload),
            Array.from({ length: 1000 }, (_, index) => index),
        );
        outlet.close();
        assert.deepEqual(node.logged, []);
    });

    it("logs once what belongs in the log, whether a Catch node takes it or not, and no more than the rest", () => {
        for (const isCaught of [true, false]) {
            const node = new FakeNode();
            node.isCaught = isCaught;
            const clock = new FakeClock();
            const outlet = new Outlet(node.asNode(), clock);
            outlet.raiseAndLog(failure, {});
            assert.equal(node.caught.length, isCaught ? 1 : 0);
            assert.equal(node.logged.length, 1);
            assert.match(node.logged[0] ?? "", /bad/);
            for (let count = 0; count < 1000; count++) outlet.raiseAndLog(failure, {});
            assert.equal(node.caught.length, isCaught ? 1001 : 0);
            assert.equal(node.logged.length, 30);
            outlet.close();
        }
    });

    it("reports a message that cannot be handed over instead of ending the process", () => {
        const node = new FakeNode();
        node.send = () => {
            throw new RangeError("Maximum call stack size exceeded");
        };
        node._flow.handleError = () => {
            throw new TypeError("no hasOwnProperty");
        };
        const clock = new FakeClock();
        const outlet = new Outlet(node.asNode(), clock);
        outlet.send({});
        outlet.raise(failure, {});
        outlet.close();
        assert.match(node.logged[0] ?? "", /call stack/);
        assert.match(node.logged[1] ?? "", /^bad .*hasOwnProperty/);
    });
});
