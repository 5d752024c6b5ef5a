import assert from "node:assert/strict";
import { execFileSync, spawn, spawnSync } from "node:child_process";
import { once } from "node:events";
import {
    chmodSync,
    chownSync,
    closeSync,
    copyFileSync,
    mkdirSync,
    mkdtempSync,
    openSync,
    readdirSync,
    readFileSync,
    renameSync,
    rmSync,
    statfsSync,
    statSync,
    truncateSync,
    writeFileSync,
    writeSync,
} from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Worker } from "node:worker_threads";
import type { GatewayError } from "../../../src/errors";
import { SubscriptionJournal } from "../../../src/gateway/subscriptions/subscription-journal";
import type { OutboxEvent } from "../../../src/outbox/event";
import { Outbox } from "../../../src/outbox/outbox";
import { isSqliteAvailable } from "../../../src/outbox/store/open-store";
import { SqliteStore } from "../../../src/outbox/store/sqlite-store";
import { rowsFromEvents } from "../../../src/outbox/store/worker-protocol";
import { FakeClock } from "../../support/doubles/fake-clock";
import { FaultyDisk } from "../../support/doubles/faulty-disk";
import { newEvent, RecordedCompletion, RecordingListener, roomyLimits, storedEvent } from "../../support/doubles/outbox-events";
import { ManualGate, ManualLink } from "../../support/doubles/outbox-ports";
import { waitFor } from "../../support/wait-for";

/** A store on a file of its own, with what it told. */
class StoreUnderTest {
    readonly clock = new FakeClock();
    readonly errors: GatewayError[] = [];
    recoveries = 0;
    readonly store: SqliteStore;

    constructor(file: string) {
        this.store = new SqliteStore({
            path: file,
            clock: this.clock,
            listener: {
                failed: (error) => this.errors.push(error),
                recovered: () => {
                    this.recoveries += 1;
                },
            },
        });
    }

    commit(events: OutboxEvent[], removals: number[] = []): Promise<GatewayError | undefined> {
        return new Promise((resolve) => this.store.commit(events, removals, resolve));
    }

    numbers(): Promise<number[]> {
        return new Promise((resolve, reject) => {
            this.store.read({ priority: "normal", after: 0, upTo: 1e9, maxEvents: 1e6, maxBytes: 1e9 }, (error, batch) => {
                if (error) reject(error);
                else resolve(batch.events.map((event) => event.seq));
            });
        });
    }

    /** Lets retries come due until the file is open. */
    async recovered(): Promise<void> {
        const before = this.recoveries;
        await waitFor(() => {
            this.clock.advance(100);
            return this.recoveries > before;
        }, "the store to recover");
    }

    close(): Promise<void> {
        return this.store.close(10_000);
    }
}

/** An outbox on a real file, offline, with the clock of the store. */
function outboxOn({ store, clock }: Pick<StoreUnderTest, "store" | "clock">) {
    const link = new ManualLink();
    const listener = new RecordingListener();
    const outbox = new Outbox({
        store,
        storesEvents: true,
        clock,
        boot: clock,
        limits: roomyLimits,
        gate: new ManualGate(),
        link,
        listener,
    });
    outbox.flowsStarted();
    return {
        outbox,
        link,
        listener,
        admit(text: string, ttlMs?: number): RecordedCompletion {
            const completion = new RecordedCompletion();
            outbox.admit(newEvent("t/a", text, { ttlMs }), completion);
            return completion;
        },
    };
}

