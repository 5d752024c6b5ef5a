import assert from "node:assert/strict";
import fc from "fast-check";
import { GatewayError } from "../../../src/errors";
import { HandOver } from "../../../src/outbox/undelivered/hand-over";
import { UndeliveredRecord } from "../../../src/outbox/undelivered/undelivered-record";
import { FakeClock } from "../../support/doubles/fake-clock";
import { newEvent, RecordingListener, storedEvent } from "../../support/doubles/outbox-events";
import { outboxFixture } from "../../support/doubles/outbox-fixture";
import { Disk } from "../../support/doubles/stepped-store";

const second = 1000;
const hour = 3600 * second;

type Fixture = ReturnType<typeof outboxFixture>;

/** Lets time pass in small steps, and the store work. */
function pass({ clock, store }: Fixture, durationMs: number, stepMs = 25): void {
    for (let passedMs = 0; passedMs < durationMs; passedMs += stepMs) {
        clock.advance(stepMs);
        store.settle();
    }
}

function payloads(events: readonly { event: { payload: unknown } }[]): string[] {
    return events.map(({ event }) => String(event.payload));
}

describe("events that ended without delivery", () => {
    /** Events that are done and on disk, and whose time is over in an hour. */
    function expiring(count: number, options: Parameters<typeof outboxFixture>[0] = {}): Fixture {
        const fixture = outboxFixture({ ...options, limits: { maxAgeMs: hour, ...options.limits } });
        for (let number = 0; number < count; number++) fixture.outbox.admit(newEvent("t/a", `event ${number}`));
        pass(fixture, 2 * second);
        return fixture;
    }

    it("undelivered events are handed over one by one with their data, from disk as well", () => {
        const fixture = expiring(3);
        pass(fixture, hour, second);
        assert.deepEqual(
            fixture.listener.late.map(({ error, event }) => [error.code, event.payload, event.topic, event.message.messageId]),
            [0, 1, 2].map((number) => [
                "GW_EXPIRED",
                `event ${number}`,
                "iot-2/type/t/id/a/evt/status/fmt/text",
                `message-event ${number}`,
            ]),
        );
    });

    it("undelivered events are removed from the outbox and noted in one transaction", () => {
        const fixture = expiring(5);
        const { clock, store, disk } = fixture;
        const seen = new Set<string>();
        for (let step = 0; step < 5000; step++) {
            clock.advance(second);
            while (store.step()) seen.add(`${disk.events} ${disk.data.undelivered.length}`);
        }
        assert.deepEqual(seen, new Set(["5 0", "0 5"]));
    });

    it("undelivered events are handed over a thousand a second, at most a hundred at once", () => {
        const fixture = expiring(5000);
        const { clock, store, listener } = fixture;
        fixture.outbox.flowsStopping();
        pass(fixture, hour + 60 * second, second);
        assert.equal(listener.late.length, 0);
        fixture.outbox.flowsStarted();
        let most = 0;
        let counts = [listener.late.length];
        for (let ms = 0; ms < 6 * second; ms++) {
            const before = listener.late.length;
            clock.advance(1);
            store.settle();
            most = Math.max(most, listener.late.length - before);
            counts = [...counts.slice(-second), listener.late.length];
            assert.ok(listener.late.length - (counts[0] ?? 0) <= 1100, `${listener.late.length - (counts[0] ?? 0)} within a second`);
        }
        assert.ok(most <= 100, `${most} at once`);
        assert.deepEqual(
            payloads(listener.late),
            [...Array(5000).keys()].map((number) => `event ${number}`),
        );
    });

    it("undelivered events wait while the flows are stopped", () => {
        const fixture = expiring(3, { areFlowsRunning: false });
        pass(fixture, 2 * hour, second);
        assert.deepEqual(fixture.listener.late, []);
        assert.equal(fixture.outbox.counters.undelivered, 3);
        fixture.outbox.flowsStarted();
        pass(fixture, second);
        assert.equal(fixture.listener.late.length, 3);
    });

    it("undelivered events are handed over again when the flows stop within a second", () => {
        const fixture = expiring(3);
        const { outbox, listener } = fixture;
        while (listener.late.length < 3) pass(fixture, second);
        outbox.flowsStopping();
        pass(fixture, 10 * second);
        outbox.flowsStarted();
        pass(fixture, 2 * second);
        assert.equal(listener.late.length, 6);
        outbox.flowsStopping();
        outbox.flowsStarted();
        pass(fixture, 10 * second);
        assert.equal(listener.late.length, 6, "the flows had them for more than a second");
    });

    it("undelivered events wait for somebody who brings them to the Catch nodes", () => {
        const fixture = expiring(3);
        fixture.listener.isCaught = undefined;
        pass(fixture, 2 * hour, second);
        fixture.listener.isCaught = false;
        pass(fixture, 5 * second);
        assert.deepEqual(payloads(fixture.listener.late), ["event 0", "event 1", "event 2"]);
        assert.deepEqual(
            fixture.disk.data.undelivered.map(({ state }) => state),
            ["uncaught", "uncaught", "uncaught"],
        );
    });

    it("undelivered events reach the flows at least once whenever the process is killed, and twice only within the last second", () => {
        const moments = fc.array(fc.integer({ min: 1, max: 4000 }), { maxLength: 6 });
        fc.assert(
            fc.property(moments, fc.integer({ min: 0, max: 25 }), (lives, steps) => {
                const disk = new Disk();
                expiring(400, { disk });
                const raised = new Map<string, number[]>();
                let nowMs = 0;
                let ended = 0;
                for (const lifeMs of [...lives, 20_000]) {
                    const fixture = outboxFixture({ disk, limits: { maxAgeMs: hour }, isOpen: false });
                    fixture.clock.advance(2 * hour);
                    let seen = 0;
                    fixture.store.open();
                    for (let ms = 0; ms < lifeMs; ms += 5) {
                        fixture.clock.advance(5);
                        for (let step = 0; step < steps || (lifeMs === 20_000 && step < 100); step++) fixture.store.step();
                        const { late } = fixture.listener;
                        for (; seen < late.length; seen++) {
                            const text = String(late[seen]?.event.payload);
                            raised.set(text, [...(raised.get(text) ?? []), nowMs + ms]);
                        }
                    }
                    // The disk may take as long as it likes; with a quick one only the last second is repeated.
                    if (steps > 20) {
                        const again = [...raised.values()].filter((times) => times.length > 1 && (times.at(-1) ?? 0) >= ended);
                        assert.ok(
                            again.every((times) => (times.at(-2) ?? 0) > ended - 1750),
                            "an old one came again",
                        );
                    }
                    nowMs += lifeMs;
                    ended = nowMs;
                }
                assert.equal(raised.size, 400);
                assert.equal(disk.data.undeliveredTotals.waiting, 0);
                assert.equal(disk.events, 0);
            }),
            { numRuns: 25 },
        );
    });

    it("undelivered events keep their message waiting until it is their turn, if it waits", () => {
        const { clock, store, admit, outbox, listener } = outboxFixture({ limits: { maxAgeMs: hour } });
        outbox.flowsStopping();
        const waiting = [...Array(3000).keys()].map((number) => admit("t/a", String(number), { completionMode: "acknowledged" }));
        for (let step = 0; step < 3700; step++) {
            clock.advance(second);
            store.settle();
        }
        assert.ok(waiting.every(({ outcome }) => outcome === "open"));
        outbox.flowsStarted();
        for (let step = 0; step < 200; step++) {
            clock.advance(25);
            store.settle();
        }
        assert.ok(waiting.every(({ error }) => error?.code === "GW_EXPIRED"));
        assert.deepEqual(listener.late, []);
    });

    it("undelivered events are handed over as fast as they are dropped once more than ten thousand wait", () => {
        const fixture = outboxFixture({ limits: { maxBytes: 25_000_000, whenFull: "drop-oldest" } });
        const { outbox, listener } = fixture;
        const payload = "x".repeat(1000);
        for (let number = 0; number < 25_000; number++) outbox.admit(newEvent("t/a", payload));
        pass(fixture, 60 * second, second);
        // In six seconds.
        for (let number = 0; number < 30_000; number++) {
            outbox.admit(newEvent("t/a", payload));
            if (number % 5 === 0) pass(fixture, 1, 1);
        }
        const waiting = outbox.counters.dropped - listener.late.length;
        assert.ok(waiting > 9_000 && waiting < 11_500, `${waiting} wait`);
        assert.ok(outbox.counters.dropped > 25_000);
    });

    it("undelivered events are handed over no faster for what was dropped while the flows were stopped", () => {
        const clock = new FakeClock();
        const listener = new RecordingListener();
        const handOver = new HandOver({ clock, listener, raised: () => undefined, confirmed: () => undefined });
        const error = new GatewayError("GW_OUTBOX_FULL", "Full.");
        for (let seq = 1; seq <= 5000; seq++) {
            handOver.push(new UndeliveredRecord({ event: storedEvent(seq, "t/a"), error, enteredAt: 0, endedAt: 0 }, undefined));
            handOver.hurry();
        }
        handOver.resume();
        for (let ms = 0; ms < second; ms++) clock.advance(1);
        assert.ok(listener.late.length >= 1000 && listener.late.length <= 1100, `${listener.late.length} in a second`);
    });

    /** Events in flight of so large a payload that two fill the line of those that are handed over next; `refuse` ends one. */
    function largeOnes(count: number, options: Parameters<typeof outboxFixture>[0] = {}) {
        const memory = { unsavedBytes: 100_000_000, batchBytes: 100_000_000, ...options.memory };
        const fixture = outboxFixture({ areFlowsRunning: false, ...options, memory });
        fixture.gate.onAsk = () => "check";
        fixture.outbox.linkUp();
        const admitted = [...Array(count).keys()].map((number) => fixture.admit(`t/${number}`, `${number} ${"x".repeat(600_000)}`));
        const refuse = (number: number) => fixture.verbs.drop(`t/${number}`, new GatewayError("GW_REFUSED", "No."));
        const names = () => fixture.listener.late.map(({ event }) => event.device).sort();
        return { ...fixture, fixture, admitted, refuse, names };
    }

    it("an undelivered event that gives way while it is being written is not handed over as well", () => {
        const { fixture, clock, outbox, admitted, refuse, names } = largeOnes(18, { memory: { unsavedEvents: 10 } });
        for (let number = 0; number < 6; number++) refuse(number);
        clock.advance(30);
        for (let number = 6; number < 18; number++) refuse(number);
        assert.equal(outbox.counters.undeliveredForgotten, 8);
        outbox.flowsStarted();
        pass(fixture, 10 * second);
        assert.deepEqual(names(), []);
        assert.ok(admitted.every(({ outcome }) => outcome === "failed"));
    });

    it("no undelivered event is left out when the file is lost", () => {
        const { fixture, outbox, store, disk, refuse, names } = largeOnes(4);
        pass(fixture, second);
        for (const number of [0, 1]) refuse(number);
        pass(fixture, second);
        store.close();
        for (const number of [2, 3]) refuse(number);
        disk.clear();
        store.open({ isContinued: false });
        pass(fixture, second);
        outbox.flowsStarted();
        pass(fixture, 10 * second);
        assert.deepEqual(names(), ["t/0", "t/1", "t/2", "t/3"]);
    });

    it("undelivered events take no room of new events, and beyond the limit of the outbox the oldest are only counted", () => {
        const fixture = expiring(10, { areFlowsRunning: false, limits: { maxBytes: 1500, maxKeptBytes: 0 } });
        pass(fixture, hour + 60 * second, second);
        const { outbox, admit, disk } = fixture;
        assert.equal(disk.data.undeliveredTotals.waiting, 7);
        assert.deepEqual([outbox.counters.undelivered, outbox.counters.undeliveredForgotten], [7, 3]);
        assert.equal(admit("t/a", "x".repeat(1500)).outcome, "open");
    });

    it("an undelivered event that gave way and was only counted is not handed over as well", () => {
        const fixture = expiring(10, { areFlowsRunning: false, limits: { maxBytes: 1500, maxKeptBytes: 0 } });
        pass(fixture, hour + 60 * second, second);
        fixture.outbox.flowsStarted();
        pass(fixture, 10 * second);
        assert.equal(fixture.outbox.counters.undeliveredForgotten, 3);
        assert.deepEqual(
            payloads(fixture.listener.late),
            [3, 4, 5, 6, 7, 8, 9].map((number) => `event ${number}`),
        );
    });

    it("a message whose undelivered event gave way fails, wherever the event waited", () => {
        const fixture = outboxFixture({ areFlowsRunning: false, limits: { maxBytes: 250_000, maxAgeMs: hour } });
        const sent = [...Array(2500).keys()].map((number) => {
            const completion = fixture.admit("t/a", String(number), { completionMode: "acknowledged" });
            pass(fixture, second, second);
            return completion;
        });
        pass(fixture, 2 * hour, second);
        const { undeliveredForgotten, undelivered } = fixture.outbox.counters;
        assert.ok(undeliveredForgotten > 1000, `${undeliveredForgotten} gave way`);
        assert.equal(sent.filter(({ error }) => error?.code === "GW_EXPIRED").length, undeliveredForgotten);
        fixture.outbox.flowsStarted();
        pass(fixture, 10 * second);
        assert.ok(sent.every(({ outcome }) => outcome === "failed"));
        assert.equal(undelivered, 2500 - undeliveredForgotten);
    });

    it("an undelivered event that the flows have stays when others give way", () => {
        const fixture = expiring(10, { limits: { maxBytes: 1500 } });
        const { clock, store, outbox, listener, disk } = fixture;
        while (listener.late.length === 0) {
            clock.advance(second);
            store.settle();
        }
        assert.equal(listener.late.length, 10);
        pass(fixture, 5 * second);
        assert.deepEqual([disk.data.undeliveredTotals.kept, outbox.counters.undeliveredForgotten], [10, 0]);
    });

    it("undelivered events are kept within their own limit, and the oldest give way", () => {
        const fixture = expiring(10, { limits: { maxKeptBytes: 1500 } });
        pass(fixture, hour + 60 * second, second);
        assert.equal(fixture.listener.late.length, 10);
        assert.deepEqual(
            fixture.disk.data.undelivered.map(({ event, state }) => `${event.payload} ${state}`),
            [3, 4, 5, 6, 7, 8, 9].map((number) => `event ${number} caught`),
        );
        assert.deepEqual([fixture.outbox.counters.undelivered, fixture.outbox.counters.undeliveredForgotten], [7, 3]);
    });

    it("undelivered events are not kept where the limit is zero", () => {
        const fixture = expiring(10, { limits: { maxKeptBytes: 0 } });
        pass(fixture, hour + 60 * second, second);
        assert.equal(fixture.listener.late.length, 10);
        assert.deepEqual([fixture.disk.data.undelivered, fixture.outbox.counters.undelivered], [[], 0]);
        assert.equal(fixture.outbox.counters.undeliveredForgotten, 0);
    });

    it("undelivered events take at most ten megabytes where nothing is stored, kept ones and waiting ones together", () => {
        const fixture = outboxFixture({ isInMemory: true, limits: { maxAgeMs: hour } });
        const { outbox, clock, listener } = fixture;
        for (let number = 0; number < 150; number++) {
            outbox.admit(newEvent("t/a", String(number).padEnd(100_000)));
            clock.advance(2 * second);
        }
        clock.advance(hour + 60 * second);
        assert.equal(listener.late.length, 150);
        assert.equal(outbox.counters.undelivered, 104);
        assert.equal(outbox.counters.undeliveredForgotten, 46);
    });

    it("an expired event whose row is still in a store that cannot be reached does not count as lost", async () => {
        const fixture = outboxFixture({ areFlowsRunning: false });
        fixture.admit("t/a", "1", { ttlMs: 1000 });
        fixture.writeOut();
        fixture.store.close();
        fixture.clock.advance(60_000);
        assert.equal(fixture.outbox.counters.expired, 1);
        const closed = fixture.outbox.close(100);
        for (let turn = 0; turn < 5; turn++) {
            fixture.clock.advance(100);
            await new Promise((resolve) => setImmediate(resolve));
        }
        assert.equal(await closed, 0);
    });

    it("undelivered events are counted as lost when the gateway closes, where nothing is stored", async () => {
        const fixture = outboxFixture({ isInMemory: true, limits: { maxAgeMs: hour }, areFlowsRunning: false });
        fixture.outbox.admit(newEvent("t/a", "1"));
        fixture.clock.advance(2 * hour);
        assert.equal(await fixture.outbox.close(0), 1);
        assert.equal(fixture.clock.timerCount, 0);
    });

    it("undelivered events are only kept when Catch nodes have sent them back nine times, with a warning", () => {
        const { outbox, listener, clock, store, disk } = outboxFixture({ limits: { maxAgeMs: hour } });
        for (const returns of [8, 9]) outbox.admit(newEvent("t/a", `returned ${returns}`, { returns }));
        for (let step = 0; step < 3700; step++) {
            clock.advance(second);
            store.settle();
        }
        assert.deepEqual([payloads(listener.late), payloads(listener.looping)], [["returned 8"], ["returned 9"]]);
        assert.deepEqual(
            disk.data.undelivered.map(({ event, state }) => `${event.payload} ${state}`),
            ["returned 8 caught", "returned 9 uncaught"],
        );
    });

    it("undelivered events keep how they were written, the returns and the refusal over a restart", () => {
        const first = outboxFixture({ areFlowsRunning: false });
        const { outbox, link, disk } = first;
        outbox.linkUp();
        link.retains = true;
        const encoding = { format: "json", wrap: true, timestampField: "ts" };
        outbox.admit(newEvent("t/a", "{}", { encoding, returns: 3, priority: "high", qos: 2 }));
        link.acknowledge();
        link.retained[0]?.transmission.refused(new GatewayError("GW_REFUSED", "no", { rc: 276, willRetry: false }), {
            rc: 276,
            willRetry: false,
        });
        pass(first, second);
        assert.deepEqual(
            [outbox.counters.queued, outbox.counters.refused, outbox.counters.revoked, outbox.counters.acknowledged],
            [0, 1, 1, 1],
        );
        const second_ = outboxFixture({ disk });
        pass(second_, second);
        const [late] = second_.listener.late;
        assert.ok(late);
        const { encoding: kept, returns, priority, qos } = late.event;
        assert.deepEqual({ kept, returns, priority, qos }, { kept: encoding, returns: 3, priority: "high", qos: 2 });
        assert.deepEqual(
            [late.error.code, late.error.rc, late.error.message, late.refusal],
            ["GW_REFUSED", 276, "no", { rc: 276, willRetry: false }],
        );
    });

    it("undelivered events are handed over although the store cannot be used, and are written when it can", () => {
        const fixture = outboxFixture({ limits: { maxAgeMs: hour } });
        const { outbox, store, clock, listener, disk } = fixture;
        store.close();
        for (let number = 0; number < 2000; number++) outbox.admit(newEvent("t/a", String(number)));
        for (let step = 0; step < 3700; step++) clock.advance(second);
        assert.equal(listener.late.length, 2000);
        store.open();
        pass(fixture, 20 * second);
        assert.equal(new Set(payloads(listener.late)).size, 2000);
        assert.equal(listener.late.length, 2000);
        assert.equal(disk.data.undeliveredTotals.kept, 2000);
    });

    describe("kept for an operator", () => {
        const all = { search: "", includesCaught: true };
        const place = { offset: 0, limit: 1000 };

        /** Waits for an answer of the outbox while time passes and the store works. */
        async function answer<T>(fixture: Fixture, promise: Promise<T>): Promise<T> {
            let isOver = false;
            const settled = promise.finally(() => {
                isOver = true;
            });
            settled.catch(() => undefined);
            while (!isOver) {
                pass(fixture, 25);
                await new Promise((resolve) => setImmediate(resolve));
            }
            return settled;
        }

        for (const isInMemory of [false, true]) {
            const where = isInMemory ? "in memory" : "on disk";

            function kept(count: number, options: Parameters<typeof outboxFixture>[0] = {}): Fixture {
                const fixture = expiring(count, { isInMemory, ...options });
                fixture.listener.isCaught = false;
                pass(fixture, hour + 60 * second, second);
                assert.equal(fixture.outbox.counters.undelivered, count);
                return fixture;
            }

            it(`undelivered events are listed, ${where}`, async () => {
                const fixture = kept(5);
                const { events, total } = await answer(fixture, fixture.outbox.kept.list(all, { offset: 1, limit: 2 }));
                assert.equal(total, 5);
                assert.deepEqual(
                    events.map(({ device, code, size, caught }) => ({ device, code, size, caught })),
                    [7, 7].map((size) => ({ device: "t/a", code: "GW_EXPIRED", size, caught: false })),
                );
            });

            it(`undelivered events are sent again with a new time to live and their old time, ${where}`, async () => {
                const fixture = kept(3);
                const { outbox, link, disk } = fixture;
                const { events } = await answer(fixture, outbox.kept.list(all, place));
                const enteredAt = events.map((event) => event.enteredAt);
                const selection = { ...all, ids: events.slice(0, 2).map(({ id }) => id) };
                assert.deepEqual(await answer(fixture, outbox.kept.sendAgain(selection)), { sent: 2 });
                pass(fixture, second);
                assert.deepEqual([outbox.counters.queued, outbox.counters.undelivered], [2, 1]);
                if (!isInMemory) assert.deepEqual([disk.events, disk.data.undelivered.length], [2, 1]);
                assert.deepEqual(await answer(fixture, outbox.kept.sendAgain(selection)), { sent: 0 }, "they are gone");
                pass(fixture, hour / 2, second);
                outbox.linkUp();
                assert.deepEqual(link.sent, ["event 1", "event 2"]);
                outbox.linkDown();
                pass(fixture, hour, second);
                const again = await answer(fixture, outbox.kept.list(all, place));
                assert.deepEqual(
                    again.events.map((event) => Math.round(event.enteredAt / second)),
                    [...enteredAt.slice(0, 2), ...enteredAt.slice(2)].map((ms) => Math.round(ms / second)),
                );
            });

            it(`those that a Catch node got are left out unless they are asked for, ${where}`, async () => {
                const fixture = expiring(2, { isInMemory });
                pass(fixture, hour + 60 * second, second);
                const { kept: list } = fixture.outbox;
                const uncaught = { ...all, includesCaught: false };
                assert.deepEqual(await answer(fixture, list.sendAgain(uncaught)), { sent: 0 });
                assert.deepEqual(await answer(fixture, list.sendAgain(all)), { sent: 2 });
            });

            it(`what does not fit into the outbox stays in the list, and drops nothing, ${where}`, async () => {
                const fixture = kept(10, { limits: { whenFull: "drop-oldest", maxBytes: 2430, maxKeptBytes: 10_000 } });
                const { outbox } = fixture;
                for (let number = 0; number < 4; number++) outbox.admit(newEvent("t/b", "x".repeat(600)));
                const { sent, rejection } = await answer(fixture, outbox.kept.sendAgain(all));
                assert.ok(sent < 10, `${sent} were sent`);
                assert.equal(rejection?.code, "GW_OUTBOX_FULL");
                pass(fixture, second);
                assert.equal(outbox.counters.dropped, 0);
                assert.equal(outbox.counters.queued, 4 + sent);
                assert.equal(outbox.counters.undelivered, 10 - sent);
            });

            it(`undelivered events are deleted, ${where}`, async () => {
                const fixture = kept(1500);
                const { outbox } = fixture;
                assert.equal(await answer(fixture, outbox.kept.remove({ ...all, search: "T/A" })), 1500);
                assert.equal((await answer(fixture, outbox.kept.list(all, place))).total, 0);
                assert.equal(outbox.counters.undelivered, 0);
            });

            it(`undelivered events are read with their data, the oldest first, ${where}`, async () => {
                const fixture = kept(250);
                const read = async () => {
                    const texts: string[] = [];
                    for await (const events of fixture.outbox.kept.read(all)) texts.push(...payloads(events));
                    return texts;
                };
                assert.deepEqual(
                    await answer(fixture, read()),
                    [...Array(250).keys()].map((number) => `event ${number}`),
                );
            });
        }

        it("an event that is sent again is on disk once, whenever the process is killed", async () => {
            for (let steps = 0; steps < 12; steps++) {
                const fixture = expiring(5);
                pass(fixture, hour + 60 * second, second);
                const { outbox, store, clock, disk } = fixture;
                void outbox.kept.sendAgain(all);
                for (let step = 0; step < steps; step++) {
                    store.step();
                    clock.advance(25);
                    await new Promise((resolve) => setImmediate(resolve));
                }
                assert.equal(disk.events + disk.data.undelivered.length, 5);
            }
        });

        it("an event that is delivered before it is written again leaves the list", async () => {
            const fixture = expiring(5);
            pass(fixture, hour + 60 * second, second);
            const { outbox, link, disk } = fixture;
            outbox.linkUp();
            const sending = outbox.kept.sendAgain(all);
            fixture.store.settle();
            for (let step = 0; step < 10; step++) {
                await new Promise((resolve) => setImmediate(resolve));
                link.acknowledgeAll();
            }
            assert.deepEqual(await sending, { sent: 5 });
            pass(fixture, second);
            assert.deepEqual([disk.events, disk.data.undelivered.length, outbox.counters.undelivered], [0, 0, 0]);
        });

        it("each event has its own number although the file is opened late, where nothing is stored", async () => {
            const { fixture, outbox, store, refuse } = largeOnes(3, { storesNothing: true, isOpen: false, areFlowsRunning: true });
            store.close();
            for (const number of [0, 1]) refuse(number);
            pass(fixture, 2 * second);
            store.open();
            refuse(2);
            pass(fixture, 2 * second);
            const { events } = await answer(fixture, outbox.kept.list(all, place));
            assert.deepEqual(
                events.map(({ device }) => device),
                ["t/2", "t/1", "t/0"],
            );
            assert.equal(new Set(events.map(({ id }) => id)).size, 3);
        });

        describe("in memory, where an earlier run has left a file with others", () => {
            /** Three on disk, of which a Catch node got none, and two in memory. */
            function bothKept(): Fixture {
                const earlier = expiring(3, { limits: { maxAgeMs: hour } });
                earlier.listener.isCaught = false;
                pass(earlier, hour + 60 * second, second);
                const fixture = outboxFixture({ disk: earlier.disk, storesNothing: true, limits: { maxAgeMs: hour } });
                fixture.listener.isCaught = false;
                for (const text of ["event 3", "event 4"]) fixture.outbox.admit(newEvent("t/a", text));
                pass(fixture, hour + 60 * second, second);
                return fixture;
            }

            async function texts(fixture: Fixture): Promise<string[]> {
                const read: string[] = [];
                for await (const events of fixture.outbox.kept.read(all)) read.push(...payloads(events));
                return read;
            }

            it("as many undelivered events are listed as are counted", async () => {
                const fixture = bothKept();
                const { kept: list, counters } = fixture.outbox;
                assert.equal(counters.undelivered, 5);
                const { events, total } = await answer(fixture, list.list(all, place));
                assert.deepEqual([events.length, total], [5, 5]);
                assert.equal(new Set(events.map(({ id }) => id)).size, 5);
                for (const offset of [0, 1, 2, 3, 4]) {
                    const page = await answer(fixture, list.list(all, { offset, limit: 2 }));
                    assert.deepEqual(page, { events: events.slice(offset, offset + 2), total: 5 });
                }
                assert.deepEqual(
                    await answer(fixture, texts(fixture)),
                    [0, 1, 2, 3, 4].map((number) => `event ${number}`),
                );
            });

            it("undelivered events are sent again from the file and from memory, and are in neither then", async () => {
                const fixture = bothKept();
                const { outbox, disk, link } = fixture;
                assert.deepEqual(await answer(fixture, outbox.kept.sendAgain(all)), { sent: 5 });
                pass(fixture, second);
                assert.deepEqual([outbox.counters.undelivered, outbox.counters.queued, disk.data.undelivered.length], [0, 5, 0]);
                assert.equal((await answer(fixture, outbox.kept.list(all, place))).total, 0);
                outbox.linkUp();
                assert.deepEqual(
                    link.sent,
                    [0, 1, 2, 3, 4].map((number) => `event ${number}`),
                );
            });

            it("undelivered events are deleted from the file and from memory", async () => {
                const fixture = bothKept();
                const { outbox, disk } = fixture;
                assert.equal(await answer(fixture, outbox.kept.remove(all)), 5);
                assert.deepEqual([outbox.counters.undelivered, disk.data.undelivered.length], [0, 0]);
            });
        });

        it("a list that cannot be read is an error", async () => {
            const fixture = expiring(1);
            pass(fixture, hour + 60 * second, second);
            fixture.store.close();
            await assert.rejects(fixture.outbox.kept.list(all, place), /GW_STORE|disk failed/);
        });
    });
});
