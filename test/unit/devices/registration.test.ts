import assert from "node:assert/strict";
import { RegistrationBench } from "./registration-bench";

const hour = 3_600_000;

function devices(count: number, prefix = "d"): string[] {
    return Array.from({ length: count }, (_, index) => `t/${prefix}${index}`);
}

describe("registration: slots", () => {
    it("knows the gateway's own device from the start and never forgets it", () => {
        const bench = new RegistrationBench();
        assert.equal(bench.ask("gateway/g1"), "flow");
        assert.equal(bench.registration.forget("gateway/g1"), false);
        bench.refuse("gateway/g1", 180);
        assert.equal(bench.ask("gateway/g1"), "flow");
    });

    it("permits as many registration attempts as there are slots, and one for each device", () => {
        const bench = new RegistrationBench({ registrationLimit: 2 });
        assert.deepEqual(bench.send("t/a", "t/b", "t/c", "t/a"), ["check", "check", "wait", "wait"]);
    });

    it("frees a slot on acknowledgement, and wakes waiting devices in the order of asking", () => {
        const bench = new RegistrationBench({ registrationLimit: 1 });
        bench.onWake = (device) => bench.send(device);
        bench.send("t/a", "t/b", "t/c");
        bench.acknowledge("t/a");
        bench.acknowledge("t/b");
        assert.deepEqual(bench.take({ wakes: true }), ["wake t/b", "wake t/c"]);
        assert.deepEqual(bench.phases("t/a", "t/b", "t/c"), ["contacting", "contacting", "contacting"]);
    });

    it("never frees the slot of a registration by time: the platform keeps counting it", () => {
        const bench = new RegistrationBench({ registrationLimit: 4 });
        bench.send("t/hang");
        bench.clock.advance(24 * hour);
        assert.deepEqual(bench.send(...devices(4)), ["check", "check", "check", "wait"]);
        assert.deepEqual(bench.phases("t/hang"), ["unanswered"]);
    });

    it("frees all slots when the connection ends, and starts with the same devices on the next one", () => {
        const bench = new RegistrationBench({ registrationLimit: 2 });
        bench.onWake = (device) => bench.send(device);
        bench.send("t/a", "t/b", "t/c");
        bench.registration.connectionEnded();
        assert.deepEqual(bench.take(), ["requeued t/b event", "requeued t/a event"]);
        assert.deepEqual(bench.send("t/a"), ["wait"]);
        bench.registration.connectionStarted();
        assert.deepEqual(bench.take({ wakes: true }), ["wake t/a", "wake t/b"]);
        assert.deepEqual(bench.phases("t/c"), ["waiting"]);
    });

    it("never lets a known device wait, whatever the slots hold", () => {
        const bench = new RegistrationBench({ registrationLimit: 1 });
        bench.learn("t/known");
        bench.send("t/hang", "t/b");
        assert.equal(bench.ask("t/known"), "flow");
        bench.registration.connectionEnded();
        assert.equal(bench.ask("t/known"), "flow");
    });

    it("gives a place that is not used for a second to another device, and lets the first wait again", () => {
        const bench = new RegistrationBench({ registrationLimit: 1 });
        bench.send("t/a", "t/gone", "t/c");
        bench.acknowledge("t/a");
        bench.take();
        bench.clock.advance(999);
        assert.deepEqual(bench.phases("t/gone", "t/c"), ["contacting", "waiting"]);
        bench.clock.advance(1);
        assert.deepEqual(bench.phases("t/gone", "t/c"), ["waiting", "contacting"]);
    });

    it("withdraws a slot at once if its event was dropped", () => {
        const bench = new RegistrationBench({ registrationLimit: 1 });
        assert.equal(bench.ask("t/a"), "check");
        assert.equal(bench.ask("t/a"), "check", "asking again gives the same answer");
        bench.send("t/b");
        bench.withdraw("t/a");
        assert.deepEqual(bench.phases("t/a", "t/b"), ["new", "contacting"]);
    });

    it("grants a slot for one kind of message only, so that each device has one registration attempt", () => {
        const bench = new RegistrationBench();
        assert.equal(bench.ask("t/a", "subscribe"), "check");
        assert.equal(bench.ask("t/a", "event"), "wait");
        assert.equal(bench.ask("t/a", "management"), "wait");
    });

    it("starts no registration without a connection", () => {
        const bench = new RegistrationBench();
        bench.registration.connectionEnded();
        assert.deepEqual(bench.send("t/a"), ["wait"]);
    });
});

