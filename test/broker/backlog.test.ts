import assert from "node:assert/strict";
import type { GatewayState } from "../../src/gateway/gateway-state";
import { GatewayBench } from "../support/gateway-bench";
import { waitFor } from "../support/wait-for";

describe("a backlog", () => {
    it("is told as it goes down, at most once a second, also while nothing new comes, and until it is gone", async () => {
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
