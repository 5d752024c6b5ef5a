import assert from "node:assert/strict";
import { PausableDelivery } from "../../../src/gateway/inbound/pausable-delivery";
import { FakeClock } from "../../support/doubles/fake-clock";

describe("delivery of commands to the flows", () => {
    function setUp() {
        const clock = new FakeClock();
        const seen: string[] = [];
        const delivery = new PausableDelivery(clock, () => seen.push("held too long"));
        return { clock, seen, delivery };
    }

    it("passes messages at once while flows run", () => {
        const { seen, delivery } = setUp();
        delivery.pass(() => seen.push("a"));
        assert.deepEqual(seen, ["a"]);
    });

    it("keeps messages while flows stop and start, then delivers them in order", () => {
        const { clock, seen, delivery } = setUp();
        delivery.pause();
        delivery.pass(() => seen.push("a"));
        delivery.pass(() => seen.push("b"));
        clock.advance(29_999);
        assert.equal(seen.length, 0);
        delivery.resume();
        delivery.pass(() => seen.push("c"));
        assert.deepEqual(seen, ["a", "b", "c"]);
        assert.equal(clock.timerCount, 0);
    });

    it("gives up after 30 s, so that the platform keeps the message", () => {
        const { clock, seen, delivery } = setUp();
        delivery.pause();
        delivery.pass(() => seen.push("a"));
        clock.advance(30_000);
        delivery.resume();
        assert.deepEqual(seen, ["held too long"]);
    });

    it("forgets the messages of a connection that ended", () => {
        const { clock, seen, delivery } = setUp();
        delivery.pause();
        delivery.pass(() => seen.push("a"));
        delivery.discard();
        delivery.resume();
        clock.advance(60_000);
        assert.deepEqual(seen, []);
    });
});
