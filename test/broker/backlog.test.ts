import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { GatewayState } from "../../src/gateway/gateway-state";
import { SqliteFile } from "../../src/outbox/store/sqlite-file";
import { GatewayBench } from "../support/drivers/gateway-bench";
import { waitFor } from "../support/wait-for";

/** The payloads of all events that came to the platform. */
function published(bench: GatewayBench): string[] {
    return bench.simulator.observed
        .packets()
        .filter(({ command }) => command === "publish")
        .map(({ payload }) => String(payload));
}

describe("a backlog", () => {
    it("completes a queued event when it is on disk, or, if the form says so, when it is acknowledged", async () => {
        const userDir = mkdtempSync(path.join(tmpdir(), "backlog-"));
        const bench = await GatewayBench.start();
        try {
            const member = await bench.gateway({ outbox: "disk", userDir });
            await member.outcome(member.publish("d1", 0, { completion: "acknowledged" }));
            const { outbox } = member.gateway.monitor.overview;
            bench.simulator.setLink(true);
            const safe = member.publish("d1", 1, { completion: "safe" });
            const acknowledged = member.publish("d1", 2, { completion: "acknowledged" });
            assert.equal(await member.outcome(safe), "done");
            await waitFor(() => member.gateway.monitor.overview.outbox.storedTotal === outbox.storedTotal + 2, "both to be on disk");
            assert.equal(member.outcomes.has(acknowledged), false);
            bench.simulator.setLink(false);
            assert.equal(await member.outcome(acknowledged), "done");
            assert.deepEqual(published(bench), ["0", "1", "2"]);
        } finally {
            await bench.close();
            rmSync(userDir, { recursive: true });
        }
    });

    it("counts message ids and event ids against the limit of the outbox", async () => {
        const bench = await GatewayBench.start();
        try {
            const member = await bench.gateway({ outbox: "memory", outboxMaxMb: "1" });
            bench.simulator.setLink(true);
            await waitFor(() => !member.isOnline, "the link to be down");
            const ids = [...Array(8).keys()].map((index) => member.publish("d1", index, { messageId: `${index}`.repeat(200_000) }));
            assert.deepEqual(
                ids.map((id) => member.outcomes.get(id)),
                [...Array(4).fill(undefined), ...Array(4).fill("GW_OUTBOX_FULL")],
            );
            assert.equal(member.gateway.monitor.overview.outbox.bytes, 4 * (200_000 + "0".length + "e".length));
        } finally {
            await bench.close();
        }
    });

    it("reports after a restart which events expired, with their source messages, and sends the rest", async () => {
        const userDir = mkdtempSync(path.join(tmpdir(), "backlog-"));
        const bench = await GatewayBench.start();
        try {
            const before = await bench.gateway({ outbox: "disk", userDir });
            await before.outcome(before.publish("d1", 0));
            bench.simulator.setLink(true);
            const brief = before.publish("d1", 1, { completion: "safe", ttlMs: 500, messageId: "brief" });
            const kept = before.publish("d1", 2, { completion: "safe" });
            for (const message of [brief, kept]) assert.equal(await before.outcome(message), "done");
            await before.gateway.close(3000);
            const after = await bench.gateway({ outbox: "disk", userDir });
            const [{ nodeId, message } = { nodeId: "", message: {} }] = await after.lateErrors("GW_EXPIRED");
            const { time, ...known } = Object(message);
            assert.ok(Date.now() - Date.parse(time) < 60_000, time);
            assert.deepEqual(
                [nodeId, known],
                [
                    "event-node",
                    {
                        _msgid: "brief",
                        typeId: "t",
                        deviceId: "d1",
                        eventId: "e",
                        undelivered: true,
                        payload: 1,
                        format: "json",
                        topic: "iot-2/type/t/id/d1/evt/e/fmt/json",
                        qos: 1,
                        priority: "normal",
                    },
                ],
            );
            bench.simulator.setLink(false);
            await waitFor(() => after.gateway.monitor.overview.outbox.events === 0, "the rest to be sent");
            assert.deepEqual(published(bench), ["0", "2"]);
        } finally {
            await bench.close();
            rmSync(userDir, { recursive: true });
        }
    });

    it("restores backlog and inventory even if the file was in use at the start and is free later", async () => {
        const userDir = mkdtempSync(path.join(tmpdir(), "backlog-"));
        const bench = await GatewayBench.start();
        try {
            const before = await bench.gateway({ outbox: "disk", userDir });
            await before.outcome(before.publish("d1", 0));
            bench.simulator.setLink(true);
            assert.equal(await before.outcome(before.publish("d1", 1, { completion: "safe" })), "done");
            await before.gateway.close(3000);
            const other = new SqliteFile({ path: before.gateway.monitor.overview.outbox.file?.path ?? "", run: 2 });
            other.open();
            bench.simulator.setLink(false);
            const after = await bench.gateway({ outbox: "disk", userDir });
            assert.equal(await after.outcome(after.publish("d2", 2)), "done");
            other.close();
            await waitFor(() => published(bench).includes("1"), "the backlog to be sent");
            assert.equal(await after.outcome(after.publish("d1", 3)), "done");
            const { devices } = after.gateway.inventory.query();
            assert.deepEqual(
                devices.map(({ deviceId, events, registration }) => [deviceId, events, registration.phase]),
                [
                    ["d1", 3, "known"],
                    ["d2", 1, "known"],
                ],
            );
        } finally {
            await bench.close();
            rmSync(userDir, { recursive: true });
        }
    });

    it("rejects QoS 0 events beyond the rate instead of queueing them, while others wait for their turn", async () => {
        const bench = await GatewayBench.start();
        try {
            const member = await bench.gateway({ maxRate: "1" });
            await member.outcome(member.publish("d1", 0));
            const waiting = member.publish("d1", 1);
            assert.equal(await member.outcome(member.publish("d1", 2, { qos: 0 })), "GW_OUTBOX_FULL");
            assert.equal(await member.outcome(waiting), "done");
            assert.deepEqual(published(bench), ["0", "1"]);
        } finally {
            await bench.close();
        }
    });

    it("waits out the bytes of what it has sent, and rejects QoS 0 events meanwhile", async () => {
        const bench = await GatewayBench.start();
        try {
            const member = await bench.gateway({ maxRateKb: "1" });
            await member.outcome(member.publish("d1", 0, { payload: "x".repeat(2000) }));
            const waiting = member.publish("d1", 1);
            const refused = await member.outcome(member.publish("d1", 2, { qos: 0 }));
            assert.equal(refused, "GW_OUTBOX_FULL");
            assert.equal(await member.outcome(waiting), "done");
            assert.equal(published(bench).length, 2);
        } finally {
            await bench.close();
        }
    });

    it("reports a shrinking backlog at most once a second until it is empty, even if no new event arrives", async () => {
        const bench = await GatewayBench.start();
        try {
            const { gateway, publish } = await bench.gateway({ maxRate: "60", maxInFlight: "5" }).then((member) => ({
                gateway: member.gateway,
                publish: (payload: number) => member.outcome(member.publish("d1", payload)),
            }));
            await publish(0);
            bench.simulator.setLink(true);
            const told: { atMs: number; state: GatewayState }[] = [];
            gateway.listen({
                stateChanged: (state) => told.push({ atMs: performance.now(), state }),
                problem: () => {},
                log: () => {},
                warn: () => {},
                failedLater: () => false,
                failedOrphan: () => {},
                undelivered: () => undefined,
                undeliveredOrphan: () => false,
            });
            const sent = Array.from({ length: 200 }, (_, index) => publish(index + 1));
            await waitFor(() => told.at(-1)?.state.queued === 200 && told.at(-1)?.state.connection.phase === "waiting", "200 to be told");
            bench.simulator.setLink(false);
            await Promise.all(sent);
            await waitFor(() => told.at(-1)?.state.queued === 0, "an empty outbox to be told");
            const draining = told.filter(({ state }) => state.drain !== undefined);
            assert.ok(draining.length >= 2, `${draining.length} times`);
            const left = draining.map(({ state }) => state.queued);
            assert.deepEqual(
                left,
                [...left].sort((a, b) => b - a),
            );
            const online = told.filter(({ state }) => state.connection.phase === "online").map(({ atMs }) => atMs);
            for (const [index, atMs] of online.entries()) assert.ok(index === 0 || atMs - (online[index - 1] ?? 0) > 900, String(online));
            const { eventsPerS = 0, remainingMs = 0 } = draining.at(-1)?.state.drain ?? {};
            assert.ok(eventsPerS > 20 && eventsPerS < 80, String(eventsPerS));
            assert.ok(remainingMs > 0 && remainingMs < 10_000, String(remainingMs));
        } finally {
            await bench.close();
        }
    });
});
