import { closeSync, mkdirSync, openSync } from "node:fs";
import path from "node:path";
import { DatabaseSync, type SqlValue, type StatementSync } from "node:sqlite";
import { FreePages } from "./free-pages";
import { finishSettingAside, setAside } from "./set-aside";
import { firstRows, flat, runs } from "./sql-rows";
import { migrate, UnusableFileError } from "./sqlite-schema";
import type { ExpiredCursor, UndeliveredOutcome } from "./store";
import { UndeliveredTable } from "./undelivered-table";
import {
    type DeviceCursor,
    deviceColumns,
    eventColumns,
    latestColumns,
    type OpenedContents,
    type OpenRequest,
    stateColumns,
    type UndeliveredRequest,
    type WorkerRequest,
} from "./worker-protocol";

/** How long to wait for another process that is just closing the file. */
const busyTimeoutMs = 2000;
/** What a probe writes: enough to need room that is not there on a full disk. */
const probeBytes = 65_536;

/** The outbox file, opened by exactly one process. Every method is synchronous and throws what SQLite throws; it runs in the worker. */
export class SqliteFile {
    readonly #path: string;
    readonly #run: number;
    #database: DatabaseSync | undefined;
    #statements: Statements | undefined;
    #undelivered: UndeliveredTable | undefined;
    #freePages: FreePages | undefined;

    constructor({ path, run }: Pick<OpenRequest, "path" | "run">) {
        this.#path = path;
        this.#run = run;
    }

