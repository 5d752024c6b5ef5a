import path from "node:path";
import { DatabaseSync } from "node:sqlite";
import { systemClock } from "../../src/clock";
import { schemaSteps } from "../../src/outbox/store/sqlite-schema";
import { SqliteStore } from "../../src/outbox/store/sqlite-store";
import type { Row } from "../outbox/row";
import type { Extent } from "../support/report";
import { makeDirectory } from "../support/subject";
import { payloadBytes } from "./timed-events";

/** How long a file of the earlier version takes to be opened, and so migrated. */
export async function measureMigration({ quick }: Extent): Promise<Row[]> {
    const events = quick ? 50_000 : 1_000_000;
    const file = path.join(makeDirectory(), "version-1.sqlite");
    writeVersion1(file, events);
    // On a busy machine it may take so long that the disk counts as silent.
    const listener = { failed: (error: Error) => console.error(error.message), recovered: () => undefined };
    const store = new SqliteStore({ path: file, clock: systemClock, listener });
    const beganMs = performance.now();
    const cpu = process.cpuUsage();
    await store.open();
    await store.loaded;
    const tookMs = performance.now() - beganMs;
    const { user, system } = process.cpuUsage(cpu);
    await store.close(60_000);
    return [
        { what: `open a file of version 1 with ${events} events and migrate it, s`, measured: (tookMs / 1000).toFixed(2), target: "< 2" },
        { what: "– processor time of it, s", measured: ((user + system) / 1e6).toFixed(2), target: "" },
    ];
}

/** A file as version 1 wrote it. */
function writeVersion1(file: string, events: number): void {
    const database = new DatabaseSync(file);
    database.exec(`PRAGMA journal_mode = WAL; BEGIN; ${schemaSteps[0]}; PRAGMA application_id = ${0x57494f54}; PRAGMA user_version = 1;
        INSERT INTO event WITH RECURSIVE number (n) AS (SELECT 1 UNION ALL SELECT n + 1 FROM number WHERE n < ${events})
        SELECT n, 'sensor/device-' || (n % 1000), 'iot-2/type/sensor/id/device-' || (n % 1000) || '/evt/status/fmt/json',
            printf('%.*c', ${payloadBytes}, 'x'), ${payloadBytes}, 1, 1800000000000 + n, 1900000000000 + n, printf('%016x', n),
            '0123456789abcdef', 'status' FROM number;
        UPDATE total SET events = ${events}, bytes = ${payloadBytes * events}; COMMIT`);
    database.close();
}