if (isSqliteAvailable()) {
    describe("the outbox file", () => {
        let directory: string;
        let file: string;
        const opened: StoreUnderTest[] = [];

        const open = async (): Promise<StoreUnderTest> => {
            const under = new StoreUnderTest(file);
            opened.push(under);
            await under.store.open();
            return under;
        };

        beforeEach(() => {
            directory = mkdtempSync(path.join(tmpdir(), "outbox-"));
            file = path.join(directory, "wiotp-gateway", "gw.sqlite");
        });

        afterEach(async () => {
            for (const under of opened.splice(0)) await under.close();
            rmSync(directory, { recursive: true, force: true });
        });

        it("keeps events and states in the file over a restart", async () => {
            const before = await open();
            before.store.put("device", "t/a", "known");
            before.store.put("device", "t/b", "held");
            before.store.put("filter", "x/+", "1");
            await before.commit([storedEvent(3, "t/a"), storedEvent(8, "t/b")]);
            before.store.remove("device", "t/b");
            before.store.put("device", "t/a", "known again");
            await before.store.flush();
            before.store.put("filter", "late", "written by close");
            await before.close();

            const after = await open();
            assert.deepEqual(await after.numbers(), [3, 8]);
            assert.deepEqual([...after.store.entries("device")], [["t/a", "known again"]]);
            assert.deepEqual(Object.fromEntries(after.store.entries("filter")), { "x/+": "1", late: "written by close" });
            assert.deepEqual([...after.store.entries("other")], []);
            assert.deepEqual(after.errors, []);
        });

        it("notes a round of filters with one flush of the disk", async () => {
            const disk = new FaultyDisk();
            const under = await disk.under(() => open());
            const journal = new SubscriptionJournal(under.store);
            const before = disk.transactions;
            const filters = [...Array(300).keys()].map((index) => `iot-2/type/t/id/${index}/cmd/+/fmt/+`);
            const first = Promise.all(filters.map((filter) => journal.add(filter)));
            await Promise.resolve();
            const meanwhile = Promise.all(filters.map((filter) => journal.add(`${filter}/meanwhile`)));
            await first;
            assert.equal(disk.transactions - before, 1);
            await meanwhile;
            assert.equal(disk.transactions - before, 2);
            await under.close();
            assert.equal([...(await open()).store.entries("filter")].length, 600);
            disk.dispose();
        });

        it("reports its content when it is opened, without counting", async () => {
            const before = await open();
            await before.commit([storedEvent(1, "t/a"), storedEvent(2, "t/a"), storedEvent(7, "t/a")]);
            await before.commit([storedEvent(2, "t/a")], [1, 5]);
            await before.close();
            const after = await open();
            after.store.attach({
                opened: (contents) =>
                    assert.deepEqual([contents.lastSeq, contents.events, contents.bytes, contents.isContinued], [7, 2, 14, false]),
                closed: () => assert.fail("closed"),
                clockNote: () => "",
            });
            assert.ok((await after.store.size()) > 4096);
        });

        if (process.platform !== "win32") {
            it("the outbox file can be read by its owner only", async () => {
                const under = await open();
                await under.commit([storedEvent(1, "t/a")]);
                assert.equal(statSync(path.dirname(file)).mode & 0o777, 0o700);
                for (const name of readdirSync(path.dirname(file))) {
                    assert.equal(statSync(path.join(path.dirname(file), name)).mode & 0o777, 0o600, name);
                }
            });
        }

        it("the outbox file is opened once in a process; a second store waits for it", async () => {
            const first = await open();
            await first.commit([storedEvent(1, "t/a")]);
            const second = await open();
            assert.equal(second.errors[0]?.code, "GW_STORE");
            assert.match(second.errors[0]?.message ?? "", /Another process has it open/);
            assert.ok((await second.commit([storedEvent(2, "t/a")])) !== undefined);
            await first.close();
            await second.recovered();
            assert.deepEqual(await second.numbers(), [1]);
            assert.equal(second.errors.length, 1);
        });

        it("the outbox file is opened by one process, and by the next one when that is killed", async () => {
            const module = path.join(__dirname, "../../../src/outbox/store/sqlite-file.js");
            const script = `const { SqliteFile } = require(${JSON.stringify(module)});
                const file = new SqliteFile({ path: ${JSON.stringify(file)}, run: 2 });
                file.open();
                file.commit([4, "t/a", 1, "topic", "payload", 7, 1, 1, ${Date.now() + 1e9}, "", "", "", "text", 2, "", 0, 0], [], [], "");
                console.log("open");
                setInterval(() => {}, 1000);`;
            const child = spawn(process.execPath, ["-e", script], { stdio: ["ignore", "pipe", "inherit"] });
            await once(child.stdout, "data");
            const under = await open();
            assert.match(under.errors[0]?.message ?? "", /in use|locked|Another process/);
            child.kill("SIGKILL");
            await once(child, "exit");
            await under.recovered();
            assert.deepEqual(await under.numbers(), [4]);
        });

        it("a file that is not a database is set aside, with its new path in the error", async () => {
            mkdirSync(path.dirname(file));
            writeFileSync(file, "this is not a database, but a note that somebody left here ".repeat(100));
            const under = await open();
            assert.equal(under.errors.length, 1);
            assert.equal(under.recoveries, 1);
            const aside = /set aside as (\S+) and/.exec(under.errors[0]?.message ?? "")?.[1] ?? "";
            assert.match(readFileSync(aside, "utf8"), /a note that somebody left/);
            assert.equal(await under.commit([storedEvent(1, "t/a")]), undefined);
            assert.deepEqual(await under.numbers(), [1]);
        });

        it("a damaged file keeps its journal, with the last events, if the process is killed while it is set aside", async () => {
            const module = path.join(__dirname, "../../../src/outbox/store/sqlite-file.js");
            const killed = (action: string) => {
                const script = `const { SqliteFile } = require(${JSON.stringify(module)});
                    const file = new SqliteFile({ path: ${JSON.stringify(file)}, run: 2 });
                    ${action}
                    process.kill(process.pid, "SIGKILL");`;
                assert.equal(spawnSync(process.execPath, ["-e", script], { stdio: "inherit" }).signal, "SIGKILL");
            };
            const events = rowsFromEvents([1, 2, 3].map((seq) => storedEvent(seq, "t/a")));
            killed(`file.open(); file.commit(${JSON.stringify(events)}, [], [], "");`);
            killed(`const fs = require("node:fs"); const rename = fs.renameSync;
                fs.renameSync = (from, to) => { rename(from, to); process.kill(process.pid, "SIGKILL"); };
                file.setAside(Date.now());`);
            const under = await open();
            assert.deepEqual(await under.numbers(), []);
            assert.equal(await under.commit([storedEvent(1, "t/new")]), undefined);
            await under.close();
            const aside = readdirSync(path.dirname(file)).filter((name) => name.includes(".corrupt-"));
            const name = aside.find((each) => !each.endsWith("-wal") && !each.endsWith("-shm")) ?? "";
            assert.ok(aside.includes(`${name}-wal`), aside.join(" "));
            file = path.join(path.dirname(file), name);
            assert.deepEqual(await (await open()).numbers(), [1, 2, 3]);
        });

        it("a file whose damage shows in use is set aside, and no state is lost", async () => {
            const before = await open();
            before.store.put("device", "t/a", "known");
            const payload = "x".repeat(1000);
            await before.commit([...Array(500).keys()].map((index) => storedEvent(index + 1, "t/a", { payload, bytes: 1000 })));
            await before.close();
            const descriptor = openSync(file, "r+");
            writeSync(descriptor, Buffer.alloc(200_000, 0xa5), 0, 200_000, 120_000);
            closeSync(descriptor);

            const after = await open();
            const { outbox, link } = outboxOn(after);
            outbox.linkUp();
            await waitFor(() => {
                after.clock.advance(100);
                link.acknowledgeAll();
                return after.recoveries > 0 && outbox.counters.queued === 0;
            }, "the outbox to go on without the damaged file");
            assert.match(after.errors[0]?.message ?? "", /cannot be used/);
            assert.equal(readdirSync(path.dirname(file)).filter((name) => name.includes(".corrupt-")).length >= 1, true);
            await after.store.flush();
            await after.close();
            const again = await open();
            assert.deepEqual([...again.store.entries("device")], [["t/a", "known"]]);
        });

        it("a truncated file is set aside", async () => {
            const before = await open();
            const payload = "x".repeat(1000);
            await before.commit([...Array(500).keys()].map((index) => storedEvent(index + 1, "t/a", { payload, bytes: 1000 })));
            await before.close();
            truncateSync(file, 100_000);
            const after = await open();
            const { outbox, link, admit } = outboxOn(after);
            outbox.linkUp();
            const completion = admit("new");
            await waitFor(() => {
                after.clock.advance(100);
                link.acknowledgeAll();
                return completion.outcome === "done" && after.recoveries > 0;
            }, "the outbox to go on without the rest of the file");
            assert.equal(after.errors[0]?.code, "GW_STORE");
        });

        it("a file of a newer version is left alone, and a new one is used as soon as it is gone", async () => {
            const before = await open();
            await before.close();
            changeVersion(file, 99);
            const after = await open();
            assert.match(after.errors[0]?.message ?? "", /newer version of this package wrote it \(file version 99, known up to 2\)/);
            const { admit } = outboxOn(after);
            const completion = admit("waits");
            after.clock.advance(1000);
            assert.equal(completion.outcome, "open");
            renameSync(file, `${file}.moved`);
            for (const suffix of ["-wal", "-shm"]) rmSync(file + suffix, { force: true });
            await after.recovered();
            await waitFor(() => {
                after.clock.advance(100);
                return completion.outcome === "done";
            }, "the event to be stored");
        });

        it("a file of another program is left alone", async () => {
            mkdirSync(path.dirname(file));
            run(`new (require("node:sqlite").DatabaseSync)(process.argv[1]).exec("CREATE TABLE diary (page TEXT)")`, file);
            const under = await open();
            assert.match(under.errors[0]?.message ?? "", /another program's database/);
        });

        it("fails with an explanation while its folder cannot be created, and recovers when it can", async () => {
            writeFileSync(path.dirname(file), "a file where the folder should be");
            const under = await open();
            assert.equal(under.errors[0]?.code, "GW_STORE");
            assert.match(under.errors[0]?.message ?? "", /Check the disk and the folder's permissions/);
            assert.ok(await under.commit([storedEvent(1, "t/a")]));
            under.store.put("device", "t/a", "known");
            await assert.rejects(under.store.flush(), { code: "GW_STORE" });
            rmSync(path.dirname(file));
            await under.recovered();
            assert.equal(await under.commit([storedEvent(1, "t/a")]), undefined);
            await under.store.flush();
            await under.close();
            assert.deepEqual([...(await open()).store.entries("device")], [["t/a", "known"]]);
        });

        if (process.getuid?.() === 0) {
            it("fails with an explanation in a read-only folder, and recovers when it is writable", async () => {
                const nobody = 65534;
                mkdirSync(path.dirname(file));
                chownSync(directory, nobody, nobody);
                chownSync(path.dirname(file), nobody, nobody);
                chmodSync(path.dirname(file), 0o500);
                process.seteuid?.(nobody);
                try {
                    const under = await open();
                    assert.match(under.errors[0]?.message ?? "", /permission denied.*Check the disk and the folder's permissions/i);
                    chmodSync(path.dirname(file), 0o700);
                    await under.recovered();
                    assert.equal(await under.commit([storedEvent(1, "t/a")]), undefined);
                    await under.close();
                } finally {
                    process.seteuid?.(0);
                }
            });
        }

        it("completes nothing while the disk is full, continues from memory, and stores the rest when there is space", async () => {
            const disk = new FaultyDisk({ maxPages: 12 });
            const under = await disk.under(() => open());
            const { outbox, link, admit } = outboxOn(under);
            const completions = [...Array(400).keys()].map((index) => admit(`${index} ${"x".repeat(200)}`));
            await waitFor(() => {
                under.clock.advance(100);
                return under.errors.length > 0;
            }, "the disk to be full");
            assert.match(under.errors[0]?.message ?? "", /full.*Free some disk space/);
            assert.ok(outbox.counters.isStoreFailing);
            assert.ok(completions.some((completion) => completion.outcome === "open"));
            outbox.linkUp();
            link.acknowledge();
            assert.equal(completions[0]?.outcome, "done");
            outbox.linkDown();
            disk.set({});
            await under.recovered();
            await waitFor(() => {
                under.clock.advance(100);
                return completions.every((completion) => completion.outcome === "done");
            }, "everything to be stored");
            assert.equal(under.errors.length, 1);
            disk.dispose();
        });

        it("recovers when the disk has space again, even if nothing has to be written", async () => {
            const disk = new FaultyDisk({ maxPages: 12 });
            const under = await disk.under(() => open());
            const { outbox, link, admit } = outboxOn(under);
            for (let index = 0; index < 400; index++) admit(`${index} ${"x".repeat(200)}`);
            await waitFor(() => {
                under.clock.advance(100);
                return under.errors.length > 0;
            }, "the disk to be full");
            outbox.linkUp();
            await waitFor(() => {
                link.acknowledgeAll();
                under.clock.advance(100);
                return outbox.counters.queued === 0;
            }, "everything to be delivered");
            under.clock.advance(300_000);
            assert.equal(under.recoveries, 0);
            disk.set({});
            await under.recovered();
            assert.equal(under.errors.length, 1);
            disk.dispose();
        });

        it("a file that the disk repeatedly fails to read is set aside, and the gateway continues without it", async () => {
            const before = await open();
            await before.commit([storedEvent(1, "t/a"), storedEvent(2, "t/a")]);
            await before.close();
            const disk = new FaultyDisk({ isUnreadable: true });
            const after = await disk.under(() => open());
            const { outbox, link, admit } = outboxOn(after);
            outbox.linkUp();
            await waitFor(() => {
                after.clock.advance(100);
                return after.errors.at(-1)?.message.includes("set aside");
            }, "the file to be set aside");
            disk.set({});
            assert.ok(after.errors.length <= 7, `told ${after.errors.length} times`);
            const completion = admit("new");
            await waitFor(() => {
                after.clock.advance(100);
                link.acknowledgeAll();
                return completion.outcome === "done" && outbox.counters.queued === 0;
            }, "the outbox to go on");
            assert.deepEqual(link.sent, ["new"]);
            disk.dispose();
        });

        it("a file with a bad place is set aside after five failures, even if other reads succeed around it", async () => {
            const disk = new FaultyDisk({ unreadableDevice: "t/bad" });
            const under = await disk.under(() => open());
            await under.commit([storedEvent(1, "t/bad"), storedEvent(2, "t/good")]);
            const read = (device: string) => {
                const range = { priority: "normal", device, after: 0, upTo: 9, maxEvents: 9, maxBytes: 1e6 } as const;
                return new Promise<GatewayError | undefined>((resolve) => under.store.read(range, resolve));
            };
            const isSetAside = () => under.errors.at(-1)?.message.includes("set aside") === true;
            for (let failures = 1; failures <= 5; failures++) {
                assert.equal(isSetAside(), false);
                assert.equal((await read("t/bad"))?.code, "GW_STORE");
                await under.recovered();
                assert.equal(await read("t/good"), undefined);
            }
            assert.equal(isSetAside(), true);
            disk.dispose();
        });

        it("recovers after the worker has died: nothing is lost, nothing is stored twice", async () => {
            const workers: Worker[] = [];
            const started = (worker: Worker) => workers.push(worker);
            process.on("worker", started);
            const under = await open();
            const { outbox, link, admit } = outboxOn(under);
            const completions: RecordedCompletion[] = [];
            for (let round = 0; round < 5; round++) {
                for (let index = 0; index < 50; index++) completions.push(admit(`${round * 50 + index}`));
                under.clock.advance(30);
                await workers.at(-1)?.terminate();
                await waitFor(() => {
                    under.clock.advance(500);
                    return completions.every((completion) => completion.outcome === "done");
                }, "everything to be stored");
            }
            assert.equal((await under.numbers()).length, 250);
            outbox.linkUp();
            link.acknowledgeAll();
            assert.deepEqual(link.sent, [...Array(250).keys()].map(String));
            process.off("worker", started);
        });

        for (const [what, fault] of [
            ["a transient read error at opening", { areStatesUnreadable: true }],
            ["an opening that was committed, but not reported", { isCommitLost: true }],
        ] as const) {
            it(`loses no event of two processes after ${what}`, async () => {
                const disk = new FaultyDisk();
                const workers: Worker[] = [];
                const started = (worker: Worker) => workers.push(worker);
                process.on("worker", started);
                const under = await disk.under(() => open());
                process.off("worker", started);
                const { outbox, link, admit } = outboxOn(under);
                const first = [admit("first 1"), admit("first 2")];
                await waitFor(() => {
                    under.clock.advance(30);
                    return first.every(({ outcome }) => outcome === "done");
                }, "the first events to be stored");

                await workers[0]?.terminate();
                // Where there is no SQLite, this file is loaded too.
                const { SqliteFile } = await import("../../../src/outbox/store/sqlite-file.js");
                const other = new SqliteFile({ path: file, run: 2 });
                const lastSeq = other.open().lastSeq;
                const events = [1, 2].map((index) => storedEvent(lastSeq + index, "t/a", { topic: "other", payload: `other ${index}` }));
                other.commit(rowsFromEvents(events), [1, 2], [], "");
                other.close();
                disk.set(fault);
                await disk.under(() =>
                    waitFor(() => {
                        under.clock.advance(100);
                        return disk.failures > 0;
                    }, "the next opening to fail"),
                );
                disk.set({});
                await under.recovered();

                const second = [admit("second 1"), admit("second 2")];
                await waitFor(() => {
                    under.clock.advance(30);
                    return second.every(({ outcome }) => outcome === "done");
                }, "the next events to be stored");
                outbox.linkUp();
                await waitFor(() => {
                    under.clock.advance(30);
                    link.acknowledgeAll();
                    return outbox.counters.queued === 0;
                }, "everything to be sent");
                const sent = link.sent.filter((text) => !text.startsWith("first"));
                assert.deepEqual(new Set(sent), new Set(["other 1", "other 2", "second 1", "second 2"]));
                disk.dispose();
            });
        }

        it("gives an event a new number if another one has it in the file", async () => {
            const under = await open();
            const { outbox, link, admit } = outboxOn(under);
            assert.equal(await under.commit([storedEvent(1, "t/a", { topic: "other", payload: "other" })]), undefined);
            const completion = admit("own");
            await waitFor(() => {
                under.clock.advance(30);
                return completion.outcome === "done";
            }, "the event to be stored");
            assert.match(under.errors[0]?.message ?? "", /another process has written to it/);
            assert.deepEqual(await under.numbers(), [1, 2]);
            outbox.linkUp();
            await waitFor(() => {
                under.clock.advance(30);
                link.acknowledgeAll();
                return outbox.counters.queued === 0;
            }, "both events to be sent");
            assert.deepEqual(link.sent, ["other", "own"]);
        });

        it("takes an event as stored if the outcome of its commit got lost, and no other one with its number", async () => {
            const under = await open();
            const event = storedEvent(1, "t/a");
            assert.equal(await under.commit([event]), undefined);
            assert.equal(await under.commit([event]), undefined);
            for (const other of [{ topic: "other" }, { createdAt: event.createdAt + 1 }]) {
                assert.equal((await under.commit([{ ...event, ...other }]))?.code, "GW_STORE");
                await under.recovered();
            }
            await under.close();
            const next = await open();
            assert.equal((await next.commit([event]))?.code, "GW_STORE", "the event of another run");
        });

        it("goes on with the clock by which events age, over a reboot with a wrong wall clock and over a restart", async () => {
            const clock = new FakeClock(Date.UTC(2026, 11, 1));
            const run = async () => {
                const store = new SqliteStore({
                    path: file,
                    clock,
                    listener: { failed: (error) => assert.fail(error), recovered: () => {} },
                });
                await store.open();
                const { link, admit, outbox, listener } = outboxOn({ store, clock });
                const end = async () => {
                    const closed = outbox.close(1000);
                    await waitFor(() => {
                        clock.advance(10);
                        return outbox.counters.writtenEvents > 0 || outbox.counters.queued === 0;
                    }, "the events to be written");
                    await closed;
                    await store.close(1000);
                };
                return { link, admit, outbox, listener, clock, end };
            };
            const first = await run();
            first.admit("stored");
            await first.end();
            clock.reboot(Date.UTC(2036, 0, 1));
            const second = await run();
            second.admit("stored later", 60_000);
            await second.end();
            clock.advance(3_600_000);
            const third = await run();
            third.outbox.linkUp();
            await waitFor(() => {
                clock.advance(100);
                third.link.acknowledgeAll();
                return third.outbox.counters.queued === 0;
            }, "nothing to be left");
            assert.deepEqual(third.link.sent, ["stored"]);
            assert.deepEqual(
                third.listener.late.map(({ error, event }) => [error.code, event.payload]),
                [["GW_EXPIRED", "stored later"]],
            );
            await third.end();
        });

        it("gives events their whole time again that seem to have expired before the last one of a file without a clock", async () => {
            const before = await open();
            const [monday, hour] = [Date.UTC(2026, 2, 2), 3_600_000];
            await before.commit([
                storedEvent(1, "t/a", { createdAt: 5000, expiresAt: 65_000 }),
                storedEvent(2, "t/a", { createdAt: monday, expiresAt: monday + hour }),
            ]);
            await before.close();
            const after = await open();
            const batch = await new Promise<readonly OutboxEvent[]>((resolve) =>
                after.store.read({ priority: "normal", after: 0, upTo: 9, maxEvents: 9, maxBytes: 1e6 }, (_, found) =>
                    resolve(found.events),
                ),
            );
            assert.deepEqual(
                batch.map(({ createdAt, expiresAt }) => [createdAt, expiresAt]),
                [
                    [monday, monday + 60_000],
                    [monday, monday + hour],
                ],
            );
        });

        if (process.platform !== "win32") {
            it("an opening that hangs is reported after 5 s, and holds up neither connection nor events", async () => {
                const pipe = path.join(directory, "pipe");
                execFileSync("mkfifo", [pipe]);
                const disk = new FaultyDisk({ flushWaitsFor: pipe });
                const under = new StoreUnderTest(file);
                opened.push(under);
                const { outbox, link, admit } = outboxOn(under);
                const ready = await disk.under(async () => {
                    const opening = under.store.open();
                    await waitFor(() => disk.isFlushWaiting, "the opening to hang");
                    return [opening];
                });
                under.clock.advance(4900);
                outbox.linkUp();
                const first = admit("first");
                assert.deepEqual([under.errors.length, link.sent.length], [0, 0]);
                under.clock.advance(100);
                await ready[0];
                assert.equal(under.errors[0]?.code, "GW_STORE");
                assert.match(under.errors[0]?.message ?? "", /has not answered for 5 s/);
                link.acknowledgeAll();
                assert.equal(first.outcome, "done");
                outbox.linkDown();
                const second = admit("second");
                disk.set({});
                writeFileSync(pipe, "goes on");
                await waitFor(() => {
                    under.clock.advance(30);
                    return second.outcome === "done";
                }, "the second event to be stored");
                assert.deepEqual([under.errors.length, under.recoveries], [1, 1]);
                disk.dispose();
            });

            it("a commit that hangs is reported after 30 s, and that it is over", async () => {
                const pipe = path.join(directory, "pipe");
                execFileSync("mkfifo", [pipe]);
                const disk = new FaultyDisk();
                const under = await disk.under(() => open());
                disk.set({ flushWaitsFor: pipe });
                const committed = under.commit([storedEvent(1, "t/a")]);
                await waitFor(() => disk.isFlushWaiting, "the flush to wait");
                under.clock.advance(29_900);
                assert.equal(under.errors.length, 0);
                under.clock.advance(100);
                assert.match(under.errors[0]?.message ?? "", /has not answered for 30 s/);
                disk.set({});
                writeFileSync(pipe, "goes on");
                assert.equal(await committed, undefined);
                assert.deepEqual([under.errors.length, under.recoveries], [1, 1]);
                disk.dispose();
            });

            it("gives up closing at the deadline if the disk holds up the thread", async () => {
                const pipe = path.join(directory, "pipe");
                execFileSync("mkfifo", [pipe]);
                const disk = new FaultyDisk();
                const under = await disk.under(() => open());
                disk.set({ flushWaitsFor: pipe });
                const committed = under.commit([storedEvent(1, "t/a")]);
                await waitFor(() => disk.isFlushWaiting, "the flush to wait");
                const closed = under.store.close(3000);
                under.clock.advance(3000);
                await closed;
                writeFileSync(pipe, "goes on");
                assert.equal((await committed)?.code, "GW_STORE");
                disk.dispose();
            });
        }

        it("returns the space of a former backlog to the disk at the next start", async () => {
            const before = await open();
            const payload = "x".repeat(5000);
            await before.commit([...Array(2000).keys()].map((index) => storedEvent(index + 1, "t/a", { payload, bytes: 5000 })));
            await before.commit(
                [],
                [...Array(2000).keys()].map((index) => index + 1),
            );
            await before.close();
            assert.ok(statSync(file).size > 10_000_000);
            const after = await open();
            await after.close();
            assert.ok(statSync(file).size < 100_000, String(statSync(file).size));
        });

        it("returns the space of a former backlog to the disk while it runs, around the events that are left", async () => {
            const under = await open();
            const payload = "x".repeat(5000);
            const numbers = [...Array(2000).keys()].map((index) => index + 1);
            await under.commit(numbers.map((seq) => storedEvent(seq, "t/a", { payload, bytes: 5000 })));
            const kept = [...numbers.slice(0, 3), ...numbers.slice(-3)];
            await under.commit(
                [],
                numbers.filter((seq) => !kept.includes(seq)),
            );
            await waitFor(() => {
                under.clock.advance(1000);
                return statSync(file).size < 300_000 && statSync(`${file}-wal`).size < 2_000_000;
            }, "the file to shrink");
            assert.deepEqual(await under.numbers(), kept);
        });

        it("returns the space of a file of version 1 to the disk while it runs, once no event is left", async () => {
            mkdirSync(path.dirname(file));
            copyFileSync(path.join(process.cwd(), "test", "fixtures", "outbox-version-1.sqlite"), file);
            const under = await open();
            const payload = "x".repeat(5000);
            const numbers = [...Array(2000).keys()].map((index) => index + 100);
            await under.commit(numbers.map((seq) => storedEvent(seq, "t/a", { payload, bytes: 5000 })));
            for (const removals of [numbers, [...Array(100).keys()]]) {
                assert.ok(statSync(file).size > 5_000_000);
                await under.commit([], removals);
            }
            await waitFor(() => {
                under.clock.advance(1000);
                return statSync(file).size < 300_000;
            }, "the file to shrink");
        });

        it("opens the file although there is no space to shrink it after a backlog", async () => {
            const mount = path.join(directory, "wiotp-gateway");
            mkdirSync(mount);
            // Where nothing may be mounted, the disk cannot be filled up.
            if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=100m", "tmpfs", mount]).status !== 0) return;
            try {
                const before = await open();
                const payload = "x".repeat(5000);
                const numbers = [...Array(3000).keys()].map((index) => index + 1);
                for (const index of numbers) before.store.put("device", `t/${index}`, payload);
                await before.commit(numbers.map((seq) => storedEvent(seq, "t/a", { payload, bytes: 5000 })));
                await before.commit([], numbers);
                await before.close();
                const { bfree, bsize } = statfsSync(mount);
                writeFileSync(path.join(mount, "other"), Buffer.alloc(bfree * bsize - 2_000_000));
                const { size } = statSync(file);
                const after = await open();
                assert.deepEqual(after.errors, []);
                assert.equal(statSync(file).size, size);
                assert.equal(await after.commit([storedEvent(1, "t/a")]), undefined);
                await after.close();
            } finally {
                execFileSync("umount", [mount]);
            }
        });

        it("needs no temporary folder to move the times of a large backlog", () => {
            const module = path.join(__dirname, "../../../src/outbox/store/sqlite-file.js");
            const script = `const { SqliteFile } = require(${JSON.stringify(module)});
                process.chdir("/proc");
                const file = new SqliteFile({ path: ${JSON.stringify(file)}, run: 2 });
                file.open();
                const row = (seq) => [seq, "t/a", 1, "topic", "x".repeat(300), 300, 1, 1, ${Date.now() + 1e9} + seq, "", "", "", "text", 2, "", 0, 0];
                file.commit([...Array(20000).keys()].flatMap(row), [], [], "");
                file.shiftTimes(5, 1000, "");
                console.log("moved", file.read({ priority: 1, after: 7, upTo: 8, maxEvents: 1, maxBytes: 1000 }).values[7]);`;
            const readOnly = `mount --make-rprivate / && mount --bind ${directory} ${directory} && mount --rbind /tmp /tmp &&
                mount -o remount,bind,ro /tmp && mount -t tmpfs -o ro tmpfs /var/tmp && unset TMPDIR && exec "$0" -e "$1"`;
            const { status, stdout } = spawnSync("unshare", ["-m", "sh", "-c", readOnly, process.execPath, script], { encoding: "utf8" });
            // Where nothing may be mounted, there is a temporary folder.
            if (status !== 0 && spawnSync("unshare", ["-m", "mount", "--make-rprivate", "/"]).status !== 0) return;
            assert.equal(stdout, "moved 1001\n");
        });

        it("fails with an explanation when a real disk is full, and recovers when there is space", async () => {
            const mount = path.join(directory, "wiotp-gateway");
            mkdirSync(mount);
            // Where nothing may be mounted, the limit on pages above stands for it.
            if (spawnSync("mount", ["-t", "tmpfs", "-o", "size=256k", "tmpfs", mount]).status !== 0) return;
            const under = await open();
            try {
                const { admit } = outboxOn(under);
                const completions = [...Array(100).keys()].map((index) => admit(`${index} ${"x".repeat(5000)}`));
                await waitFor(() => {
                    under.clock.advance(100);
                    return under.errors.length > 0;
                }, "the disk to be full");
                execFileSync("mount", ["-o", "remount,size=20m", mount]);
                await waitFor(() => {
                    under.clock.advance(100);
                    return completions.every((completion) => completion.outcome === "done");
                }, "everything to be stored");
                assert.equal(under.recoveries > 0, true);
                assert.equal((await under.numbers()).length, 100);
            } finally {
                await under.close();
                execFileSync("umount", [mount]);
            }
        });
    });
}

function run(script: string, ...args: string[]): void {
    execFileSync(process.execPath, ["-e", script, ...args], { stdio: ["ignore", "ignore", "inherit"] });
}

function changeVersion(file: string, version: number): void {
    run(`new (require("node:sqlite").DatabaseSync)(process.argv[1]).exec("PRAGMA user_version = ${version}")`, file);
}
