import assert from "node:assert/strict";
import { existsSync, mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import { Worker } from "node:worker_threads";
import type { GatewayError } from "../../../src/errors";
import { Outbox } from "../../../src/outbox/outbox";
import { isSqliteAvailable, openStore } from "../../../src/outbox/store/open-store";
import { SqliteStore } from "../../../src/outbox/store/sqlite-store";
import { StoreThreads } from "../../../src/outbox/store/store-threads";
import { FakeClock } from "../../support/doubles/fake-clock";
import { newEvent, RecordedCompletion, RecordingListener, roomyLimits, storedEvent } from "../../support/doubles/outbox-events";
import { ManualGate, ManualLink } from "../../support/doubles/outbox-ports";
import { SteppedThread } from "../../support/doubles/stepped-thread";
import { waitFor } from "../../support/wait-for";

const second = 1000;

/** Threads that the test drives, and files on them. */
function steppedThreads(flushMs = 0) {
    const clock = new FakeClock();
    const started: SteppedThread[] = [];
    const startWorker = () => {
        const thread = new SteppedThread(clock, flushMs);
        started.push(thread);
        return thread;
    };
    const threads = new StoreThreads({ clock, startWorker });
    const errors: GatewayError[] = [];
    const listener = { failed: (error: GatewayError) => errors.push(error), recovered: () => {} };
    const newStore = () => new SqliteStore({ path: "gw.sqlite", clock, listener, threads });
    const open = (): SqliteStore => {
        const store = newStore();
        void store.open();
        clock.advance(1);
        return store;
    };
    return { clock, started, errors, newStore, open };
}

describe("the threads of the outbox files", () => {
    it("spreads the files of 40 gateways over four threads, and ends a thread with its last file", async () => {
        const { clock, started, open } = steppedThreads();
        const stores = [...Array(40)].map(open);
        assert.deepEqual(
            started.map(({ files }) => files.size),
            [10, 10, 10, 10],
        );
        for (const store of stores.slice(4)) {
            const closed = store.close(second);
            clock.advance(1);
            await closed;
        }
        assert.deepEqual(
            started.map(({ files, isTerminated }) => [files.size, isTerminated]),
            Array(4).fill([1, false]),
        );
        const closed = stores[0]?.close(second);
        clock.advance(1);
        await closed;
        assert.deepEqual(
            started.map(({ isTerminated }) => isTerminated),
            [true, false, false, false],
        );
        open();
        assert.equal(started.length, 5);
    });

    it("leaves a file closed that was still being opened when the gateway stopped, and starts no thread for it again", async () => {
        const { clock, started, newStore } = steppedThreads();
        const store = newStore();
        const reports: string[] = [];
        store.attach({ opened: () => reports.push("opened"), closed: () => reports.push("closed"), clockNote: () => "" });
        void store.open();
        const closed = store.close(second);
        clock.advance(1);
        await closed;
        const outcomes: (string | undefined)[] = [];
        store.read({ priority: "normal", after: 0, upTo: 1, maxEvents: 1, maxBytes: 1 }, (error) => outcomes.push(error?.code));
        clock.advance(60 * second);
        assert.deepEqual([reports, outcomes, started.length], [[], ["GW_STORE"], 1]);
    });

    it("gives no further file to a thread that has not answered for 5 s", () => {
        const { clock, started, open } = steppedThreads();
        const [first] = [...Array(4)].map(open);
        const stuck = started[0];
        assert.ok(stuck);
        stuck.isStuck = true;
        first?.commit([storedEvent(1, "t/a")], [], () => {});
        clock.advance(4 * second);
        open();
        clock.advance(2 * second);
        for (let count = 0; count < 8; count++) open();
        assert.equal(stuck.files.size, 1);
        assert.deepEqual(
            started.map(({ files }) => files.size).sort((a, b) => a - b),
            [1, 3, 4, 4],
        );
    });

    it("reports a disk that holds up every thread, and opens the file when one answers", () => {
        const { clock, started, errors, open } = steppedThreads();
        const stores = [...Array(4)].map(open);
        for (const thread of started) thread.isStuck = true;
        for (const store of stores) store.commit([storedEvent(1, "t/a")], [], () => {});
        clock.advance(6 * second);
        open();
        assert.match(errors.at(-1)?.message ?? "", /has not answered for 5 s/);
        assert.equal(started.length, 4);
        for (const thread of started) thread.goOn();
        clock.advance(10 * second);
        assert.equal(
            started.reduce((sum, { files }) => sum + files.size, 0),
            5,
        );
    });

    it("fails what was asked of one file at its deadline, while other files stay on the thread", async () => {
        const { clock, started, open } = steppedThreads();
        const stores = [...Array(5)].map(open);
        const shared = started.find(({ files }) => files.size === 2);
        assert.ok(shared);
        shared.isStuck = true;
        const outcomes: (GatewayError | undefined)[] = [];
        for (const store of stores) store.commit([storedEvent(1, "t/a")], [], (error) => outcomes.push(error));
        clock.advance(1);
        assert.equal(outcomes.length, 3);
        const closed = stores[4]?.close(second);
        clock.advance(second);
        await closed;
        assert.deepEqual([outcomes.length, outcomes.at(-1)?.code], [4, "GW_STORE"]);
        assert.equal(shared.isTerminated, false);
        shared.goOn();
        clock.advance(1);
        assert.deepEqual([outcomes.length, outcomes.at(-1), shared.files.size], [5, undefined, 1]);
    });

    it("with 40 gateways at 10 events a second and 20 ms a flush, an event is safe within 500 ms", () => {
        const { clock, started, open } = steppedThreads(20);
        const gateways = [...Array(40)].map(() => {
            const outbox = new Outbox({
                store: open(),
                storesEvents: true,
                clock,
                boot: clock,
                limits: roomyLimits,
                gate: new ManualGate(),
                link: new ManualLink(),
                listener: new RecordingListener(),
            });
            return outbox;
        });
        let safe = 0;
        let longestMs = 0;
        const perGateway = 100;
        for (let index = 0; index < perGateway; index++) {
            for (const outbox of gateways) {
                const admittedMs = clock.monotonicMs();
                outbox.admit(newEvent("t/a", `${index}`), {
                    done: () => {
                        safe += 1;
                        longestMs = Math.max(longestMs, clock.monotonicMs() - admittedMs);
                    },
                    failed: (error) => assert.fail(error),
                });
                clock.advance(100 / gateways.length);
            }
        }
        clock.advance(second);
        assert.equal(safe, perGateway * gateways.length);
        assert.ok(longestMs <= 500, `${longestMs} ms`);
        assert.ok(started.every(({ flushes }) => flushes > 0));
    });

    it("lets a group take along what has come in until it is its turn, also if its file is closed before", async () => {
        const { clock, started, open } = steppedThreads(20);
        const stores = [...Array(12)].map(open);
        const shared = [...stores].filter((_, index) => index % 4 === 0);
        const turns: number[] = [];
        for (const store of shared.slice(0, 2)) store.commit([storedEvent(1, "t/a")], [], () => {});
        shared[2]?.whenFree(() => turns.push(clock.monotonicMs()));
        const beganMs = clock.monotonicMs();
        assert.equal(turns.length, 0);
        clock.advance(21);
        assert.ok((turns[0] ?? 0) - beganMs >= 20);
        for (const thread of started) thread.isStuck = true;
        for (const store of shared.slice(0, 2)) store.commit([storedEvent(2, "t/a")], [], () => {});
        shared[2]?.whenFree(() => turns.push(clock.monotonicMs()));
        const closed = shared[2]?.close(second);
        clock.advance(second);
        await closed;
        assert.equal(turns.length, 2);
    });
});

if (isSqliteAvailable()) {
    describe("outbox files and real threads", () => {
        let directory: string;
        const errors: GatewayError[] = [];
        let recoveries: number;
        const listener = {
            failed: (error: GatewayError) => errors.push(error),
            recovered: () => {
                recoveries += 1;
            },
        };

        beforeEach(() => {
            directory = mkdtempSync(path.join(tmpdir(), "store-threads-"));
            errors.length = 0;
            recoveries = 0;
        });

        afterEach(() => rmSync(directory, { recursive: true, force: true }));

        it("Node-RED goes on if no thread can be started, and events are stored once one can", async () => {
            const clock = new FakeClock();
            let isAllowed = false;
            const startWorker = () => {
                if (!isAllowed) throw new Error("Worker initialization failure: EAGAIN");
                return new Worker(path.join(__dirname, "../../../src/outbox/store/sqlite-worker.js"));
            };
            const threads = new StoreThreads({ startWorker });
            const store = new SqliteStore({ path: path.join(directory, "gw.sqlite"), clock, listener, threads });
            await store.open();
            assert.equal(errors[0]?.code, "GW_STORE");
            assert.match(errors[0]?.message ?? "", /no thread could be started: Worker initialization failure: EAGAIN/);
            const link = new ManualLink();
            const gate = new ManualGate();
            const outbox = new Outbox({
                store,
                storesEvents: true,
                clock,
                boot: clock,
                limits: roomyLimits,
                gate,
                link,
                listener: new RecordingListener(),
            });
            const stored = new RecordedCompletion();
            outbox.admit(newEvent("t/a", "offline"), stored);
            clock.advance(10 * second);
            assert.equal(stored.outcome, "open");
            isAllowed = true;
            await waitFor(() => {
                clock.advance(second);
                return stored.outcome === "done";
            }, "the event to be stored");
            assert.deepEqual([errors.length, recoveries], [1, 1]);
            await store.close(second);
        });

        it("with the outbox in memory no thread and no file is made before something has to be remembered", async () => {
            const started: Worker[] = [];
            const note = (worker: Worker) => started.push(worker);
            process.on("worker", note);
            const clock = new FakeClock();
            const owner = { orgId: "o", typeId: "t", deviceId: "d" };
            const openIt = () => openStore({ mode: "memory", directory, owner, clock, listener });
            const store = openIt();
            let openings = 0;
            store.events?.attach({ opened: () => openings++, closed: () => assert.fail("closed"), clockNote: () => "" });
            await store.open();
            await store.loaded;
            assert.equal(openings, 1);
            const link = new ManualLink();
            const outbox = new Outbox({
                store: store.events,
                storesEvents: store.storesEvents,
                clock,
                boot: clock,
                limits: roomyLimits,
                gate: new ManualGate(),
                link,
                listener: new RecordingListener(),
            });
            const completion = new RecordedCompletion();
            outbox.admit(newEvent("t/a", "in memory"), completion);
            clock.advance(120 * second);
            outbox.linkUp();
            link.acknowledgeAll();
            assert.equal(completion.outcome, "done");
            await store.state.flush();
            assert.deepEqual([started.length, existsSync(store.path ?? "")], [0, false]);

            store.state.put("device", "t/a", "known");
            await store.state.flush();
            assert.deepEqual([started.length, existsSync(store.path ?? "")], [1, true]);
            store.state.put("device", "t/b", "known");
            await store.close(10 * second);

            const next = openIt();
            await next.open();
            await next.loaded;
            assert.deepEqual(
                [...next.state.entries("device")],
                [
                    ["t/a", "known"],
                    ["t/b", "known"],
                ],
            );
            await next.close(10 * second);
            assert.equal(started.length, 2, "a file that is there is opened at once");
            process.off("worker", note);
            assert.deepEqual(errors, []);
        });

        it("writes what has to be remembered even if the gateway closes at once", async () => {
            const clock = new FakeClock();
            const owner = { orgId: "o", typeId: "t", deviceId: "d" };
            const store = openStore({ mode: "memory", directory, owner, clock, listener });
            await store.open();
            store.state.put("device", "t/a", "known");
            const flushed = store.state.flush();
            await Promise.resolve();
            store.state.put("device", "t/b", "known while the file is made");
            await store.close(10 * second);
            await flushed;
            const next = openStore({ mode: "memory", directory, owner, clock, listener });
            await next.open();
            assert.deepEqual(
                [...next.state.entries("device")].map(([device]) => device),
                ["t/a", "t/b"],
            );
            await next.close(10 * second);
        });
    });
}
