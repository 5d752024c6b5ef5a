import assert from "node:assert/strict";
import type { ReceivedCommand } from "../../../src/gateway/inbound/command";
import { CommandHistory } from "../../../src/gateway/monitor/command-history";

function command(id: string, more: Partial<ReceivedCommand> = {}): ReceivedCommand {
    const parts = { typeId: "t", deviceId: id, commandId: "c", format: "json" };
    const flags = { qos: 1, duplicate: false, retain: false, isReplayed: false } as const;
    return { id, topic: "", levels: [], ...parts, ...flags, payload: Buffer.of(), receivedAt: 5, ...more };
}

describe("history of commands", () => {
    it("lists what ended at once, and what is in work, with the outcome and the time taken once it has ended", () => {
        const history = new CommandHistory();
        history.ended(command("a"), "received", undefined);
        history.started(command("b", { duplicate: true, isReplayed: true }));
        history.ended(command("b"), "answered", 1234.5);
        assert.deepEqual(history.items, [
            { at: 5, typeId: "t", deviceId: "a", commandId: "c", outcome: "received" },
            { at: 5, typeId: "t", deviceId: "b", commandId: "c", duplicate: true, replayed: true, outcome: "answered", tookMs: 1235 },
        ]);
        assert.equal(history.count, 3);
    });

    it("keeps the last fifty, and lists one again that ended when fifty others had come", () => {
        const history = new CommandHistory();
        history.started(command("slow"));
        for (let i = 0; i < 60; i++) history.ended(command(`c${i}`), "received", undefined);
        assert.deepEqual([history.items.length, history.items[0]?.deviceId], [50, "c10"]);
        history.ended(command("slow"), "timeout", 60_000);
        assert.deepEqual([history.items.length, history.items.at(-1)?.outcome], [50, "timeout"]);
    });

    it("cuts ids of any length", () => {
        const history = new CommandHistory();
        history.ended(command("a", { commandId: "x".repeat(60_000) }), "bad", undefined);
        assert.equal(history.items[0]?.commandId.length, 201);
    });
});
