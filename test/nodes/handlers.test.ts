import assert from "node:assert/strict";
import type { NodeAPI } from "node-red";
import helper from "node-red-node-test-helper";
import { defineType, onClose } from "../../src/node-red/api";
import { onInput } from "../../src/node-red/message-completion";
import { NodeOutput } from "../../src/node-red/node-output";
import { Inbox, load, observers, withRuntime } from "../support/drivers/flow-runner";
import { codeOf } from "../support/records";

/** Each of these is a trap of Node-RED that was seen to end the process or to lose an error. */
describe("handlers of nodes", () => {
    withRuntime();

    async function start(define: (RED: NodeAPI) => void): Promise<{ caught: Inbox; completed: Inbox }> {
        await load([{ id: "event", type: "trial" }, ...observers], {}, [define]);
        return { caught: new Inbox("caught"), completed: new Inbox("completed") };
    }

    it("an asynchronous input handler that throws fails its message instead of ending Node-RED", async () => {
        const { caught } = await start((RED) =>
            defineType(RED, "trial", (node) =>
                onInput(node, { output: new NodeOutput(RED, node), code: "GW_INVALID_PAYLOAD" }, async () => {
                    await Promise.resolve();
                    throw new Error("later");
                }),
            ),
        );
        helper.getNode("event").receive({ payload: 1 });
        const { error } = await caught.next();
        assert.equal(codeOf({ error }), "GW_INVALID_PAYLOAD");
    });

    it("an input handler that throws at once fails its message", async () => {
        const { caught } = await start((RED) =>
            defineType(RED, "trial", (node) =>
                onInput(node, { output: new NodeOutput(RED, node), code: "GW_INVALID_PAYLOAD" }, () => {
                    throw "a string";
                }),
            ),
        );
        helper.getNode("event").receive({ payload: 1 });
        await caught.next();
    });

    it("a message completes exactly once, whatever the handler does afterwards", async () => {
        const { caught, completed } = await start((RED) =>
            defineType(RED, "trial", (node) =>
                onInput(node, { output: new NodeOutput(RED, node), code: "GW_INVALID_PAYLOAD" }, (_message, completion) => {
                    completion.done();
                    completion.done();
                    throw new Error("after the end");
                }),
            ),
        );
        helper.getNode("event").receive({ payload: 1 });
        helper.getNode("event").receive({ payload: 2 });
        await completed.next(({ payload }) => payload === 2);
        assert.deepEqual([completed.messages.length, caught.messages.length], [2, 0]);
    });

    it("Node-RED waits for an asynchronous close handler, even if it rejects", async () => {
        const ended: string[] = [];
        await start((RED) =>
            defineType(RED, "trial", (node) => {
                onClose(node, async () => {
                    await new Promise((resolve) => setImmediate(resolve));
                    ended.push("closed");
                    throw new Error("close failed");
                });
            }),
        );
        await helper.unload();
        assert.deepEqual(ended, ["closed"]);
    });

    it("a close handler that throws does not keep Node-RED from stopping", async () => {
        await start((RED) =>
            defineType(RED, "trial", (node) =>
                onClose(node, () => {
                    throw new Error("close failed");
                }),
            ),
        );
        const before = performance.now();
        await helper.unload();
        assert.ok(performance.now() - before < 5000, "unload waited for the close timeout");
    });

    it("node.on returns nothing at runtime, so that calls cannot be chained", async () => {
        let returned: unknown = "not called";
        await start((RED) =>
            defineType(RED, "trial", (node) => {
                returned = node.on("close", () => undefined);
            }),
        );
        assert.equal(returned, undefined);
    });
});
