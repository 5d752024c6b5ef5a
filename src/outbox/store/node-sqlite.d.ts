/**
 * The part of Node's built-in SQLite that this package uses. The type definitions of the oldest supported Node do not know the module yet.
 */
declare module "node:sqlite" {
    export type SqlValue = null | number | bigint | string | Uint8Array;
    export type SqlRow = Record<string, SqlValue>;

    export class StatementSync {
        all(...parameters: SqlValue[]): SqlRow[];
        get(...parameters: SqlValue[]): SqlRow | undefined;
        iterate(...parameters: SqlValue[]): IterableIterator<SqlRow>;
        run(...parameters: SqlValue[]): { changes: number | bigint; lastInsertRowid: number | bigint };
    }

    export class DatabaseSync {
        constructor(path: string);
        exec(sql: string): void;
        prepare(sql: string): StatementSync;
        close(): void;
    }
}
