import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { isSqliteAvailable } from "../../../src/outbox/store/open-store";
import { migrate, schemaSteps, UnusableFileError } from "../../../src/outbox/store/sqlite-schema";

if (isSqliteAvailable()) {
    /** Steps that releases to come might take. */
    const later = [
        ...schemaSteps,
        "ALTER TABLE event ADD COLUMN colour INTEGER NOT NULL DEFAULT 5",
        "CREATE INDEX event_colour ON event (colour); UPDATE total SET owner = 'taken over'",
    ];

    describe("an outbox file of an earlier version", () => {
        let directory: string;

        beforeEach(() => {
            directory = mkdtempSync(path.join(tmpdir(), "schema-"));
        });

        afterEach(() => rmSync(directory, { recursive: true }));

        function inFile<Result>(use: (database: DatabaseSync) => Result): Result {
            const { DatabaseSync: Database }: typeof import("node:sqlite") = require("node:sqlite");
            const database = new Database(path.join(directory, "gw.sqlite"));
            try {
                return use(database);
            } finally {
                database.close();
            }
        }

        /** Opens the file as the version does that has these steps. */
        function open(steps: readonly string[]): void {
            inFile((database) => {
                database.exec("PRAGMA journal_mode = WAL; BEGIN EXCLUSIVE");
                migrate(database, steps);
                database.exec("COMMIT");
            });
        }

        function store(seq: number): void {
            inFile((database) =>
                database.exec(`INSERT INTO event (seq, device, topic, payload, bytes, qos, created_at, expires_at, message_id, node_id, event_id)
                    VALUES (${seq}, 't/a', 'topic', 'payload', 7, 1, 1, 2, 'm', 'n', 'e'); UPDATE total SET events = events + 1, bytes = bytes + 7`),
            );
        }

        function contents(): object {
            return inFile((database) => ({
                version: database.prepare("PRAGMA user_version").get()?.user_version,
                events: database
                    .prepare("SELECT seq FROM event ORDER BY seq")
                    .all()
                    .map(({ seq }) => seq),
                total: { ...database.prepare("SELECT events, bytes, owner FROM total").get() },
                columns: database.prepare("SELECT name FROM pragma_table_info('event')").all().length,
            }));
        }

        it("takes the missing steps once, and keeps its events", () => {
            open(schemaSteps);
            store(3);
            open(later.slice(0, 3));
            store(4);
            open(later);
            open(later);
            assert.deepEqual(contents(), { version: 4, events: [3, 4], total: { events: 2, bytes: 14, owner: "taken over" }, columns: 19 });
        });

        it("takes all steps at once in a new file, with the same result", () => {
            open(later);
            assert.deepEqual(contents(), { version: 4, events: [], total: { events: 0, bytes: 0, owner: "taken over" }, columns: 19 });
        });

        it("leaves the file as it was if a step fails, so that it can be opened again", () => {
            open(schemaSteps);
            store(3);
            const before = contents();
            assert.throws(() => open([...later, "CREATE TABLE event (seq)"]), /already exists/);
            assert.deepEqual(contents(), before);
            open(schemaSteps);
        });

        it("refuses a file that a later version has opened", () => {
            open(later);
            const refusal = (error: unknown) => {
                assert.ok(error instanceof UnusableFileError);
                assert.deepEqual(error.failure, { kind: "newer", fileVersion: 4, knownVersion: 2 });
                return true;
            };
            assert.throws(() => open(schemaSteps), refusal);
        });
    });
}
