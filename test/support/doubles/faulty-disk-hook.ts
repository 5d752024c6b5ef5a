// Loaded with --require into every thread of a process: makes SQLite files behave as on a disk that is slow or full.
import { appendFileSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import type { DiskFaults } from "./faulty-disk";

const control = process.env.FAULTY_DISK;

if (control !== undefined && isBuiltin("node:sqlite")) {
    const { DatabaseSync, StatementSync }: typeof import("node:sqlite") = require("node:sqlite");
    const faults = (): DiskFaults => JSON.parse(readFileSync(control, "utf8"));
    const fail = () => {
        appendFileSync(`${control}.failures`, ".");
        throw Object.assign(new Error("disk I/O error"), { errcode: 266 });
    };
    const iterate = StatementSync.prototype.iterate;
    StatementSync.prototype.iterate = function (...values) {
        const { isUnreadable, areStatesUnreadable, unreadableDevice } = faults();
        if (values.length > 0 && values[0] === unreadableDevice) fail();
        if (values.length > 0 ? isUnreadable : areStatesUnreadable) fail();
        return iterate.apply(this, values);
    };
    const execute = DatabaseSync.prototype.exec;
    DatabaseSync.prototype.exec = function (sql) {
        const { flushMs = 0, maxPages = 1_073_741_823, flushWaitsFor, isCommitLost = false } = faults();
        if (sql.startsWith("BEGIN")) execute.call(this, `PRAGMA max_page_count = ${maxPages}`);
        // These are what makes SQLite flush.
        if (/^COMMIT|VACUUM|wal_checkpoint/.test(sql) && flushMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, flushMs);
        if (sql === "COMMIT" && flushWaitsFor !== undefined) {
            appendFileSync(`${control}.waiting`, ".");
            readFileSync(flushWaitsFor);
        }
        execute.call(this, sql);
        if (sql === "COMMIT") appendFileSync(`${control}.transactions`, ".");
        if (sql === "COMMIT" && isCommitLost) fail();
    };
}
