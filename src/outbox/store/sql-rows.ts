import type { SqlRow, SqlValue } from "node:sqlite";

/** Runs of consecutive numbers: a backlog is acknowledged nearly in its order, and removing a run costs much less than its events one by one. */
export function runs(numbers: readonly number[]): [first: number, last: number][] {
    const found: [first: number, last: number][] = [];
    for (const number of [...numbers].sort((a, b) => a - b)) {
        const last = found.at(-1);
        if (last && number <= last[1] + 1) last[1] = number;
        else found.push([number, number]);
    }
    return found;
}

/** The first rows, as many as may be read at a time, and whether there are no more. */
export function firstRows(rows: Iterable<SqlRow>, maxEvents: number, maxBytes: number): { kept: SqlRow[]; isComplete: boolean } {
    const kept: SqlRow[] = [];
    let bytes = 0;
    for (const row of rows) {
        const isTooMuch = kept.length >= maxEvents || (kept.length > 0 && bytes + Number(row.bytes) > maxBytes);
        if (isTooMuch) return { kept, isComplete: false };
        bytes += Number(row.bytes);
        kept.push(row);
    }
    return { kept, isComplete: true };
}

/** Rows as flat arrays, which cross the thread boundary much faster than objects. */
export function flat(rows: Iterable<SqlRow>, columns: readonly string[]): SqlValue[] {
    const values: SqlValue[] = [];
    for (const row of rows) for (const column of columns) values.push(row[column] ?? null);
    return values;
}
