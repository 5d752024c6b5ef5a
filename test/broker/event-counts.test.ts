import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { isSqliteAvailable } from "../../src/outbox/store/open-store";
import { GatewayBench } from "../support/drivers/gateway-bench";
import type { RecordedGateway, TestGatewayOptions } from "../support/drivers/recorded-gateway";
import { unaccountedEvents } from "../support/event-account";
import { waitFor } from "../support/wait-for";

describe("the counts of a gateway's events", () => {
    let bench: GatewayBench;
    let userDir: string;

    beforeEach(async () => {
        userDir = mkdtempSync(path.join(tmpdir(), "event-counts-"));
        bench = await GatewayBench.start({ registration: { delayMs: 1 } });
    });

    afterEach(async () => {
        await bench.close();
        rmSync(userDir, { recursive: true, force: true });
    });

    const start = (more: TestGatewayOptions = {}) => bench.gateway({ userDir, outbox: isSqliteAvailable() ? "disk" : "memory", ...more });

    function refuse(deviceId: string): void {
        bench.simulator.faults.add({ fault: "refusePublish", topic: `iot-2/type/t/id/${deviceId}/*`, rc: 276, message: "no" });
    }

    /** Everything that became of events, by the names of the totals; fails where they do not add up. */
    function counts({ gateway }: RecordedGateway): Record<string, number> {
        const { overview } = gateway.monitor;
        assert.equal(unaccountedEvents(overview), 0, JSON.stringify([overview.outbox, overview.totals]));
        const { outbox, totals, health } = overview;
        const { received, delivered, refused, expired, dropped, superseded, undeliverable } = health.totals;
        assert.deepEqual(
            [received, delivered, refused, expired, dropped, superseded, undeliverable],
            [
                totals.eventsReceived,
                totals.eventsDelivered,
                totals.eventsRefused,
                outbox.expiredTotal,
                outbox.droppedTotal,
                outbox.supersededTotal,
                outbox.undeliverableTotal,
            ],
            "the health has the same numbers",
        );
        const { eventsTakenOver: takenOver, eventsRejected: rejected } = totals;
        return { takenOver, received, delivered, waiting: outbox.events, refused, expired, dropped, superseded, rejected };
    }

    async function count(gateway: RecordedGateway, name: string, number: number): Promise<void> {
        await waitFor(
            () => counts(gateway)[name] === number,
            () => `${number} ${name}: ${JSON.stringify(counts(gateway))}`,
        );
    }

    const nothing = { takenOver: 0, received: 0, delivered: 0, waiting: 0, refused: 0, expired: 0, dropped: 0, superseded: 0, rejected: 0 };

    it("add up while events arrive, are refused before and after they were let go, and are rejected, of QoS 0 too", async () => {
        const gateway = await start();
        for (const device of ["a", "b", "c"]) await gateway.outcome(gateway.publish(device));
        await count(gateway, "delivered", 3);
        for (const payload of [1, 2]) await gateway.outcome(gateway.publish("a", payload, { qos: 0 }));
        assert.deepEqual(counts(gateway), { ...nothing, received: 5, delivered: 5 });

        for (const device of ["b", "c"]) refuse(device);
        gateway.publish("b", 1);
        await count(gateway, "refused", 1);
        gateway.publish("c", 1, { qos: 0 });
        await count(gateway, "refused", 2);
        await gateway.outcome(gateway.publish("new", 1, { qos: 0 }));
        await count(gateway, "delivered", 6);
        assert.deepEqual(counts(gateway), { ...nothing, received: 8, delivered: 6, refused: 2 });

        bench.simulator.setLink(true);
        await waitFor(() => !gateway.isOnline, "the link to be down");
        assert.equal(await gateway.outcome(gateway.publish("a", 3, { qos: 0 })), "GW_NOT_CONNECTED");
        assert.deepEqual(counts(gateway), { ...nothing, received: 9, delivered: 6, refused: 2, rejected: 1 });
    });

    it("add up while events wait, expire, are superseded and purged, and over a restart", async () => {
        const first = await start();
        await first.outcome(first.publish("a"));
        bench.simulator.setLink(true);
        await waitFor(() => !first.isOnline, "the link to be down");
        for (const payload of [1, 2, 3]) first.publish("a", payload, { isLatest: true, completion: "safe" });
        await count(first, "superseded", 2);
        first.publish("a", 4, { ttlMs: 1000, completion: "safe" });
        await count(first, "expired", 1);
        for (const payload of [5, 6]) first.publish("b", payload, { completion: "safe" });
        assert.equal(await first.gateway.actions.purge({ typeId: "t", deviceId: "b" }).then(({ isDone }) => isDone), true);
        for (const payload of [7, 8]) await first.outcome(first.publish("c", payload, { completion: "safe" }));
        assert.deepEqual(counts(first), { ...nothing, received: 9, delivered: 1, waiting: 3, expired: 1, dropped: 2, superseded: 2 });
        await first.close();

        bench.simulator.setLink(false);
        const second = await start();
        const waiting = isSqliteAvailable() ? 3 : 0;
        await count(second, "delivered", waiting);
        assert.deepEqual(counts(second), { ...nothing, takenOver: waiting, delivered: waiting });
    });
});
