import assert from "node:assert/strict";
import { GatewayError } from "../../../src/errors";
import { outboxFixture } from "../../support/doubles/outbox-fixture";
import { Disk } from "../../support/doubles/stepped-store";

const second = 1000;

describe("an outbox whose devices wait to be checked", () => {
    const small = { readyEvents: 4, batchEvents: 4, deviceEvents: 2 };

    it("does not count a device as held whose link was cut during its check", () => {
        const { outbox, link, gate, cut, admit } = outboxFixture({ limits: { maxBytes: 1000 } });
        gate.hold("t/new");
        outbox.linkUp();
        for (let index = 0; index < 3; index++) admit("t/new", `${index}`.padEnd(100));
        assert.equal(outbox.counters.heldBytes, 300);
        gate.release("t/new");
        gate.answers.set("t/new", "check");
        gate.verbs.wake("t/new");
        assert.equal(link.pending[0]?.isCheck, true);
        cut();
        assert.equal(outbox.counters.heldBytes, 0);
        const completions = [...Array(7)].map(() => admit("t/new", "x".repeat(100)));
        assert.ok(completions.every(({ outcome }) => outcome === "open"));
    });

    it("counts a device as held as soon as the gate says so, and no longer when it does not", () => {
        const { outbox, gate, admit } = outboxFixture();
        gate.hold("t/a");
        admit("t/a", "1234567890");
        assert.equal(outbox.counters.heldBytes, 10);
        gate.release("t/a");
        outbox.linkUp();
        assert.equal(outbox.counters.heldBytes, 0);
    });

    it("gives the place of a device back when all that waited for it has expired, in memory and on disk", () => {
        const { outbox, gate, clock, store, writeOut, admit } = outboxFixture({ memory: small });
        for (const device of ["t/a", "t/b", "t/c"]) gate.answers.set(device, "wait");
        outbox.linkUp();
        for (let index = 0; index < 3; index++) admit("t/a", `a${index}`, { ttlMs: 5 * second });
        admit("t/b", "b0", { ttlMs: 5 * second });
        admit("t/b", "b1");
        writeOut();
        admit("t/c", "in memory only", { ttlMs: 4 * second });
        store.fail();
        assert.deepEqual(gate.withdrawn, []);
        for (let round = 0; round < 10; round++) {
            clock.advance(1 * second);
            store.settle();
        }
        assert.deepEqual(gate.withdrawn.sort(), ["t/a", "t/c"]);
        assert.equal(outbox.counters.waitingDevices, 1);
    });

    it("gives the place of a device back when its events gave way to newer ones", () => {
        const { outbox, gate, admit } = outboxFixture({ limits: { maxBytes: 300, whenFull: "drop-oldest" } });
        gate.answers.set("t/a", "wait");
        gate.answers.set("t/b", "wait");
        outbox.linkUp();
        admit("t/a", "x".repeat(100));
        for (let index = 0; index < 3; index++) admit("t/b", "x".repeat(100));
        assert.deepEqual([gate.withdrawn, outbox.counters.dropped], [["t/a"], 1]);
    });

    it("gives the place of a device back when an operator drops what waits for it", async () => {
        const { outbox, gate, clock, store, writeOut, admit } = outboxFixture({ memory: small });
        gate.answers.set("t/a", "wait");
        outbox.linkUp();
        for (let index = 0; index < 10; index++) admit("t/a", `${index}`);
        writeOut();
        const purged = outbox.purge("t/a");
        let dropped: number | undefined;
        void purged.then((events) => {
            dropped = events;
        });
        for (let round = 0; round < 100 && dropped === undefined; round++) {
            clock.advance(300);
            store.settle();
            await new Promise((resolve) => setImmediate(resolve));
        }
        assert.deepEqual([dropped, gate.withdrawn], [10, ["t/a"]]);
    });

    it("gives the place of a device back at once when it is woken and nothing waits for it", () => {
        const { outbox, gate } = outboxFixture();
        outbox.linkUp();
        gate.verbs.wake("t/gone");
        assert.deepEqual(gate.withdrawn, ["t/gone"]);
    });

    it("keeps the place of a device whose check is on the wire", () => {
        const { outbox, link, gate, admit } = outboxFixture();
        gate.answers.set("t/a", "check");
        outbox.linkUp();
        admit("t/a", "only one");
        assert.deepEqual(gate.withdrawn, []);
        link.acknowledge();
        gate.verbs.confirm("t/a");
        assert.deepEqual([gate.withdrawn, outbox.counters.queued], [[], 0]);
    });

    it("asks before it reads, and reads one event for a check", () => {
        const disk = outboxFixture({ memory: small });
        for (let index = 0; index < 40; index++) disk.admit(`t/${index % 20}`, `${index}`);
        for (let round = 0; round < 20; round++) disk.writeOut();
        const { outbox, link, gate, store } = outboxFixture({ disk: disk.disk, memory: small });
        const settle = () => {
            store.settle();
            link.acknowledgeAll();
            store.settle();
        };
        gate.onAsk = (device) => gate.answers.get(device) ?? "wait";
        for (let connection = 0; connection < 3; connection++) {
            outbox.linkUp();
            for (let round = 0; round < 20; round++) settle();
            outbox.linkDown();
        }
        assert.equal(outbox.counters.waitingDevices, 20);
        assert.deepEqual(
            store.reads.filter(({ device }) => device !== undefined),
            [],
        );
        outbox.linkUp();
        gate.answers.set("t/7", "check");
        gate.verbs.wake("t/7");
        settle();
        assert.deepEqual(link.sent, ["7"]);
        gate.answers.set("t/7", "flow");
        gate.verbs.confirm("t/7");
        settle();
        assert.deepEqual(link.sent, ["7", "27"]);
        const [forCheck, forRest] = store.reads.filter(({ device }) => device === "t/7");
        assert.deepEqual([forCheck?.maxEvents, forRest?.maxEvents], [1, 2]);
    });

    for (const { count, isAhead } of [
        { count: 9_000, isAhead: false },
        { count: 12_000, isAhead: true },
    ]) {
        const name = isAhead ? "waits a second before it reads past" : "reads past";
        it(`${name} ${count} events of devices that wait for their check`, () => {
            const { outbox, link, gate, clock, store, writeOut, admit } = outboxFixture();
            for (let device = 0; device < 10; device++) gate.answers.set(`t/d${device}`, "wait");
            for (let index = 0; index < count; index++) admit(`t/d${index % 10}`, `${index}`);
            admit("t/checked", "behind them");
            for (let round = 0; round < 40; round++) writeOut();
            outbox.linkUp();
            const goOn = (durationMs: number) => {
                for (let passedMs = 0; passedMs < durationMs; passedMs += 5) {
                    clock.advance(5);
                    store.settle();
                }
            };
            goOn(900);
            assert.deepEqual(link.sent, isAhead ? [] : ["behind them"]);
            goOn(1_500);
            assert.deepEqual(link.sent, ["behind them"]);
        });
    }

    it("sends nothing to a connection that a question has closed, and later everything in order", () => {
        const { outbox, link, gate, cut, admit } = outboxFixture();
        outbox.linkUp();
        gate.onAsk = (device) => {
            if (device === "t/b") link.writable = false;
            return "flow";
        };
        link.writable = false;
        for (const text of ["a1", "a2"]) admit("t/a", text);
        for (const text of ["b1", "b2"]) admit("t/b", text);
        link.writable = true;
        outbox.resume();
        assert.deepEqual(link.sent, ["a1"]);
        cut();
        gate.onAsk = undefined;
        link.writable = true;
        outbox.linkUp();
        const sent = link.sent.slice(1);
        assert.deepEqual(
            [sent.filter((text) => text.startsWith("a")), sent.filter((text) => text.startsWith("b"))],
            [
                ["a1", "a2"],
                ["b1", "b2"],
            ],
        );
    });

    it("lets an event that nothing precedes wait when the question for it has closed the connection", () => {
        const { outbox, link, gate, admit } = outboxFixture();
        outbox.linkUp();
        gate.onAsk = () => {
            link.writable = false;
            return "flow";
        };
        admit("t/a", "1");
        assert.deepEqual([link.sent, outbox.counters.queued], [[], 1]);
        gate.onAsk = undefined;
        link.writable = true;
        outbox.resume();
        assert.deepEqual(link.sent, ["1"]);
    });
});