describe("registration: confirmation", () => {
    it("confirms a registration attempt 100 ms after its acknowledgement, not before", () => {
        const bench = new RegistrationBench();
        bench.send("t/a");
        bench.acknowledge("t/a");
        bench.clock.advance(99);
        assert.deepEqual(bench.take(), []);
        assert.deepEqual(bench.send("t/a"), ["wait"], "what follows waits for the outcome");
        bench.clock.advance(1);
        assert.deepEqual(bench.take({ wakes: true }), ["state t/a known", "confirmed t/a event", "wake t/a"]);
        assert.equal(bench.ask("t/a"), "flow");
    });

    it("does not confirm a registration attempt that a notification refuses within the 100 ms", () => {
        const bench = new RegistrationBench();
        bench.send("t/a");
        bench.acknowledge("t/a");
        bench.clock.advance(5);
        assert.equal(bench.refuse("t/a", 177).willRetry, true);
        assert.deepEqual(bench.take(), ["state t/a held:refused", "requeued t/a event"]);
        bench.clock.advance(1000);
        assert.deepEqual(bench.take(), []);
    });

    it("waits for the acknowledgement if the notification came first", () => {
        const bench = new RegistrationBench();
        bench.send("t/a");
        assert.deepEqual(bench.refuse("t/a", 177), { willRetry: true });
        assert.deepEqual(bench.take(), []);
        bench.acknowledge("t/a");
        assert.deepEqual(bench.take(), ["state t/a held:refused", "requeued t/a event"]);
    });

    it("repeats an acknowledged, unconfirmed registration attempt on the next connection", () => {
        const bench = new RegistrationBench();
        bench.send("t/a");
        bench.acknowledge("t/a");
        bench.registration.connectionEnded();
        assert.deepEqual(bench.take(), ["requeued t/a event"]);
        bench.clock.advance(1000);
        assert.deepEqual(bench.phases("t/a"), ["waiting"]);
    });

    for (const kind of ["subscribe", "management", "direct"] as const) {
        it(`treats a registration attempt of kind ${kind} like an event`, () => {
            const bench = new RegistrationBench();
            assert.equal(bench.ask("t/a", kind), "check");
            bench.registration.sent("t/a");
            bench.acknowledge("t/a");
            bench.clock.advance(100);
            assert.deepEqual(bench.take(), ["state t/a known", `confirmed t/a ${kind}`]);
        });
    }
});

