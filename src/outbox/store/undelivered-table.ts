import type { DatabaseSync, SqlValue, StatementSync } from "node:sqlite";
import { firstRows, flat, runs } from "./sql-rows";
import type { KeptPage, KeptPlace, KeptSelection, KeptSummary, UndeliveredLimits, UndeliveredOutcome, UndeliveredTotals } from "./store";
import { undeliveredColumns } from "./undelivered-rows";
import type { UndeliveredRequest } from "./worker-protocol";

/** Rows that are looked at in one go when the oldest give way. */
const oldestAtOnce = 500;

/** The table of the undelivered events in an open file. Transactions are the caller's; the table counts its rows by triggers. */
export class UndeliveredTable {
    readonly #add: StatementSync;
    readonly #handedOver: StatementSync;
    readonly #remove: StatementSync;
    readonly #readWaiting: StatementSync;
    readonly #oldestWaiting: StatementSync;
    readonly #oldestKept: StatementSync;
    readonly #readTotals: StatementSync;
    readonly #list: StatementSync;
    readonly #count: StatementSync;
    readonly #readKept: StatementSync;

    constructor(database: DatabaseSync) {
        const columns = undeliveredColumns.join(", ");
        const places = undeliveredColumns.map(() => "?").join(", ");
        this.#add = database.prepare(`INSERT INTO undelivered (${columns}) VALUES (${places}) ON CONFLICT (id) DO NOTHING`);
        this.#handedOver = database.prepare("UPDATE undelivered SET phase = ? WHERE id BETWEEN ? AND ? AND phase = 0");
        this.#remove = database.prepare("DELETE FROM undelivered WHERE id BETWEEN ? AND ?");
        this.#readWaiting = database.prepare(`SELECT ${columns} FROM undelivered WHERE phase = 0 AND id > ? ORDER BY id LIMIT ?`);
        this.#oldestWaiting = database.prepare("SELECT id, bytes FROM undelivered WHERE phase = 0 AND id > ? ORDER BY id LIMIT ?");
        this.#oldestKept = database.prepare("SELECT id, bytes FROM undelivered WHERE phase > 0 AND id > ? ORDER BY id LIMIT ?");
        const summary = "id, phase, device, event_id, code, rc, reason, created_at, ended_at, length(CAST(payload AS BLOB)) AS size";
        this.#list = database.prepare(`SELECT ${summary} FROM undelivered WHERE ${isSelected} ORDER BY id DESC LIMIT ? OFFSET ?`);
        this.#count = database.prepare(`SELECT count(*) AS total FROM undelivered WHERE ${isSelected}`);
        this.#readKept = database.prepare(`SELECT ${columns} FROM undelivered WHERE ${isSelected} AND id > ? ORDER BY id LIMIT ?`);
        this.#readTotals = database.prepare("SELECT last_id, waiting, waiting_bytes, kept, kept_bytes FROM undelivered_total");
    }

    /** Kept ones, the latest first. */
    list(selection: KeptSelection, { offset, limit }: KeptPlace): KeptPage {
        const values = valuesOf(selection);
        const events = this.#list.all(...values, limit, offset).map(
            (row): KeptSummary => ({
                id: Number(row.id),
                device: String(row.device),
                eventId: String(row.event_id),
                code: String(row.code),
                ...(row.rc !== null && { rc: Number(row.rc) }),
                reason: String(row.reason),
                enteredAt: Number(row.created_at),
                endedAt: Number(row.ended_at),
                size: Number(row.size),
                caught: row.phase === 2,
            }),
        );
        return { events, total: Number(this.#count.get(...values)?.total) };
    }

    readKept(selection: KeptSelection, after: number, maxEvents: number, maxBytes: number): { values: SqlValue[]; isComplete: boolean } {
        const rows = this.#readKept.iterate(...valuesOf(selection), after, maxEvents + 1);
        const { kept, isComplete } = firstRows(rows, maxEvents, maxBytes);
        return { values: flat(kept, undeliveredColumns), isComplete };
    }

    get totals(): UndeliveredTotals {
        const row = this.#readTotals.get();
        return {
            lastId: Number(row?.last_id),
            waiting: Number(row?.waiting),
            waitingBytes: Number(row?.waiting_bytes),
            kept: Number(row?.kept),
            keptBytes: Number(row?.kept_bytes),
        };
    }

    change({ added, caught, uncaught, removed, raisedUpTo, limits }: UndeliveredRequest): UndeliveredOutcome {
        const width = undeliveredColumns.length;
        for (let index = 0; index < added.length; index += width) this.#add.run(...added.slice(index, index + width));
        this.#handOver(caught, 2, limits);
        this.#handOver(uncaught, 1, limits);
        for (const [first, last] of runs(removed)) this.#remove.run(first, last);
        const waitedTooLong = this.#trim(this.#oldestWaiting, raisedUpTo, () => {
            const { waiting, waitingBytes } = this.totals;
            return sizeOf(waiting, waitingBytes) - limits.maxWaitingBytes;
        });
        const keptTooLong = this.#trim(this.#oldestKept, 0, () => {
            const { kept, keptBytes } = this.totals;
            return sizeOf(kept, keptBytes) - limits.maxKeptBytes;
        });
        return {
            ...this.totals,
            forgottenWaiting: waitedTooLong.count,
            forgottenUpTo: waitedTooLong.lastId,
            forgottenKept: limits.maxKeptBytes === 0 ? 0 : keptTooLong.count,
        };
    }

    readWaiting(after: number, maxEvents: number, maxBytes: number): { values: SqlValue[]; isComplete: boolean } {
        const { kept, isComplete } = firstRows(this.#readWaiting.iterate(after, maxEvents + 1), maxEvents, maxBytes);
        return { values: flat(kept, undeliveredColumns), isComplete };
    }

    #handOver(ids: readonly number[], state: number, { maxKeptBytes }: UndeliveredLimits): void {
        for (const [first, last] of runs(ids)) {
            if (maxKeptBytes > 0) this.#handedOver.run(state, first, last);
            else this.#remove.run(first, last);
        }
    }

    /** Removes the oldest rows after a number until all are within their limit; returns how many, and the last one. */
    #trim(oldest: StatementSync, after: number, excess: () => number): { count: number; lastId: number } {
        let count = 0;
        let lastId = 0;
        for (let over = excess(); over > 0; over = excess()) {
            const rows = oldest.all(after, oldestAtOnce);
            if (rows.length === 0) break;
            for (const { id, bytes } of rows) {
                if (over <= 0) break;
                this.#remove.run(Number(id), Number(id));
                over -= sizeOf(1, Number(bytes));
                count += 1;
                lastId = Number(id);
            }
        }
        return { count, lastId };
    }
}

/** Where a selection of kept ones is applied; `valuesOf` has the values. */
const isSelected = `phase > 0 AND phase < ? AND instr(lower(device), ?) > 0
    AND (? IS NULL OR id IN (SELECT value FROM json_each(?)))`;

function valuesOf({ ids, search, includesCaught }: KeptSelection): SqlValue[] {
    const list = ids === undefined ? null : JSON.stringify(ids);
    return [includesCaught ? 3 : 2, search.toLowerCase(), list, list ?? "[]"];
}

/** What a row takes besides its payload. */
export const rowOverheadBytes = 200;

function sizeOf(events: number, bytes: number): number {
    return bytes + events * rowOverheadBytes;
}