describe("an outbox whose acknowledged events may have to be sent again", () => {
    function retaining() {
        const fixture = outboxFixture({ limits: { maxInFlight: 2 } });
        fixture.link.retains = true;
        fixture.outbox.linkUp();
        return fixture;
    }

    it("completes them at the acknowledgement, and counts them no longer", () => {
        const { outbox, link, clock, store, admit } = retaining();
        const completions = [1, 2, 3, 4].map((index) => admit("t/a", `${index}`));
        link.acknowledgeAll();
        assert.deepEqual(link.sent, ["1", "2", "3", "4"]);
        assert.ok(completions.every(({ outcome }) => outcome === "done"));
        const { queued, queuedBytes, inFlight, acknowledged } = outbox.counters;
        assert.deepEqual({ queued, queuedBytes, inFlight, acknowledged }, { queued: 0, queuedBytes: 0, inFlight: 0, acknowledged: 4 });
        clock.advance(10 * second);
        store.settle();
        assert.equal(store.commits, 0, "what is acknowledged was stored");
        link.settle();
        assert.equal(link.retained.length, 0);
    });

    it("keeps their rows until they are settled", () => {
        const { outbox, link, disk, writeOut, admit } = retaining();
        admit("t/a", "1");
        writeOut();
        link.acknowledge();
        writeOut();
        assert.equal(disk.events, 1);
        link.settle();
        writeOut();
        assert.deepEqual([disk.events, outbox.counters.queued], [0, 0]);
    });

    it("sends them again in order, before what was sent after them, when the device is recalled", () => {
        const { outbox, link, gate, admit } = retaining();
        for (let index = 1; index <= 4; index++) admit("t/a", `${index}`);
        link.acknowledge(1);
        link.acknowledge(1);
        admit("t/b", "other");
        assert.deepEqual(link.sent, ["1", "2", "3", "4"]);
        link.acknowledge(0);
        gate.answers.set("t/a", "wait");
        gate.verbs.recall("t/a");
        const { queued, recalled, acknowledged } = outbox.counters;
        assert.deepEqual({ queued, recalled, acknowledged }, { queued: 5, recalled: 3, acknowledged: 3 });
        link.settle();
        assert.equal(outbox.counters.queued, 5);
        link.acknowledgeAll();
        gate.answers.delete("t/a");
        gate.verbs.wake("t/a");
        link.acknowledgeAll();
        link.settle();
        assert.deepEqual(link.sent, ["1", "2", "3", "4", "other", "1", "2", "3", "4"]);
        assert.equal(outbox.counters.queued, 0);
    });

    it("reports a recalled event that is given up later to the listener, because its sender was called back", () => {
        const { gate, link, clock, listener, admit } = retaining();
        const completion = admit("t/a", "1", { ttlMs: 2 * second });
        link.acknowledge();
        assert.equal(completion.outcome, "done");
        gate.answers.set("t/a", "wait");
        gate.verbs.recall("t/a");
        clock.advance(5 * second);
        assert.deepEqual(
            listener.late.map(({ error, event }) => [error.code, event.payload]),
            [["GW_EXPIRED", "1"]],
        );
    });

    it("sends them again when the connection ends before they are settled", () => {
        const { outbox, link, cut, admit } = retaining();
        for (const text of ["1", "2", "3"]) admit("t/a", text);
        link.acknowledge(1);
        cut();
        link.retained = [];
        outbox.linkUp();
        link.acknowledgeAll();
        assert.deepEqual(link.sent, ["1", "2", "3", "1", "2", "3"]);
    });

    it("does not send a check again that is settled and confirmed, in whatever order", () => {
        for (const settlesFirst of [true, false]) {
            const { outbox, link, gate, admit } = retaining();
            gate.answers.set("t/a", "check");
            const completion = admit("t/a", "1");
            link.acknowledge();
            if (settlesFirst) link.settle();
            assert.equal(completion.outcome, "open");
            gate.answers.delete("t/a");
            gate.verbs.confirm("t/a");
            assert.deepEqual([completion.outcome, outbox.counters.queued], ["done", 0]);
            link.settle();
            outbox.linkDown();
            outbox.linkUp();
            assert.deepEqual(link.sent, ["1"]);
        }
    });

    it("ignores what is reported of a sending that is over", () => {
        const { outbox, link, gate, admit } = retaining();
        const completion = admit("t/a", "1");
        const [first] = link.pending.splice(0);
        gate.verbs.recall("t/a");
        first?.transmission.acknowledged();
        first?.transmission.settled();
        assert.deepEqual([completion.outcome, outbox.counters.queued], ["open", 1]);
        gate.verbs.wake("t/a");
        first?.transmission.acknowledged();
        assert.equal(completion.outcome, "open");
        gate.answers.set("t/a", "check");
        gate.verbs.drop("t/a", new GatewayError("GW_REFUSED", "there is no check to be dropped"));
        assert.equal(completion.outcome, "open");
        link.acknowledge();
        assert.equal(completion.outcome, "done");
    });
});