describe("registration: a stray packet without a notification", () => {
    it("a stray packet is explained by a notification shortly after it", () => {
        const bench = new RegistrationBench();
        bench.send("t/a", "t/b");
        bench.acknowledge("t/a", "t/b");
        bench.registration.strayPing();
        bench.clock.advance(5);
        bench.refuse("t/a", 177);
        bench.clock.advance(100);
        assert.deepEqual(bench.take(), ["state t/a held:refused", "requeued t/a event", "state t/b known", "confirmed t/b event"]);
    });

    it("a stray packet is explained by a notification shortly before it", () => {
        const bench = new RegistrationBench();
        bench.send("t/a", "t/b");
        bench.acknowledge("t/a", "t/b");
        bench.refuse("t/a", 177);
        bench.clock.advance(5);
        bench.registration.strayPing();
        bench.clock.advance(95);
        assert.deepEqual(bench.phases("t/a", "t/b"), ["held", "known"]);
    });

    it("a stray packet is not explained by a notification without one, such as that of a broken rule", () => {
        const bench = new RegistrationBench();
        bench.send("t/a");
        bench.acknowledge("t/a");
        bench.registration.strayPing();
        bench.refuse("t/other", 276, { registration: false });
        bench.clock.advance(100);
        assert.deepEqual(bench.take(), ["requeued t/a event"]);
    });

    it("a stray packet makes every registration attempt in flight unconfirmed, keeps their events, and has them tried one at a time", () => {
        const bench = new RegistrationBench();
        bench.onWake = (device) => bench.send(device);
        bench.send("t/a", "t/b", "t/slow", "t/old");
        bench.acknowledge("t/old");
        bench.clock.advance(101);
        bench.take();
        bench.acknowledge("t/a", "t/b");
        bench.registration.strayPing();
        bench.clock.advance(100);
        assert.deepEqual(bench.take({ wakes: true }), ["requeued t/a event", "requeued t/b event", "wake t/a"]);
        assert.deepEqual(bench.phases("t/a", "t/b", "t/slow", "t/old"), ["contacting", "unconfirmed", "contacting", "known"]);
        assert.deepEqual(bench.send("t/new"), ["wait"], "nobody joins while one is tried alone");
        bench.acknowledge("t/a");
        bench.clock.advance(100);
        assert.deepEqual(bench.phases("t/a", "t/b"), ["known", "contacting"]);
        bench.acknowledge("t/b");
        bench.clock.advance(100);
        assert.deepEqual(bench.phases("t/b", "t/new"), ["known", "contacting"]);
        bench.take();
        bench.acknowledge("t/slow");
        assert.deepEqual(bench.take(), ["requeued t/slow event"], "it was in flight when the packet came");
    });

    it("a stray packet affects a registration attempt whose confirmation falls into its window", () => {
        const bench = new RegistrationBench();
        bench.send("t/a");
        bench.acknowledge("t/a");
        bench.clock.advance(99);
        bench.registration.strayPing();
        bench.clock.advance(50);
        assert.deepEqual(bench.phases("t/a"), ["contacting"]);
        bench.clock.advance(50);
        assert.deepEqual(bench.take(), ["requeued t/a event"]);
    });

    it("a stray packet does not affect a registration attempt sent after it", () => {
        const bench = new RegistrationBench();
        bench.send("t/a");
        bench.acknowledge("t/a");
        bench.registration.strayPing();
        bench.clock.advance(1);
        bench.send("t/b");
        bench.acknowledge("t/b");
        bench.clock.advance(100);
        assert.deepEqual(bench.phases("t/a", "t/b"), ["contacting", "known"]);
    });

    it("an unconfirmed device keeps its slot until its acknowledgement, but no longer", () => {
        const bench = new RegistrationBench({ registrationLimit: 1 });
        bench.send("t/slow");
        bench.registration.strayPing();
        bench.clock.advance(100);
        assert.deepEqual(bench.send("t/b"), ["wait"]);
        bench.acknowledge("t/slow");
        assert.deepEqual(bench.phases("t/slow", "t/b"), ["contacting", "waiting"]);
    });

    it("a stray packet while a device is tried alone holds that device", () => {
        const bench = new RegistrationBench();
        bench.onWake = (device) => bench.send(device);
        bench.send("t/a", "t/b");
        bench.acknowledge("t/a", "t/b");
        bench.registration.strayPing();
        bench.clock.advance(100);
        bench.acknowledge("t/a");
        bench.registration.strayPing();
        bench.take();
        bench.clock.advance(50);
        assert.deepEqual(bench.take(), ["state t/a held:swallowed", "requeued t/a event"]);
        assert.deepEqual(bench.registration.stateOf("t/a").hold?.until, bench.clock.now() + 660_000);
        assert.deepEqual(bench.phases("t/b"), ["contacting"]);
    });

    it("a late notification supplies the reason for a stray packet", () => {
        const bench = new RegistrationBench();
        bench.send("t/a", "t/b");
        bench.acknowledge("t/a", "t/b");
        bench.registration.strayPing();
        bench.clock.advance(100);
        bench.take();
        assert.equal(bench.refuse("t/b", 177).willRetry, true);
        assert.deepEqual(bench.take(), ["state t/b held:refused"]);
    });

    it("a stray packet without a registration attempt in flight is reported: something of a known device was dropped", () => {
        const bench = new RegistrationBench();
        bench.learn("t/a");
        bench.registration.strayPing();
        bench.clock.advance(100);
        assert.deepEqual(bench.take(), ["unexplained drop 0"]);
    });

    it("a device that is tried alone and gets no answer does not delay the others", () => {
        const bench = new RegistrationBench();
        bench.onWake = (device) => bench.send(device);
        bench.send("t/hang");
        bench.acknowledge("t/hang");
        bench.registration.strayPing();
        bench.clock.advance(100);
        assert.deepEqual(bench.send("t/b"), ["wait"]);
        bench.clock.advance(1000);
        assert.deepEqual(bench.phases("t/hang", "t/b"), ["contacting", "contacting"]);
        bench.clock.advance(30_000);
        assert.deepEqual(bench.phases("t/hang"), ["unanswered"]);
    });
});

