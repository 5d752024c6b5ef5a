import assert from "node:assert/strict";
import { AcknowledgedRing } from "../../../src/devices/refusals/acknowledged-ring";
import { EventLoopStalls } from "../../../src/devices/refusals/event-loop-stalls";
import { FakeClock } from "../../support/doubles/fake-clock";

describe("ring of acknowledged events", () => {
    let clock: FakeClock;
    let stalls: EventLoopStalls;
    let ring: AcknowledgedRing<{ settled(): void }>;
    let settled: number[];

    beforeEach(() => {
        clock = new FakeClock();
        stalls = new EventLoopStalls(clock);
        ring = new AcknowledgedRing(clock, stalls);
        settled = [];
    });

    function add(number: number, { device = "t/a", bytes = 10 } = {}): void {
        const transmission = { settled: () => settled.push(number) };
        stalls.watch(clock.monotonicMs());
        ring.add({ number, device, bytes, acknowledgedMs: clock.monotonicMs(), transmission });
    }

    it("keeps an event for 250 ms after its acknowledgement", () => {
        add(1);
        clock.advance(249);
        assert.deepEqual(settled, []);
        clock.advance(1);
        assert.deepEqual(settled, [1]);
        clock.advance(2_000);
        assert.equal(clock.timerCount, 0);
    });

    it("lets events go in the order of their acknowledgements, at most 25 ms late", () => {
        for (let number = 0; number < 100; number++) {
            add(number);
            clock.advance(5);
            assert.ok(number + 1 - settled.length <= 55, `${number + 1 - settled.length} events are kept`);
        }
        clock.advance(300);
        assert.deepEqual(
            settled,
            Array.from({ length: 100 }, (_, number) => number),
        );
    });

    it("keeps events for the time in which the event loop was held up, too", () => {
        add(1);
        clock.advance(100);
        clock.stall(400);
        assert.deepEqual(settled, [], "a notification may be waiting to be read");
        clock.advance(200);
        assert.deepEqual(settled, [1]);
    });

    it("gives up the events of a device since a time, and lets go of its older ones", () => {
        add(1);
        clock.advance(100);
        add(2);
        add(3, { device: "t/b" });
        assert.deepEqual([...ring.take("t/a", clock.monotonicMs() - 50)], [2]);
        assert.deepEqual(settled, [1]);
        clock.advance(300);
        assert.deepEqual(settled, [1, 3], "what was given up is not let go of");
    });

    it("keeps the events of suspects until they are cleared", () => {
        add(1);
        add(2, { device: "t/b" });
        ring.suspect(["t/a"]);
        clock.advance(60_000);
        assert.deepEqual(settled, [2]);
        ring.linkDown();
        assert.deepEqual(settled, [2]);
        ring.clear("t/a");
        clock.advance(300);
        assert.deepEqual(settled, [2, 1]);
    });

    it("lets go of everything else when the connection ends", () => {
        add(1);
        add(2);
        ring.linkDown();
        assert.deepEqual(settled, [1, 2]);
    });

    it("keeps nothing once it is closed, except for what belongs to suspects", () => {
        add(1);
        add(2, { device: "t/b" });
        ring.suspect(["t/b"]);
        ring.close();
        add(3);
        assert.deepEqual(settled, [1, 3]);
        clock.advance(2_000);
        assert.equal(clock.timerCount, 0);
    });

    it("keeps at most 2000 events, and lets go of those of suspects before it refuses another", () => {
        for (let number = 0; number < 2_000; number++) add(number, { device: number < 2 ? "t/b" : "t/a" });
        add(2_000);
        assert.deepEqual(settled, [2_000]);
        ring.suspect(["t/b"]);
        add(2_001);
        assert.deepEqual(settled, [2_000, 0]);
    });

    it("keeps at most 8 MB of events", () => {
        for (let number = 0; number < 9; number++) add(number, { bytes: 1024 * 1024 });
        assert.deepEqual(settled, [8]);
    });
});
