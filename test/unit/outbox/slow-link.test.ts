import assert from "node:assert/strict";
import fc from "fast-check";
import type { Priority } from "../../../src/outbox/event";
import { outboxFixture } from "../../support/doubles/outbox-fixture";

/** A line of a moved clock: it carries so many bytes a second, and what it has carried is acknowledged after the round trip. */
interface Line {
    readonly bytesPerS: number;
    readonly roundTripMs: number;
    /** Whether an event is acknowledged at all. */
    readonly answers?: (text: string) => boolean;
}

function onLine({ bytesPerS, roundTripMs, answers = () => true }: Line, maxInFlight = 1000) {
    const fixture = outboxFixture({ isInMemory: true, limits: { maxInFlight } });
    const { clock, link, outbox } = fixture;
    let freeAtMs = 0;
    let written = 0;
    let carried = 0;
    const acknowledgedAtMs = new Map<string, number>();
    const state = { acknowledgedAtMs, mostBytes: 0, afterMs: 0 };
    link.onSend = (event) => {
        const text = String(event.payload);
        const bytes = event.bytes + event.topic.length;
        freeAtMs = Math.max(freeAtMs, clock.monotonicMs()) + (bytes * 1000) / bytesPerS;
        written += bytes;
        if (clock.monotonicMs() >= state.afterMs) state.mostBytes = Math.max(state.mostBytes, written - carried);
        if (!answers(text)) return;
        clock.setTimer(freeAtMs + roundTripMs - clock.monotonicMs(), () => {
            carried += bytes;
            acknowledgedAtMs.set(text.trim(), clock.monotonicMs());
            const index = link.pending.findIndex(({ event: { payload } }) => payload === text);
            link.acknowledge(index);
        });
    };
    const admit = (name: string, bytes: number, options: { device?: string; priority?: Priority } = {}) => {
        fixture.admit(options.device ?? "t/a", name.padEnd(bytes), options.priority ? { priority: options.priority } : {});
        return clock.monotonicMs();
    };
    return { ...fixture, outbox, state, admit, acknowledgedAtMs };
}

const slow: Line = { bytesPerS: 10_000, roundTripMs: 300 };

describe("an outbox on a slow link", () => {
    it("a high event overtakes a backlog within three seconds, whenever it comes", () => {
        const comesAfterMs = fc.array(fc.integer({ min: 0, max: 5000 }), { minLength: 1, maxLength: 8 });
        fc.assert(
            fc.property(comesAfterMs, fc.integer({ min: 50, max: 1000 }), (waits, size) => {
                const { outbox, clock, admit, acknowledgedAtMs } = onLine(slow);
                for (let index = 0; index < 500; index++) admit(`reading ${index}`, size, { device: `t/${index % 10}` });
                outbox.linkUp();
                for (const [index, waitMs] of waits.entries()) {
                    clock.advance(waitMs);
                    const sinceMs = admit(`alarm ${index}`, 200, { device: "t/alarm", priority: "high" });
                    clock.advance(3000);
                    const tookMs = (acknowledgedAtMs.get(`alarm ${index}`) ?? Number.POSITIVE_INFINITY) - sinceMs;
                    assert.ok(tookMs < 3000, `alarm ${index} took ${tookMs} ms`);
                }
            }),
            { numRuns: 30 },
        );
    });

    it("what is on its way is bounded by what the link carries in about a second, and the link is never idle", () => {
        const { outbox, clock, admit, state, acknowledgedAtMs } = onLine(slow);
        for (let index = 0; index < 1000; index++) admit(`reading ${index}`, 200);
        state.afterMs = 8000;
        outbox.linkUp();
        clock.advance(20_000);
        assert.ok(state.mostBytes < 15_000, `${state.mostBytes} bytes were on their way`);
        // Twenty seconds carry 200 KB; an event has some 250 bytes with its topic.
        assert.ok(acknowledgedAtMs.size > 750, `${acknowledgedAtMs.size} arrived`);
    });

    it("a registration that is never answered freezes nobody", () => {
        const { outbox, clock, gate, admit, acknowledgedAtMs } = onLine({ ...slow, answers: (text) => !text.startsWith("first") });
        gate.onAsk = (device) => (device.startsWith("t/new") ? "check" : "flow");
        for (let index = 0; index < 8; index++) admit(`first ${index}`, 2000, { device: `t/new${index}` });
        for (let index = 0; index < 100; index++) admit(`reading ${index}`, 200);
        outbox.linkUp();
        clock.advance(8000);
        assert.equal(acknowledgedAtMs.size, 100);
    });

    it("an event that is never acknowledged delays the others for a second, whatever its size", () => {
        const { outbox, clock, admit, acknowledgedAtMs } = onLine({
            bytesPerS: 1_000_000,
            roundTripMs: 50,
            answers: (text) => !text.startsWith("lost"),
        });
        admit("lost", 100_000);
        for (let index = 0; index < 100; index++) admit(`reading ${index}`, 200);
        outbox.linkUp();
        clock.advance(1500);
        assert.equal(acknowledgedAtMs.size, 100);
    });

    it("a platform that acknowledges nothing at all still gets one event each second", () => {
        const { outbox, clock, link, admit } = onLine({ ...slow, answers: () => false });
        for (let index = 0; index < 1000; index++) admit(`reading ${index}`, 200);
        outbox.linkUp();
        const { length } = link.sent;
        clock.advance(5000);
        assert.equal(link.sent.length, length + 5);
    });
});

describe("an outbox on a fast link", () => {
    it("loses no throughput: after a few round trips only the number of events is bounded", () => {
        const { outbox, clock, link, admit, acknowledgedAtMs } = onLine({ bytesPerS: 10_000_000, roundTripMs: 100 }, 100);
        for (let index = 0; index < 3000; index++) admit(`reading ${index}`, 1000);
        outbox.linkUp();
        clock.advance(500);
        assert.equal(link.pending.length, 100);
        clock.advance(2500);
        assert.ok(acknowledgedAtMs.size > 2600, `${acknowledgedAtMs.size} arrived`);
    });

    it("a long round trip is no sign of a slow link", () => {
        const { outbox, clock, link, admit } = onLine({ bytesPerS: 10_000_000, roundTripMs: 2000 }, 100);
        for (let index = 0; index < 1000; index++) admit(`reading ${index}`, 1000);
        outbox.linkUp();
        clock.advance(10_500);
        assert.equal(link.pending.length, 100);
    });

    it("each connection starts with 16 KB, or with one event", () => {
        const { outbox, link, admit, clock, cut } = onLine({ bytesPerS: 10_000_000, roundTripMs: 100 });
        for (let index = 0; index < 300; index++) admit(`reading ${index}`, 953);
        outbox.linkUp();
        assert.equal(link.sent.length, 17);
        clock.advance(90);
        cut();
        const { length } = link.sent;
        outbox.linkUp();
        assert.equal(link.sent.length, length + 17);
        const large = onLine({ bytesPerS: 10_000_000, roundTripMs: 100 });
        for (let index = 0; index < 3; index++) large.admit(`picture ${index}`, 100_000);
        large.outbox.linkUp();
        assert.equal(large.link.sent.length, 1);
    });
});
