import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { LinkAction } from "../../src/gateway/link-control";
import { GatewayBench } from "../support/drivers/gateway-bench";
import type { RecordedGateway } from "../support/drivers/recorded-gateway";
import { waitFor } from "../support/wait-for";

const ask = (member: RecordedGateway, action: LinkAction) =>
    new Promise<void>((resolve, reject) => member.gateway.controlLink(action, { done: resolve, failed: reject }));
const health = ({ gateway }: RecordedGateway) => gateway.health.read();

describe("a gateway that is paused or closed", () => {
    let bench: GatewayBench;
    let userDir: string;

    beforeEach(async () => {
        bench = await GatewayBench.start();
        userDir = mkdtempSync(path.join(tmpdir(), "link-control-"));
    });

    afterEach(async () => {
        await bench.close();
        rmSync(userDir, { recursive: true, force: true });
    });

    it("a paused gateway accepts and stores events, and a restart ends the pause", async () => {
        const before = await bench.gateway({ outbox: "disk", userDir });
        assert.equal(await before.outcome(before.publish("d1", 0)), "done");
        await ask(before, "pause");
        const { storedTotal } = before.gateway.monitor.overview.outbox;
        for (const payload of [1, 2, 3]) assert.equal(await before.outcome(before.publish("d1", payload, { completion: "safe" })), "done");
        const { outbox, connection } = before.gateway.monitor.overview;
        assert.deepEqual([outbox.storedTotal - storedTotal, outbox.inFlight, connection.phase], [3, 0, "online"]);
        assert.deepEqual([health(before).state, health(before).waiting.events], ["paused", 3]);
        assert.deepEqual(bench.delivered.get("d1"), [0]);
        await before.gateway.close(3000);
        const after = await bench.gateway({ outbox: "disk", userDir });
        await bench.receives("d1", [0, 1, 2, 3]);
        assert.equal(health(after).state, "connected");
    });

    it("a paused gateway without an outbox fails events with GW_NOT_CONNECTED", async () => {
        const member = await bench.gateway({ outbox: "off" });
        assert.equal(await member.outcome(member.publish("d1", 0)), "done");
        await ask(member, "pause");
        assert.equal(await member.outcome(member.publish("d1", 1)), "GW_NOT_CONNECTED");
        await ask(member, "resume");
        assert.equal(await member.outcome(member.publish("d1", 2)), "done");
        assert.deepEqual(bench.delivered.get("d1"), [0, 2]);
    });

    it("a pause fails an event of QoS 0 that waits for the check of its device", async () => {
        const member = await bench.gateway({ registrationLimit: "1" });
        for (const device of ["d1", "d2"]) assert.equal(await member.outcome(member.publish(device, 0)), "done");
        bench.simulator.faults.add({ fault: "registration", devices: "t/d1", never: true });
        bench.simulator.restartFrontEnd();
        await waitFor(() => bench.simulator.observed.counts("g:org:gw:gw1").connect === 2 && member.isOnline, "the next connection");
        member.publish("d1", 1);
        const waiting = member.publish("d2", 1, { qos: 0 });
        await ask(member, "pause");
        assert.equal(await member.outcome(waiting), "GW_NOT_CONNECTED");
    });

    it("an event that is in flight when the gateway is closed is acknowledged first, so nothing is sent twice", async () => {
        const member = await bench.gateway();
        assert.equal(await member.outcome(member.publish("d1", 0)), "done");
        const payloads = Array.from({ length: 300 }, (_, index) => index + 1);
        for (const payload of payloads) member.publish("d1", payload);
        await ask(member, "disconnect");
        assert.deepEqual([health(member).state, health(member).code, health(member).reason], ["closed", undefined, undefined]);
        const { connection, totals } = member.gateway.monitor.overview;
        assert.deepEqual([connection.phase, connection.reason, connection.isWanted], ["closed", undefined, false]);
        assert.ok(Object.values(totals.reconnects).every((count) => count === 0));
        await ask(member, "connect");
        await bench.receives("d1", [0, ...payloads]);
        assert.equal(bench.delivered.get("d1")?.length, 301);
        assert.deepEqual(member.problems, []);
    });

    it("a lost connection of a paused gateway comes back paused", async () => {
        const member = await bench.gateway();
        assert.equal(await member.outcome(member.publish("d1", 0)), "done");
        await ask(member, "pause");
        member.publish("d1", 1);
        bench.simulator.cut("g:org:gw:gw1");
        await waitFor(() => health(member).state === "disconnected", "the loss");
        await waitFor(() => health(member).state === "paused", "the next connection");
        await waitFor(() => bench.simulator.observed.counts("g:org:gw:gw1").subscribe === 2, "the notify subscription");
        assert.deepEqual(bench.delivered.get("d1"), [0]);
        await ask(member, "resume");
        await bench.receives("d1", [0, 1]);
    });

    it("the same problem is reported again after a gateway was closed in between", async () => {
        const member = await bench.gateway();
        bench.simulator.setLink(true);
        await member.problem(/./);
        const [first] = member.problems;
        await ask(member, "disconnect");
        await assert.rejects(ask(member, "connect"), { code: "GW_NETWORK" });
        assert.ok(member.problems.length > 1 && member.problems.every(({ code }) => code === first?.code));
        assert.equal(member.lines.filter((line) => /at a flow's request/.test(line)).length, 2);
    });
});
