import assert from "node:assert/strict";
import { LiveView } from "../../../src/node-red/admin/live-view";
import { FakeClock } from "../../support/doubles/fake-clock";

describe("live view", () => {
    function create() {
        const clock = new FakeClock();
        const subjects = new Map<string, { value: number }>([["g1", { value: 0 }]]);
        const published: string[] = [];
        let reads = 0;
        const view = new LiveView({
            clock,
            read: (subject) => {
                reads += 1;
                const found = subjects.get(subject);
                return found && { ...found };
            },
            publish: (subject, { ...seen }) => published.push(`${subject} ${JSON.stringify(seen)}`),
        });
        return { clock, subjects, published, view, reads: () => reads, set: (value: number) => subjects.set("g1", { value }) };
    }

    it("publishes nothing, reads nothing and runs no timer while no browser watches", () => {
        const { clock, published, set, reads } = create();
        set(1);
        clock.advance(60_000);
        assert.deepEqual([published, reads(), clock.timerCount], [[], 0, 0]);
    });

    it("sends the state to a browser that starts watching, and then only changes", () => {
        const { clock, published, view, set } = create();
        assert.deepEqual(view.watch("g1"), { value: 0 });
        clock.advance(3_000);
        assert.deepEqual(published, []);
        set(1);
        clock.advance(1_000);
        clock.advance(3_000);
        assert.deepEqual(published, ['g1 {"value":1}']);
    });

    it("publishes at most once a second, however many changes and watching browsers there are", () => {
        const { clock, published, view, set } = create();
        for (let step = 1; step <= 100; step++) {
            view.watch("g1");
            view.watch("g1");
            set(step);
            clock.advance(100);
        }
        assert.equal(published.length, 10);
        assert.equal(clock.timerCount, 1);
    });

    it("stops publishing 15 s after the last watch request", () => {
        const { clock, published, view, set } = create();
        view.watch("g1");
        clock.advance(10_000);
        view.watch("g1");
        clock.advance(14_000);
        set(1);
        clock.advance(500);
        assert.equal(view.size, 1);
        clock.advance(600);
        set(2);
        clock.advance(60_000);
        assert.deepEqual([published, view.size, clock.timerCount], [[], 0, 0]);
        assert.deepEqual(view.watch("g1"), { value: 2 }, "and begins again");
    });

    it("forgets a gateway that is gone, and does not know one that never existed", () => {
        const { clock, subjects, view } = create();
        assert.equal(view.watch("other"), undefined);
        view.watch("g1");
        subjects.clear();
        clock.advance(1_000);
        assert.deepEqual([view.size, clock.timerCount], [0, 0]);
    });
});
