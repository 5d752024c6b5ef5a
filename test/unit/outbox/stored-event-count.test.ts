import assert from "node:assert/strict";
import { copyFileSync, mkdtempSync, openSync, readFileSync, rmSync, truncateSync, writeFileSync, writeSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { parseGatewayOptions } from "../../../src/gateway/gateway-options";
import { GatewayStorage } from "../../../src/gateway/gateway-storage";
import { thisMachine } from "../../../src/gateway/machine";
import { isSqliteAvailable } from "../../../src/outbox/store/open-store";
import { storeFileName } from "../../../src/outbox/store/store-file";
import { countStoredEvents } from "../../../src/outbox/store/stored-event-count";
import { rowsFromEvents } from "../../../src/outbox/store/worker-protocol";
import { storedEvent } from "../../support/doubles/outbox-events";
import { waitFor } from "../../support/wait-for";

const fixture = path.join(process.cwd(), "test", "fixtures", "outbox-version-1.sqlite");

describe("the number of events in an outbox file that is not read", () => {
    let directory: string;
    let file: string;

    beforeEach(() => {
        directory = mkdtempSync(path.join(tmpdir(), "event-count-"));
        file = path.join(directory, "gw.sqlite");
    });

    afterEach(() => rmSync(directory, { recursive: true, force: true }));

    it("is known without SQLite", async () => assert.equal(await countStoredEvents(fixture), 6));

    it("is unknown where there is no outbox file, or a damaged one", async () => {
        assert.equal(await countStoredEvents(file), undefined);
        for (const contents of ["", "not a database ".repeat(1000), readFileSync(fixture).subarray(0, 5000)]) {
            writeFileSync(file, contents);
            assert.equal(await countStoredEvents(file), undefined);
        }
    });

    it("never ends in an error or a circle, whatever bytes are damaged", async () => {
        const whole = readFileSync(fixture);
        for (let seed = 1; seed <= 200; seed++) {
            const damaged = Buffer.from(whole);
            for (let byte = 0; byte < 20; byte++) damaged[(seed * 7919 + byte * 104_729) % 8192] = (seed * 31 + byte * 17) % 256;
            writeFileSync(file, damaged);
            const count = await countStoredEvents(file);
            assert.ok(count === undefined || typeof count === "number");
        }
    });

    it("is that of the file where the head of the journal is damaged", async () => {
        copyFileSync(fixture, file);
        const head = Buffer.alloc(32);
        head.writeUInt32BE(0x377f0682, 0);
        head.writeUInt32BE(0xf000_0000, 8);
        writeFileSync(`${file}-wal`, head);
        assert.equal(await countStoredEvents(file), 6);
    });

    it("is reported with the path if the file cannot be read", async () => {
        const options = parseGatewayOptions({
            platform: "simulator",
            orgId: "o",
            typeId: "t",
            deviceId: "g",
            outbox: "disk",
        });
        const unread = path.join(directory, storeFileName(options.identity));
        copyFileSync(fixture, unread);
        // Written by a newer version; an older Node.js reads none.
        writeSync(openSync(unread, "r+"), Buffer.from([0, 0, 0, 99]), 0, 4, 60);
        const warnings: string[] = [];
        const storage = new GatewayStorage(options, directory, thisMachine, {
            problemChanged: () => {},
            warn: (text) => warnings.push(text),
        });
        await storage.open();
        await waitFor(() => warnings.length > 0, "the warning");
        assert.match(warnings[0] ?? "", /is not read, and its events are not sent \(events: 6\)/);
        assert.ok(warnings[0]?.includes(unread));
        assert.equal(/it needs Node\.js 22\.13 or newer, and this is v/.test(warnings[0] ?? ""), !isSqliteAvailable());
        await storage.store.close(5000);
    });

    if (isSqliteAvailable()) {
        it("is right at any time, also in the journal of a process that was killed", async () => {
            const { SqliteFile } = await import("../../../src/outbox/store/sqlite-file.js");
            const outbox = new SqliteFile({ path: file, run: 1 });
            outbox.open();
            let expected = 0;
            for (let round = 0; round < 60; round++) {
                const events = [...Array(50)].map((_, index) => storedEvent(round * 50 + index + 1, `t/${index}`));
                outbox.commit(rowsFromEvents(events), round > 0 ? [round * 50 - 1, round * 50 - 2] : [], ["k", `${round}`, "v"], "");
                expected += round > 0 ? 48 : 50;
                // As a kill would leave it.
                const copy = path.join(directory, `copy${round}`);
                copyFileSync(file, copy);
                copyFileSync(`${file}-wal`, `${copy}-wal`);
                assert.equal(await countStoredEvents(copy), expected, `round ${round}`);
            }
            const wal = readFileSync(`${file}-wal`);
            copyFileSync(file, `${file}2`);
            writeFileSync(`${file}2-wal`, wal);
            truncateSync(`${file}2-wal`, wal.length - 1000);
            assert.equal(typeof (await countStoredEvents(`${file}2`)), "number", "the last commit is torn");
            outbox.close();
            assert.equal(await countStoredEvents(file), expected);
        });
    }
});
