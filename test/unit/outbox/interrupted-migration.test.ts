import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { copyFileSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { isSqliteAvailable } from "../../../src/outbox/store/open-store";
import { migrate, schemaSteps, UnusableFileError } from "../../../src/outbox/store/sqlite-schema";

/** Described in `test/fixtures/README.md`. */
const fixture = path.join(process.cwd(), "test", "fixtures", "outbox-version-1.sqlite");
const child = path.join(__dirname, "fixtures", "interrupted-opening.js");
/** So many events do not fit in SQLite's cache: parts of the migration are in the journal before it is complete. */
const moreEvents = 20_000;

if (isSqliteAvailable()) {
    describe("the migration of an outbox file of version 1", () => {
        let directory: string;
        let file: string;

        beforeEach(() => {
            directory = mkdtempSync(path.join(tmpdir(), "migration-"));
            file = path.join(directory, "gw.sqlite");
            copyFileSync(fixture, file);
            inFile((database) =>
                database.exec(`INSERT INTO event
                    WITH RECURSIVE number (n) AS (SELECT 100 UNION ALL SELECT n + 1 FROM number WHERE n < ${99 + moreEvents})
                    SELECT n, 'pump/p' || (n % 50), 'topic', printf('%.*c', 500, 'x'), 500, 1, 1800000000000 + n, 1900000000000 + n, 'm', 'n', 'e'
                    FROM number;
                    UPDATE total SET events = events + ${moreEvents}, bytes = bytes + ${500 * moreEvents}`),
            );
        });

        afterEach(() => rmSync(directory, { recursive: true }));

        function inFile<Result>(use: (database: DatabaseSync) => Result): Result {
            const { DatabaseSync: Database }: typeof import("node:sqlite") = require("node:sqlite");
            const database = new Database(file);
            try {
                return use(database);
            } finally {
                database.close();
            }
        }

        function contents(): object {
            return inFile((database) => ({
                version: database.prepare("PRAGMA user_version").get()?.user_version,
                integrity: database.prepare("PRAGMA integrity_check").get()?.integrity_check,
                total: { ...database.prepare("SELECT events, bytes FROM total").get() },
                events: { ...database.prepare("SELECT count(*) AS events, total(bytes) AS bytes, max(seq) AS last FROM event").get() },
                states: database.prepare("SELECT count(*) AS states FROM state").get()?.states,
            }));
        }

        /** What a process leaves that is killed before the statement of this number; undefined when it had no more to do. */
        function killedBefore(statement: number): object | undefined {
            const { signal, status, stderr } = spawnSync(process.execPath, [
                "--disable-warning=ExperimentalWarning",
                child,
                file,
                `${statement}`,
            ]);
            if (signal === "SIGKILL") return contents();
            assert.equal(status, 0, String(stderr));
            return undefined;
        }

        it("is whole or has not begun, wherever the process is killed, and the next start completes it", function () {
            this.timeout(120_000);
            const before = contents();
            const after = { ...before, version: schemaSteps.length };
            const left: object[] = [];
            for (let found = killedBefore(left.length); found; found = killedBefore(left.length)) left.push(found);
            // The transaction is complete after the last statement, its COMMIT.
            assert.ok(left.length > 14, `${left.length} statements`);
            for (const [index, found] of left.entries()) {
                assert.deepEqual(found, index < left.length - 1 ? before : after, `before statement ${index}`);
            }
            assert.deepEqual(contents(), after);
        });

        it("makes a file that version 1 refuses and leaves as it is", () => {
            const open = (steps: readonly string[]) =>
                inFile((database) => {
                    database.exec("BEGIN EXCLUSIVE");
                    migrate(database, steps);
                    database.exec("COMMIT");
                });
            open(schemaSteps);
            const after = contents();
            assert.throws(
                () => open(schemaSteps.slice(0, 1)),
                (error) => {
                    assert.ok(error instanceof UnusableFileError);
                    assert.deepEqual(error.failure, { kind: "newer", fileVersion: schemaSteps.length, knownVersion: 1 });
                    return true;
                },
            );
            assert.deepEqual(contents(), after);
        });
    });
}
