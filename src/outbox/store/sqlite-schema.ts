import type { DatabaseSync } from "node:sqlite";
import type { StoreFailure } from "./worker-protocol";

/** Marks the file as an outbox in SQLite's own header ("WIOT"). */
const applicationId = 0x57494f54;

/**
 * What each version of the file adds to the one before. A released step is never changed: files in the field have taken it. Events carry no
 * foreign keys and one row each, so that a group is written in one pass.
 */
export const schemaSteps: readonly string[] = [
    `CREATE TABLE event (
        seq INTEGER PRIMARY KEY,
        device TEXT NOT NULL,
        topic TEXT NOT NULL,
        payload NOT NULL,
        bytes INTEGER NOT NULL,
        qos INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        message_id TEXT NOT NULL,
        node_id TEXT NOT NULL,
        event_id TEXT NOT NULL
    );
    CREATE INDEX event_of_device ON event (device, seq);
    CREATE INDEX event_expiry ON event (expires_at);
    CREATE TABLE total (events INTEGER NOT NULL, bytes INTEGER NOT NULL, owner TEXT NOT NULL);
    INSERT INTO total VALUES (0, 0, '');
    CREATE TABLE state (kind TEXT NOT NULL, key TEXT NOT NULL, value TEXT NOT NULL, PRIMARY KEY (kind, key)) WITHOUT ROWID;`,
    // Kinds of data, and a clock of the file's own (`AgeClock`). Each priority is drained in the order of `seq`. The index by device gives the
    // events of one device and, with the bytes in it, what each device has, without reading the table. The one by age gives the oldest event.
    // `run` names the store object that wrote the event: rows of another one are never taken for its own.
    `ALTER TABLE event ADD COLUMN priority INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE event ADD COLUMN run INTEGER NOT NULL DEFAULT 0;
    DROP INDEX event_of_device;
    CREATE INDEX event_of_device ON event (device, priority, seq, bytes);
    CREATE INDEX event_order ON event (priority, seq);
    ALTER TABLE total ADD COLUMN clock_note TEXT NOT NULL DEFAULT '';
    CREATE INDEX event_age ON event (created_at);`,
];

/** A file that cannot be used for a reason that is not SQLite's. */
export class UnusableFileError extends Error {
    readonly failure: StoreFailure;

    constructor(failure: StoreFailure) {
        super(failure.kind);
        this.failure = failure;
    }
}

/**
 * Brings an open database to the version that the last step makes, within a transaction of the caller. Throws `UnusableFileError` when it is
 * not ours.
 */
export function migrate(database: DatabaseSync, steps = schemaSteps): void {
    const knownVersion = steps.length;
    const version = pragma(database, "user_version");
    const marker = pragma(database, "application_id");
    const tables = Number(database.prepare("SELECT count(*) AS tables FROM sqlite_schema").get()?.tables);
    if (marker !== applicationId && tables > 0) throw new UnusableFileError({ kind: "foreign" });
    if (version > knownVersion) throw new UnusableFileError({ kind: "newer", fileVersion: version, knownVersion });
    if (version === knownVersion) return;
    for (const step of steps.slice(version)) database.exec(step);
    database.exec(`PRAGMA application_id = ${applicationId}; PRAGMA user_version = ${knownVersion}`);
}

function pragma(database: DatabaseSync, name: "user_version" | "application_id"): number {
    return Number(database.prepare(`PRAGMA ${name}`).get()?.[name]);
}