describe("registration: holds", () => {
    for (const rc of [100, 173, 177, 180]) {
        it(`holds the device for the back-off plus 10 % after RC ${rc}, and uses its event as the probe`, () => {
            const bench = new RegistrationBench({ registrationBackoffMs: 600_000 });
            bench.send("t/a");
            bench.acknowledge("t/a");
            const verdict = bench.refuse("t/a", rc);
            assert.deepEqual(verdict, { willRetry: true, heldUntil: bench.clock.now() + 660_000 });
            assert.deepEqual(bench.send("t/a"), ["wait"]);
            bench.take({ wakes: true });
            // RC 173 also ends the registration attempts of this connection. The next one tries the device at once.
            if (rc === 173) {
                bench.reconnect();
                assert.deepEqual(bench.take({ wakes: true }), ["wake t/a"]);
            }
            bench.clock.advance(659_999);
            assert.deepEqual(bench.take({ wakes: true }), []);
            bench.clock.advance(1);
            assert.deepEqual(bench.take({ wakes: true }), ["wake t/a"]);
            assert.deepEqual(bench.send("t/a", "t/a"), ["check", "wait"]);
        });
    }

    it("doubles the hold with each failure, up to an hour, and starts over after a success", () => {
        const bench = new RegistrationBench({ registrationBackoffMs: 600_000 });
        const times: number[] = [];
        const fail = () => {
            bench.send("t/a");
            bench.acknowledge("t/a");
            const { heldUntil = 0 } = bench.refuse("t/a", 177);
            times.push(heldUntil - bench.clock.now());
            bench.clock.advance(heldUntil - bench.clock.now());
        };
        for (let count = 0; count < 5; count++) fail();
        assert.deepEqual(times, [660_000, 1_320_000, 2_640_000, hour, hour]);
        bench.learn("t/a");
        bench.refuse("t/a", 180, { registration: false });
        fail();
        assert.equal(times.at(-1), 660_000);
    });

    it("a held device does not delay others", () => {
        const bench = new RegistrationBench({ registrationLimit: 1 });
        bench.send("t/a");
        bench.acknowledge("t/a");
        bench.refuse("t/a", 177);
        assert.deepEqual(bench.send("t/b"), ["check"]);
    });

    for (const rc of [276, 289]) {
        it(`treats RC ${rc} as final for the event, and uses the next one as the registration attempt`, () => {
            const bench = new RegistrationBench();
            bench.send("t/a");
            bench.acknowledge("t/a");
            assert.deepEqual(bench.refuse("t/a", rc, { registration: false }), { willRetry: false, isDropped: true });
            assert.deepEqual(bench.take({ wakes: true }), [`dropped t/a event ${rc}`]);
            assert.deepEqual(bench.send("t/a"), ["check"]);
        });
    }

    it("drops the event and holds the device if the platform rejects its ids, because a back-off follows", () => {
        const bench = new RegistrationBench();
        bench.send("t/a");
        bench.acknowledge("t/a");
        bench.refuse("t/a", 276);
        assert.deepEqual(bench.take(), ["state t/a held:refused", "dropped t/a event 276"]);
    });

    it("treats RC 180 for a known device as final for that event, and forgets the device", () => {
        const bench = new RegistrationBench();
        bench.learn("t/a");
        assert.deepEqual(bench.refuse("t/a", 180, { registration: false }), { willRetry: false });
        assert.deepEqual(bench.take(), ["state t/a new"]);
        assert.deepEqual(bench.send("t/a"), ["check"]);
    });

    it("holds a known device that the platform failed to register again, and keeps its unacknowledged events", () => {
        const bench = new RegistrationBench();
        bench.learn("t/a");
        const { willRetry, recalls } = bench.refuse("t/a", 180);
        assert.deepEqual([willRetry, recalls], [false, "others"]);
        assert.deepEqual(bench.take(), ["state t/a held:refused"]);
    });

    for (const rc of [276, 289]) {
        it(`keeps a device known whose event was refused with RC ${rc}`, () => {
            const bench = new RegistrationBench();
            bench.learn("t/a");
            bench.refuse("t/a", rc, { registration: false });
            assert.equal(bench.ask("t/a"), "flow");
        });
    }

    it("ignores a refusal of an unknown device", () => {
        const bench = new RegistrationBench();
        assert.deepEqual(bench.refuse("t/never", 180), { willRetry: false });
        assert.deepEqual(bench.registration.refused(undefined, { rc: 289, request: "publish", text: "", registration: false }), {
            willRetry: false,
        });
        assert.deepEqual(bench.phases("t/never"), ["new"]);
    });

    it("does not mistake the refusal of a subscription for that of an event", () => {
        const bench = new RegistrationBench();
        bench.send("t/a");
        bench.acknowledge("t/a");
        bench.refuse("t/a", 276, { request: "subscribe", registration: false });
        bench.clock.advance(100);
        assert.deepEqual(bench.phases("t/a"), ["known"]);
    });

    it("does not hold a device whose SUBSCRIBE fails silently, and repeats it later", () => {
        const bench = new RegistrationBench();
        bench.ask("t/a", "subscribe");
        bench.registration.sent("t/a");
        bench.registration.rejected("t/a");
        bench.clock.advance(100);
        assert.deepEqual(bench.take({ wakes: true }), ["requeued t/a subscribe"]);
        bench.clock.advance(659_999);
        assert.deepEqual(bench.take({ wakes: true }), []);
        bench.clock.advance(1);
        assert.deepEqual(bench.take({ wakes: true }), ["wake t/a subscribe"]);
    });

    it("drops a SUBSCRIBE that breaks a rule, but not its device", () => {
        const bench = new RegistrationBench();
        bench.ask("t/a", "subscribe");
        bench.registration.sent("t/a");
        bench.registration.rejected("t/a");
        bench.refuse("t/a", 276, { request: "subscribe", registration: false });
        assert.deepEqual(bench.take(), ["dropped t/a subscribe 276"]);
        assert.deepEqual(bench.phases("t/a"), ["new"]);
    });

    it("says that an event that is not queued will not be sent again", () => {
        const bench = new RegistrationBench();
        assert.equal(bench.tryNow("t/a"), "check");
        assert.equal(bench.registration.tryNow("t/a", bench.client("management")), "wait");
        bench.registration.sent("t/a");
        bench.acknowledge("t/a");
        const { willRetry, isDropped } = bench.refuse("t/a", 177);
        assert.deepEqual([willRetry, isDropped], [false, true]);
        assert.deepEqual(bench.take(), ["state t/a held:refused", "dropped t/a direct 177"]);
        assert.equal(bench.tryNow("t/a"), "wait");
    });

    it("grants an event that is not queued only a free slot, and never queues it", () => {
        const bench = new RegistrationBench({ registrationLimit: 1 });
        bench.send("t/a");
        assert.equal(bench.tryNow("t/b"), "wait");
        assert.deepEqual(bench.phases("t/b"), ["new"]);
        bench.learn("t/c");
        bench.acknowledge("t/a");
        bench.clock.advance(100);
        assert.equal(bench.tryNow("t/a"), "flow");
    });
});