describe("an outbox whose acknowledged events may have been dropped", () => {
    function oneInFlight() {
        const fixture = outboxFixture({ limits: { maxInFlight: 1 } });
        fixture.outbox.linkUp();
        return fixture;
    }

    /** The platform acknowledges the event on the wire; its outcome follows. */
    function acknowledgeOpen({ link }: ReturnType<typeof outboxFixture>) {
        const [first] = link.pending.splice(0, 1);
        assert.ok(first);
        first.transmission.acknowledged(true);
        return first.transmission;
    }

    it("sends the next ones at once, and completes each when its outcome is known", () => {
        const fixture = oneInFlight();
        const { outbox, link, admit } = fixture;
        const completions = [1, 2, 3].map((index) => admit("t/a", `${index}`));
        const transmissions = [1, 2, 3].map(() => acknowledgeOpen(fixture));
        assert.deepEqual(link.sent, ["1", "2", "3"]);
        assert.deepEqual([outbox.counters.inFlight, outbox.counters.queued, outbox.counters.acknowledged], [0, 3, 0]);
        transmissions[0]?.acknowledged();
        transmissions[0]?.settled();
        transmissions[1]?.settled();
        assert.deepEqual(
            completions.map(({ outcome }) => outcome),
            ["done", "done", "open"],
        );
        assert.deepEqual([outbox.counters.queued, outbox.counters.acknowledged], [1, 2]);
    });

    it("stores them in their time, and removes their rows when they are done", () => {
        const fixture = oneInFlight();
        const { disk, writeOut, admit } = fixture;
        admit("t/a", "1");
        const transmission = acknowledgeOpen(fixture);
        writeOut();
        assert.equal(disk.events, 1);
        transmission.settled();
        writeOut();
        assert.equal(disk.events, 0);
    });

    it("sends them again, and counts none of them as recalled, when the device is recalled or the connection ends", () => {
        const fixture = oneInFlight();
        const { outbox, link, gate, cut, admit } = fixture;
        const completion = admit("t/a", "1");
        const transmission = acknowledgeOpen(fixture);
        gate.verbs.recall("t/a");
        transmission.settled();
        assert.equal(completion.outcome, "open");
        gate.verbs.wake("t/a");
        acknowledgeOpen(fixture);
        cut();
        outbox.linkUp();
        link.acknowledge();
        assert.deepEqual([link.sent, completion.outcome, outbox.counters.recalled], [["1", "1", "1"], "done", 0]);
    });

    it("waits for their outcome when it closes, so that they need not be sent again", async () => {
        const fixture = oneInFlight();
        const { outbox, clock, store, disk, admit } = fixture;
        admit("t/a", "1");
        const transmission = acknowledgeOpen(fixture);
        const closed = outbox.close(1000);
        store.settle();
        clock.advance(100);
        transmission.settled();
        for (let round = 0; round < 10; round++) {
            await new Promise((resolve) => setImmediate(resolve));
            store.settle();
        }
        assert.deepEqual([await closed, disk.events], [0, 0]);
    });
});

