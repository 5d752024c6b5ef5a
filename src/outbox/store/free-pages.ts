import type { DatabaseSync } from "node:sqlite";

/** SQLite's number for it. */
const incrementalVacuum = 2;
/** Free pages worth giving back to the disk. */
const pagesWorthIt = 1000;
/** Pages given back in one go, so that nobody waits long for it. */
const pagesAtOnce = 250;

/** The pages of a file that a backlog, which is gone, has left free. */
export class FreePages {
    readonly #database: DatabaseSync;
    #isUnderWay = false;

    /** Must be the first to use a new file: it decides how pages are given back. A file of version 1 changes with `giveBackAll`. */
    constructor(database: DatabaseSync) {
        this.#database = database;
        database.exec("PRAGMA auto_vacuum = INCREMENTAL");
    }

    /** Gives back some; true when nothing is left that is worth it. */
    giveBackSome(isEmpty: boolean): boolean {
        const database = this.#database;
        const count = this.#count;
        if (count === 0 || (count < pagesWorthIt && !this.#isUnderWay)) return true;
        if (database.prepare("PRAGMA auto_vacuum").get()?.auto_vacuum !== incrementalVacuum) {
            if (isEmpty) this.giveBackAll();
            return true;
        }
        try {
            database.exec(`PRAGMA incremental_vacuum(${pagesAtOnce})`);
            this.#isUnderWay = this.#count > 0;
            if (!this.#isUnderWay) database.exec("PRAGMA wal_checkpoint(TRUNCATE)");
        } catch {
            // There is no room for the work. New events find room in the file.
            this.#isUnderWay = false;
        }
        return !this.#isUnderWay;
    }

    /** Gives back all in one go, which is quick where few pages are used, if there is room for the work. */
    giveBackAll(): void {
        if (this.#count < pagesWorthIt) return;
        try {
            this.#database.exec("VACUUM; PRAGMA wal_checkpoint(TRUNCATE)");
        } catch {
            // The file can be used as it is, and new events find room in it.
        }
    }

    get #count(): number {
        return Number(this.#database.prepare("PRAGMA freelist_count").get()?.freelist_count);
    }
}