describe("registration: the connection's limit of new devices", () => {
    it("stops registration attempts after RC 173, awaits those in flight, and reconnects", () => {
        const bench = new RegistrationBench({ registrationLimit: 2 });
        bench.onWake = (device) => bench.send(device);
        bench.send("t/a", "t/b");
        bench.acknowledge("t/a");
        assert.equal(bench.refuse("t/a", 173).willRetry, true);
        assert.deepEqual(bench.take(), ["state t/a held:connection-limit", "requeued t/a event"]);
        assert.deepEqual(bench.send("t/c"), ["wait"]);
        bench.acknowledge("t/b");
        assert.deepEqual(bench.take(), [], "t/b is not confirmed yet");
        bench.clock.advance(100);
        assert.deepEqual(bench.take(), ["state t/b known", "confirmed t/b event", "reconnect connection-limit"]);
        bench.reconnect();
        assert.deepEqual(bench.phases("t/a", "t/c"), ["contacting", "waiting"]);
        bench.acknowledge("t/a");
        bench.clock.advance(100);
        assert.deepEqual(bench.phases("t/a", "t/c"), ["known", "contacting"]);
    });

    it("reconnects for the limit of new devices only if a device waits", () => {
        const bench = new RegistrationBench();
        bench.send("t/a");
        bench.acknowledge("t/a");
        bench.refuse("t/a", 173);
        bench.clock.advance(hour / 10);
        assert.deepEqual(
            bench.take().filter((queue) => queue.startsWith("reconnect")),
            [],
        );
        bench.send("t/b");
        assert.deepEqual(bench.take(), ["reconnect connection-limit"]);
    });

    it("reconnects for the limit of new devices at most once a minute", () => {
        const bench = new RegistrationBench();
        const refuseOne = (device: string) => {
            bench.send(device);
            bench.acknowledge(device);
            bench.refuse(device, 173);
            bench.send("t/waits");
            return bench.take().includes("reconnect connection-limit");
        };
        assert.equal(refuseOne("t/a"), true);
        bench.registration.connectionEnded();
        bench.onWake = (device) => device !== "t/waits" && bench.send(device);
        bench.registration.connectionStarted();
        bench.clock.advance(2_000);
        assert.equal(refuseOne("t/b"), false);
        bench.clock.advance(57_999);
        assert.deepEqual(bench.take(), []);
        bench.clock.advance(1);
        assert.deepEqual(bench.take(), ["reconnect connection-limit"]);
    });

    it("reconnects for the limit of new devices without waiting for unanswered registrations", () => {
        const bench = new RegistrationBench({ registrationLimit: 4 });
        bench.send("t/hang");
        bench.clock.advance(30_000);
        bench.send("t/a");
        bench.acknowledge("t/a");
        bench.refuse("t/a", 173);
        bench.send("t/b");
        assert.ok(bench.take().includes("reconnect connection-limit"));
    });

    it("learns the limit of new devices, and reconnects before it on later connections", () => {
        const bench = new RegistrationBench();
        const all = devices(150);
        bench.learn(...all);
        bench.send("t/x");
        bench.acknowledge("t/x");
        bench.refuse("t/x", 173);
        bench.registration.connectionEnded();
        bench.registration.connectionStarted();
        bench.learn(...devices(150, "e"));
        assert.deepEqual(bench.send("t/y"), ["wait"]);
        assert.deepEqual(bench.take(), ["reconnect connection-limit"]);
    });

    it("lowers the number of slots if more registrations were pending than the platform accepts", () => {
        const bench = new RegistrationBench({ registrationLimit: 128 });
        bench.send(...devices(11));
        bench.acknowledge("t/d10");
        bench.refuse("t/d10", 173);
        assert.deepEqual(bench.send("t/x"), ["wait"], "ten are pending");
        assert.deepEqual(bench.registration.stateOf("t/d10").hold?.reason, "refused");
        bench.onWake = (device) => bench.send(device);
        bench.acknowledge("t/d0");
        assert.deepEqual(bench.phases("t/x"), ["contacting"]);
    });
});