describe("a row whose transaction is said to have failed, but was carried out", () => {
    it("is removed when its event is done", () => {
        const { outbox, link, store, disk, clock, admit } = outboxFixture();
        admit("t/a", "1");
        clock.advance(300);
        store.failAfterwards();
        assert.equal(disk.events, 1);
        outbox.linkUp();
        link.acknowledge();
        clock.advance(5 * second);
        store.settle();
        assert.equal(disk.events, 0);
    });

    it("is not sent twice while its event waits", () => {
        const memory = { readyEvents: 2, batchEvents: 2 };
        const { outbox, link, store, disk, clock, writeOut, admit } = outboxFixture({ memory });
        for (let index = 0; index < 6; index++) admit("t/a", `${index}`);
        clock.advance(300);
        store.failAfterwards();
        for (let round = 0; round < 10; round++) {
            clock.advance(2 * second);
            store.settle();
        }
        outbox.linkUp();
        for (let round = 0; round < 10; round++) {
            store.settle();
            link.acknowledgeAll();
        }
        for (let round = 0; round < 10; round++) writeOut();
        assert.deepEqual([link.sent, disk.events], [["0", "1", "2", "3", "4", "5"], 0]);
    });
});

/** Gives one place at a time: to a device with a high event first, then in the order in which they asked. */
class PlaceByPlace {
    readonly checked = new Set<string>();
    readonly #waiting = new Map<string, boolean>();
    readonly #fixture: ReturnType<typeof outboxFixture>;
    #place: string | undefined;

