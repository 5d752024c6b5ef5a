import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { systemClock } from "../../../src/clock";
import type { GatewayError } from "../../../src/errors";
import { thisBoot } from "../../../src/outbox/machine-boot";
import { Outbox } from "../../../src/outbox/outbox";
import { isSqliteAvailable } from "../../../src/outbox/store/open-store";
import { migrate } from "../../../src/outbox/store/sqlite-schema";
import { SqliteStore } from "../../../src/outbox/store/sqlite-store";
import { RecordingListener, roomyLimits } from "../../support/doubles/outbox-events";
import { outboxFixture } from "../../support/doubles/outbox-fixture";
import { ManualGate, ManualLink } from "../../support/doubles/outbox-ports";
import { usedBytes } from "../../support/used-bytes";
import { waitFor } from "../../support/wait-for";

const mebibyte = 1024 * 1024;

describe("the memory of an outbox", () => {
    it("stays flat for hours while the file cannot be used on a link with a round trip of 300 ms", () => {
        const { outbox, link, store, clock, admit } = outboxFixture({ limits: { maxInFlight: 1000 } });
        store.close();
        outbox.linkUp();
        const send = (events: number) => {
            for (let index = 0; index < events; index++) {
                admit("t/a", "reading");
                clock.advance(2);
                // 150 events are in flight: each is acknowledged 300 ms after it was sent.
                if (link.pending.length > 150) link.acknowledge();
            }
            link.sent.length = 0;
        };
        send(20_000);
        const before = usedBytes();
        send(200_000);
        const grown = usedBytes() - before;
        assert.equal(outbox.counters.queued, 150);
        assert.ok(grown < 2 * mebibyte, `${grown} bytes for 200 000 events that are done`);
    });

    it("holds no payload of events that are finished", () => {
        const { outbox, link, clock, admit } = outboxFixture();
        outbox.linkUp();
        const before = usedBytes();
        for (let index = 0; index < 1000; index++) {
            admit("t/a", String(index).padEnd(131_072));
            link.acknowledge();
            link.sent.length = 0;
            clock.advance(1);
        }
        const grown = usedBytes() - before;
        assert.ok(grown < 2 * mebibyte, `${grown} bytes after 1000 events of 128 KB`);
    });
});

if (isSqliteAvailable()) {
    describe("the memory of an outbox with a backlog on disk", () => {
        let directory: string;
        let store: SqliteStore;

        beforeEach(() => {
            directory = mkdtempSync(path.join(tmpdir(), "memory-"));
        });

        afterEach(async () => {
            await store.close(10_000);
            rmSync(directory, { recursive: true });
        });

        /** An outbox on a file that holds so many events of each device. */
        async function open(devices: number, eventsPerDevice: number) {
            const file = path.join(directory, "gw.sqlite");
            fill(file, devices, eventsPerDevice);
            const listener = { failed: (error: GatewayError) => assert.fail(error), recovered: () => {} };
            store = new SqliteStore({ path: file, clock: systemClock, listener });
            await store.open();
            const link = new ManualLink();
            const gate = new ManualGate();
            const limits = { ...roomyLimits, maxBytes: 1e9 };
            const options = {
                store,
                storesEvents: true,
                clock: systemClock,
                boot: thisBoot,
                limits,
                gate,
                link,
                listener: new RecordingListener(),
            };
            return { outbox: new Outbox(options), link, gate };
        }

        it("is at most 40 MB for 10 000 devices that wait, with 100 events each, on every connection", async () => {
            const before = usedBytes();
            const { outbox, gate, link } = await open(10_000, 100);
            gate.onAsk = () => "wait";
            for (let connection = 1; connection <= 3; connection++) {
                outbox.linkUp();
                await waitFor(() => outbox.counters.waitingDevices === 10_000, "all devices to have been asked for", 60_000);
                const grown = usedBytes() - before;
                assert.ok(grown < 40 * mebibyte, `${(grown / mebibyte).toFixed(1)} MB on connection ${connection}`);
                outbox.linkDown();
            }
            assert.deepEqual([link.sent, outbox.counters.queued], [[], 1_000_000]);
            await outbox.close(0);
        });

        it("is at most 100 MB for 200 000 devices with one event each", async () => {
            const before = usedBytes();
            const { outbox, gate } = await open(200_000, 1);
            gate.onAsk = () => "wait";
            outbox.linkUp();
            await waitFor(() => outbox.counters.waitingDevices >= 10_000, "devices to be asked for", 60_000);
            const grown = usedBytes() - before;
            assert.ok(grown < 100 * mebibyte, `${(grown / mebibyte).toFixed(1)} MB`);
            await outbox.close(0);
        });
    });
}

/** Makes an outbox file with events of 200 bytes, in the order in which devices take turns. */
function fill(file: string, devices: number, eventsPerDevice: number): void {
    const { DatabaseSync: Database }: typeof import("node:sqlite") = require("node:sqlite");
    const database = new Database(file);
    const events = devices * eventsPerDevice;
    database.exec("PRAGMA journal_mode = WAL; BEGIN");
    migrate(database);
    database.exec(`WITH RECURSIVE number(seq) AS (SELECT 1 UNION ALL SELECT seq + 1 FROM number WHERE seq < ${events})
        INSERT INTO event (seq, device, topic, payload, bytes, qos, created_at, expires_at, message_id, node_id, event_id)
        SELECT seq, 'sensor/device-' || (seq % ${devices}), 'iot-2/type/sensor/id/device-' || (seq % ${devices}) || '/evt/status/fmt/json',
            printf('%200d', seq), 200, 1, ${Date.now()}, ${Date.now() + 3_600_000}, 'message', 'node', 'status' FROM number;
        UPDATE total SET events = ${events}, bytes = ${events * 200}; COMMIT`);
    database.close();
}