    /**
     * Opens the file and creates what is missing, readable by the owner only. It counts as continued if the last one that opened it was the
     * opening that the caller names: one that was reported, because of others nobody knows what they found.
     */
    open({ owner, continues }: Opening = { owner: "", continues: undefined }): Omit<OpenedContents, "setAside" | "oldestCreatedAt"> {
        mkdirSync(path.dirname(this.#path), { recursive: true, mode: 0o700 });
        finishSettingAside(this.#path);
        // SQLite gives its journals the mode of the file itself.
        closeSync(openSync(this.#path, "a", 0o600));
        const database = new DatabaseSync(this.#path);
        this.#database = database;
        const freePages = new FreePages(database);
        database.exec(`PRAGMA locking_mode = EXCLUSIVE; PRAGMA busy_timeout = ${busyTimeoutMs}`);
        database.exec(
            "PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -8000; PRAGMA journal_size_limit = 16777216",
        );
        database.exec("BEGIN EXCLUSIVE");
        migrate(database);
        const total = database.prepare("SELECT events, bytes, owner, clock_note FROM total").get();
        const lastCreatedAt = database.prepare("SELECT created_at FROM event ORDER BY seq DESC LIMIT 1").get()?.created_at;
        const time = {
            note: typeof total?.clock_note === "string" ? total.clock_note : "",
            lastCreatedAt: typeof lastCreatedAt === "number" ? lastCreatedAt : undefined,
        };
        if (time.note === "" && time.lastCreatedAt !== undefined) restartOverdue(database, time.lastCreatedAt);
        const statements = prepare(database);
        const undelivered = new UndeliveredTable(database);
        const contents = {
            lastSeq: Number(database.prepare("SELECT max(seq) AS seq FROM event").get()?.seq ?? 0),
            events: Number(total?.events),
            bytes: Number(total?.bytes),
            isContinued: continues !== undefined && total?.owner === continues,
            time,
            undelivered: undelivered.totals,
            states: flat(statements.readStates.iterate(), stateColumns),
        };
        database.prepare("UPDATE total SET owner = ?").run(owner);
        database.exec("COMMIT");
        if (contents.events === 0) freePages.giveBackAll();
        this.#statements = statements;
        this.#freePages = freePages;
        this.#undelivered = undelivered;
        return contents;
    }

    /** Closes the file; never throws. */
    close(): void {
        const database = this.#database;
        this.#database = undefined;
        this.#statements = undefined;
        this.#undelivered = undefined;
        this.#freePages = undefined;
        try {
            database?.close();
        } catch {
            // What could not be closed is released when the process ends; there is nothing else to do with it.
        }
    }

    /** Renames the file and its journals, so that a new one can be made; returns the new path. */
    setAside(nowMs: number): string {
        this.close();
        return setAside(this.#path, nowMs);
    }

    /** Returns what there is of undelivered events afterwards, if some were changed. */
    commit(
        events: readonly SqlValue[],
        removals: readonly number[],
        states: readonly SqlValue[],
        clockNote: string,
        undelivered?: UndeliveredRequest,
    ): UndeliveredOutcome | undefined {
        const { insertEvent, findEvent, sumEvents, removeEvents, addTotal, putState, removeState, noteClock } = this.#open();
        let outcome: UndeliveredOutcome | undefined;
        this.#transaction(() => {
            if (undelivered) outcome = this.#undelivered?.change(undelivered);
            let count = 0;
            let bytes = 0;
            for (const [first, last] of runs(removals)) {
                const sum = sumEvents.get(first, last);
                count -= Number(sum?.events);
                bytes -= Number(sum?.bytes);
                removeEvents.run(first, last);
            }
            for (let index = 0; index < events.length; index += eventColumns.length) {
                const row = events.slice(index, index + eventColumns.length);
                if (Number(insertEvent.run(...row, this.#run).changes) === 0) {
                    // It was written by a group whose outcome did not reach us; or the number belongs to another event.
                    const [seq = null, , , topic = null] = row;
                    const createdAt = row[eventColumns.indexOf("created_at")] ?? null;
                    if (!findEvent.get(seq, this.#run, topic, createdAt)) throw new UnusableFileError({ kind: "conflict" });
                    continue;
                }
                count += 1;
                bytes += Number(row[eventColumns.indexOf("bytes")]);
            }
            if (count !== 0 || bytes !== 0) addTotal.run(count, bytes);
            for (let index = 0; index < states.length; index += stateColumns.length) {
                const [kind = null, key = null, value = null] = states.slice(index, index + stateColumns.length);
                if (value === null) removeState.run(kind, key);
                else putState.run(kind, key, value);
            }
            if (clockNote !== "") noteClock.run(clockNote);
        });
        return outcome;
    }

    /** The table of the undelivered events. Their changes are part of a commit. */
    get undelivered(): UndeliveredTable {
        if (!this.#undelivered) throw new UnusableFileError({ kind: "notOpen" });
        return this.#undelivered;
    }

    /** Finds out whether the file can be written, by writing something of no meaning and removing it. */
    probe(): void {
        const { putState, removeState } = this.#open();
        this.#transaction(() => putState.run("probe", "room", "x".repeat(probeBytes)));
        this.#transaction(() => removeState.run("probe", "room"));
    }

    read(range: Omit<Extract<WorkerRequest, { kind: "read" }>, "id" | "kind">): { values: SqlValue[]; isComplete: boolean } {
        const { read, readOfDevice } = this.#open();
        const { priority, after, upTo, device, maxEvents, maxBytes } = range;
        const rows =
            device === undefined
                ? read.iterate(priority, after, upTo, maxEvents + 1)
                : readOfDevice.iterate(device, priority, after, upTo, maxEvents + 1);
        const { kept, isComplete } = firstRows(rows, maxEvents, maxBytes);
        return { values: flat(kept, eventColumns), isComplete };
    }

    readDevices(after: DeviceCursor, maxRows: number): { values: SqlValue[]; isComplete: boolean } {
        const rows = this.#open().readDevices.all(after.device, after.priority, maxRows);
        return { values: flat(rows, deviceColumns), isComplete: rows.length < maxRows };
    }

    readLatest(after: number, maxRows: number): { values: SqlValue[]; isComplete: boolean } {
        const rows = this.#open().readLatest.all(after, maxRows);
        return { values: flat(rows, latestColumns), isComplete: rows.length < maxRows };
    }

    readExpired(atMs: number, after: ExpiredCursor, maxEvents: number): { values: SqlValue[]; next: number | undefined } {
        const { readExpired, nextExpiry } = this.#open();
        const values = flat(readExpired.all(after.expiresAt, after.seq, atMs, maxEvents), eventColumns);
        const next = nextExpiry.get(atMs)?.next;
        return { values, next: typeof next === "number" ? next : undefined };
    }

    /** When the oldest event entered the outbox. */
    oldestCreatedAt(): number | undefined {
        const oldest = this.#open().oldest.get()?.oldest;
        return typeof oldest === "number" ? oldest : undefined;
    }

    shiftTimes(afterSeq: number, byMs: number, clockNote: string): void {
        const { shiftTimes, noteClock } = this.#open();
        this.#transaction(() => {
            shiftTimes.run(byMs, byMs, afterSeq, this.#run);
            if (clockNote !== "") noteClock.run(clockNote);
        });
    }

    /** Gives the disk back some of what a backlog that is gone took up; true when nothing is left that is worth it. */
    shrink(): boolean {
        return this.#freePages?.giveBackSome(this.#open().total.get()?.events === 0) ?? true;
    }

    #open(): Statements {
        if (!this.#statements) throw new UnusableFileError({ kind: "notOpen" });
        return this.#statements;
    }

    #transaction(action: () => void): void {
        const database = this.#database;
        if (!database) throw new UnusableFileError({ kind: "notOpen" });
        database.exec("BEGIN IMMEDIATE");
        try {
            action();
            database.exec("COMMIT");
        } catch (error) {
            try {
                database.exec("ROLLBACK");
            } catch {
                // SQLite has rolled back already; the first error says why.
            }
            throw error;
        }
    }
}

/** One opening of the file; see `WorkerRequest`. */
type Opening = Pick<OpenRequest, "owner" | "continues">;

/** Kept as long as the file is open: Node.js 22 may collect a statement while its rows are still being read. */
interface Statements {
    readonly insertEvent: StatementSync;
    readonly findEvent: StatementSync;
    readonly sumEvents: StatementSync;
    readonly removeEvents: StatementSync;
    readonly total: StatementSync;
    readonly addTotal: StatementSync;
    readonly read: StatementSync;
    readonly readOfDevice: StatementSync;
    readonly readDevices: StatementSync;
    readonly readLatest: StatementSync;
    readonly readExpired: StatementSync;
    readonly nextExpiry: StatementSync;
    readonly oldest: StatementSync;
    readonly shiftTimes: StatementSync;
    readonly noteClock: StatementSync;
    readonly readStates: StatementSync;
    readonly putState: StatementSync;
    readonly removeState: StatementSync;
}

function prepare(database: DatabaseSync): Statements {
    const columns = eventColumns.join(", ");
    const places = eventColumns.map(() => "?").join(", ");
    return {
        insertEvent: database.prepare(`INSERT INTO event (${columns}, run) VALUES (${places}, ?) ON CONFLICT (seq) DO NOTHING`),
        findEvent: database.prepare("SELECT seq FROM event WHERE seq = ? AND run = ? AND topic = ? AND created_at = ?"),
        sumEvents: database.prepare("SELECT count(*) AS events, total(bytes) AS bytes FROM event WHERE seq BETWEEN ? AND ?"),
        removeEvents: database.prepare("DELETE FROM event WHERE seq BETWEEN ? AND ?"),
        total: database.prepare("SELECT events FROM total"),
        addTotal: database.prepare("UPDATE total SET events = events + ?, bytes = bytes + ?"),
        read: database.prepare(`SELECT ${columns} FROM event WHERE priority = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`),
        readOfDevice: database.prepare(
            `SELECT ${columns} FROM event WHERE device = ? AND priority = ? AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
        ),
        readDevices: database.prepare(`SELECT device, priority, count(*) AS events, total(bytes) AS bytes, max(seq) AS last_seq FROM event
            WHERE (device, priority) > (?, ?) GROUP BY device, priority ORDER BY device, priority LIMIT ?`),
        readLatest: database.prepare(`SELECT ${latestColumns.join(", ")} FROM event WHERE latest = 1 AND seq > ? ORDER BY seq LIMIT ?`),
        readExpired: database.prepare(
            `SELECT ${columns} FROM event WHERE (expires_at, seq) > (?, ?) AND expires_at <= ? ORDER BY expires_at, seq LIMIT ?`,
        ),
        nextExpiry: database.prepare("SELECT min(expires_at) AS next FROM event WHERE expires_at > ?"),
        oldest: database.prepare("SELECT min(created_at) AS oldest FROM event"),
        // Without OR FAIL SQLite keeps a journal of the statement in the system's temporary folder, which need not be writable.
        // An event of this run may have the number of an older one that it has superseded.
        shiftTimes: database.prepare(`UPDATE OR FAIL event SET created_at = created_at + ?, expires_at = expires_at + ?
            WHERE seq > ? OR (latest = 1 AND run = ?)`),
        noteClock: database.prepare("UPDATE total SET clock_note = ?"),
        readStates: database.prepare("SELECT kind, key, value FROM state"),
        putState: database.prepare("INSERT OR REPLACE INTO state (kind, key, value) VALUES (?, ?, ?)"),
        removeState: database.prepare("DELETE FROM state WHERE kind = ? AND key = ?"),
    };
}

/**
 * Version 1 took its times from the wall clock. What should have expired before the last event was written is there only because that clock
 * had been wrong: it gets its whole time to live again.
 */
function restartOverdue(database: DatabaseSync, lastCreatedAt: number): void {
    const sql = "UPDATE OR FAIL event SET expires_at = expires_at - created_at + ?, created_at = ? WHERE expires_at <= ?";
    database.prepare(sql).run(lastCreatedAt, lastCreatedAt, lastCreatedAt);
}