describe("registration: registrations that are never answered", () => {
    it("asks for a reconnect when half of the slots are stuck, at most once in a back-off", () => {
        const bench = new RegistrationBench({ registrationLimit: 4, registrationBackoffMs: 600_000 });
        bench.send("t/h1");
        bench.clock.advance(30_000);
        assert.deepEqual(bench.take(), []);
        bench.send("t/h2");
        bench.clock.advance(30_000);
        assert.deepEqual(bench.take(), ["reconnect stuck-registrations"]);
        bench.registration.connectionEnded();
        bench.registration.connectionStarted();
        bench.send("t/h3", "t/h4");
        bench.clock.advance(599_999);
        assert.equal(
            bench.take().some((queue) => queue.startsWith("reconnect")),
            false,
        );
        bench.clock.advance(1);
        assert.deepEqual(bench.take(), ["reconnect stuck-registrations"]);
    });
});

describe("registration: memory", () => {
    it("restores known and held devices of an earlier run", () => {
        const bench = new RegistrationBench();
        bench.registration.restoreKnown("t/known");
        bench.registration.restoreHeld("t/held", { reason: "refused", until: bench.clock.now() + 5_000, failures: 2, rc: 177, text: "x" });
        bench.registration.restoreHeld("t/over", { reason: "refused", until: bench.clock.now() - 5_000, failures: 1 });
        bench.registration.restoreHeld("t/odd", { reason: "refused", until: bench.clock.now() + 1e12, failures: 1 });
        assert.equal(bench.registration.isKnown("t/known"), true);
        for (const device of ["t/held", "t/over", "t/odd"]) assert.equal(bench.ask(device), "wait");
        bench.clock.advance(0);
        assert.deepEqual(bench.take({ wakes: true }), ["wake t/over"]);
        bench.clock.advance(5_000);
        assert.deepEqual(bench.take({ wakes: true }), ["wake t/held"]);
        bench.clock.advance(hour);
        assert.deepEqual(bench.take({ wakes: true }), ["wake t/odd"], "a clock that was wrong does not hold a device for years");
    });

    it("forgets a known or held device on request, and wakes its queue", () => {
        const bench = new RegistrationBench();
        bench.learn("t/a");
        bench.send("t/b");
        bench.acknowledge("t/b");
        bench.refuse("t/b", 177);
        bench.send("t/b", "t/flying");
        bench.take({ wakes: true });
        assert.deepEqual([bench.registration.forget("t/a"), bench.registration.forget("t/b")], [true, true]);
        assert.deepEqual([bench.registration.forget("t/flying"), bench.registration.forget("t/none")], [false, false]);
        assert.deepEqual(bench.take({ wakes: true }), ["wake t/b"]);
        assert.deepEqual(bench.send("t/a", "t/b"), ["check", "check"]);
    });

    it("ends a hold on request: the next event is the probe, and a new failure counts on", () => {
        const bench = new RegistrationBench();
        bench.send("t/a");
        bench.acknowledge("t/a");
        bench.refuse("t/a", 177);
        bench.take({ wakes: true });
        assert.equal(bench.send("t/a")[0], "wait");
        assert.equal(bench.registration.release("t/a"), true);
        assert.deepEqual(bench.take({ wakes: true }), ["state t/a held:refused", "wake t/a"]);
        assert.equal(bench.registration.stateOf("t/a").hold?.until, bench.clock.now(), "nobody is told that it lasts longer");
        assert.equal(bench.send("t/a")[0], "check");
        bench.acknowledge("t/a");
        bench.refuse("t/a", 177);
        assert.equal(bench.registration.stateOf("t/a").hold?.failures, 2);
    });

    it("cannot end a hold of a device that is known, being registered or unknown", () => {
        const bench = new RegistrationBench();
        bench.learn("t/known");
        bench.send("t/flying");
        for (const device of ["t/known", "t/flying", "t/none"]) assert.equal(bench.registration.release(device), false, device);
        assert.deepEqual(bench.take({ wakes: true }), []);
    });

    it("uses one timer for any number of held devices, and none after it is closed", () => {
        const bench = new RegistrationBench({ registrationLimit: 128 });
        for (const device of devices(1000)) {
            bench.registration.restoreHeld(device, { reason: "refused", until: bench.clock.now() + 5_000, failures: 1 });
        }
        bench.take();
        assert.equal(bench.clock.timerCount, 1);
        bench.send("t/a");
        bench.registration.close();
        assert.equal(bench.clock.timerCount, 0);
    });
});