    constructor(fixture: ReturnType<typeof outboxFixture>) {
        this.#fixture = fixture;
        fixture.gate.onAsk = (device, isHigh) => this.#ask(device, isHigh);
    }

    /** The check under way succeeds, and the next device gets its place. */
    confirm(): void {
        const { link, verbs, store } = this.#fixture;
        const device = this.#place ?? "";
        link.acknowledge(link.pending.findIndex(({ isCheck }) => isCheck));
        this.checked.add(device);
        verbs.confirm(device);
        const next = [...this.#waiting].find(([, isHigh]) => isHigh) ?? [...this.#waiting][0];
        this.#place = next?.[0];
        if (next) verbs.wake(next[0]);
        store.settle();
    }

    #ask(device: string, isHigh: boolean): "flow" | "check" | "wait" {
        if (this.checked.has(device)) return "flow";
        this.#place ??= device;
        if (this.#place === device) {
            this.#waiting.delete(device);
            return "check";
        }
        this.#waiting.set(device, isHigh || this.#waiting.get(device) === true);
        return "wait";
    }
}

describe("high events of devices", () => {
    const memory = { readyEvents: 4, batchEvents: 3, deviceEvents: 2 };
    const devices = Array.from({ length: 20 }, (_, index) => `t/${index}`);

    for (const isInMemory of [true, false]) {
        it(`bring their device to the next free place, ${isInMemory ? "in memory" : "on disk"}, although it waits for one already`, () => {
            const fixture = outboxFixture({ isInMemory, memory });
            const { outbox, link, store, admit, writeOut } = fixture;
            const places = new PlaceByPlace(fixture);
            for (const device of devices) admit(device, `reading of ${device}`);
            writeOut();
            outbox.linkUp();
            store.settle();
            assert.deepEqual(link.sent, ["reading of t/0"]);
            admit("t/15", "alarm", { priority: "high" });
            writeOut();
            places.confirm();
            assert.equal(link.sent[1], "alarm");
            while (places.checked.size < devices.length) places.confirm();
            link.acknowledgeAll();
            assert.equal(new Set(link.sent).size, devices.length + 1);
        });
    }

    it("bring their device to the first places after a restart, behind a backlog of all devices", () => {
        const disk = new Disk();
        const before = outboxFixture({ disk, memory });
        for (let round = 0; round < 3; round++) for (const device of devices) before.admit(device, `reading ${round} of ${device}`);
        for (const device of ["t/18", "t/7"]) before.admit(device, `alarm of ${device}`, { priority: "high" });
        while (disk.events < 62) before.writeOut();
        const after = outboxFixture({ disk, memory });
        const places = new PlaceByPlace(after);
        after.store.settle();
        after.outbox.linkUp();
        after.store.settle();
        for (let turn = 0; turn < 3; turn++) places.confirm();
        assert.deepEqual([...places.checked].slice(0, 2), ["t/18", "t/7"]);
        assert.equal(after.link.sent[0], "alarm of t/18");
    });

    it("never wait for a place if their device is checked, however many events wait for one", () => {
        const { outbox, link, gate, clock, admit } = outboxFixture({ isInMemory: true });
        gate.onAsk = (device) => (device === "t/checked" ? "flow" : "wait");
        for (let index = 0; index < 12_000; index++) admit(`t/new-${index % 1000}`, "reading");
        outbox.linkUp();
        for (let round = 0; round < 10; round++) clock.advance(1);
        link.writable = false;
        for (const text of ["alarm 1", "alarm 2"]) admit("t/checked", text, { priority: "high" });
        link.writable = true;
        outbox.resume();
        assert.deepEqual(link.sent, ["alarm 1", "alarm 2"]);
    });
});
