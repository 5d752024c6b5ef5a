import type { DatabaseSync } from "node:sqlite";
import type { StoreFailure } from "./worker-protocol";

/** Marks the file as an outbox in SQLite's own header ("WIOT"). */
export const applicationId = 0x57494f54;

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
    // events of one device and, with the bytes in it, what each device has, without reading the table. The one by age gives the oldest event,
    // and `event_latest` the few events that newer ones supersede.
    // What ended without delivery: in `phase` 0 it is to be handed over, in 1 it was, in 2 a Catch node got it. Triggers count the rows, whatever
    // adds, moves or removes them.
    // `run` names the store object that wrote the event: rows of another one are never taken for its own.
    `ALTER TABLE event ADD COLUMN priority INTEGER NOT NULL DEFAULT 1;
    ALTER TABLE event ADD COLUMN run INTEGER NOT NULL DEFAULT 0;
    DROP INDEX event_of_device;
    CREATE INDEX event_of_device ON event (device, priority, seq, bytes);
    CREATE INDEX event_order ON event (priority, seq);
    ALTER TABLE total ADD COLUMN clock_note TEXT NOT NULL DEFAULT '';
    CREATE INDEX event_age ON event (created_at);
    ALTER TABLE event ADD COLUMN latest INTEGER NOT NULL DEFAULT 0;
    CREATE INDEX event_latest ON event (seq) WHERE latest = 1;
    ALTER TABLE event ADD COLUMN format TEXT NOT NULL DEFAULT '';
    ALTER TABLE event ADD COLUMN encoding INTEGER NOT NULL DEFAULT 0;
    ALTER TABLE event ADD COLUMN time_field TEXT NOT NULL DEFAULT '';
    ALTER TABLE event ADD COLUMN returns INTEGER NOT NULL DEFAULT 0;
    CREATE TABLE undelivered (
        id INTEGER PRIMARY KEY,
        phase INTEGER NOT NULL,
        code TEXT NOT NULL,
        rc INTEGER,
        reason TEXT NOT NULL,
        refusal TEXT,
        ended_at INTEGER NOT NULL,
        device TEXT NOT NULL,
        priority INTEGER NOT NULL,
        topic TEXT NOT NULL,
        payload NOT NULL,
        bytes INTEGER NOT NULL,
        qos INTEGER NOT NULL,
        created_at INTEGER NOT NULL,
        expires_at INTEGER NOT NULL,
        message_id TEXT NOT NULL,
        node_id TEXT NOT NULL,
        event_id TEXT NOT NULL,
        format TEXT NOT NULL,
        encoding INTEGER NOT NULL,
        time_field TEXT NOT NULL,
        returns INTEGER NOT NULL,
        latest INTEGER NOT NULL
    );
    CREATE INDEX undelivered_phase ON undelivered (phase, id);
    CREATE TABLE undelivered_total (last_id INTEGER NOT NULL, waiting INTEGER NOT NULL, waiting_bytes INTEGER NOT NULL,
        kept INTEGER NOT NULL, kept_bytes INTEGER NOT NULL);
    INSERT INTO undelivered_total VALUES (0, 0, 0, 0, 0);
    CREATE TRIGGER undelivered_added AFTER INSERT ON undelivered BEGIN
        UPDATE undelivered_total SET last_id = max(last_id, new.id), waiting = waiting + (new.phase = 0),
            waiting_bytes = waiting_bytes + new.bytes * (new.phase = 0), kept = kept + (new.phase > 0),
            kept_bytes = kept_bytes + new.bytes * (new.phase > 0);
    END;
    CREATE TRIGGER undelivered_removed AFTER DELETE ON undelivered BEGIN
        UPDATE undelivered_total SET waiting = waiting - (old.phase = 0), waiting_bytes = waiting_bytes - old.bytes * (old.phase = 0),
            kept = kept - (old.phase > 0), kept_bytes = kept_bytes - old.bytes * (old.phase > 0);
    END;
    CREATE TRIGGER undelivered_handed_over AFTER UPDATE OF phase ON undelivered WHEN old.phase = 0 AND new.phase > 0 BEGIN
        UPDATE undelivered_total SET waiting = waiting - 1, waiting_bytes = waiting_bytes - old.bytes,
            kept = kept + 1, kept_bytes = kept_bytes + old.bytes;
    END;`,
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
