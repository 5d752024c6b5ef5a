import assert from "node:assert/strict";
import fc from "fast-check";
import { ConnectionQuota } from "../../../src/devices/registration/connection-quota";
import { RegistrationBench } from "./registration-bench";

const minute = 60_000;

function devices(count: number, prefix = "d"): string[] {
    return Array.from({ length: count }, (_, index) => `t/${prefix}${index}`);
}

/** A bench that knows these devices and is on its next connection. */
function reconnected(...known: string[]): RegistrationBench {
    const bench = new RegistrationBench();
    bench.learn(...known);
    bench.reconnect();
    bench.take();
    return bench;
}

describe("registration of known devices", () => {
    it("sends one message of a known device after a reconnect, and the others once 100 ms have passed without a sign", () => {
        const bench = reconnected("t/a");
        assert.deepEqual(bench.send("t/a", "t/a"), ["check", "wait"]);
        bench.acknowledge("t/a");
        bench.clock.advance(99);
        assert.deepEqual(bench.send("t/a"), ["wait"]);
        bench.clock.advance(1);
        assert.deepEqual(bench.send("t/a"), ["flow"]);
        assert.deepEqual(bench.take(), ["confirmed t/a event"], "the device was known before");
    });

    it("shows a known device that is being checked as known", () => {
        const bench = reconnected("t/a");
        bench.send("t/a");
        assert.deepEqual(bench.phases("t/a"), ["known"]);
        assert.equal(bench.registration.isHeld("t/a"), false);
    });

    it("lets known devices flow at once on a broker that has never shown that it registers", () => {
        const bench = new RegistrationBench({ isRegistering: false });
        bench.registration.restoreKnown("t/a");
        assert.deepEqual(bench.send("t/a"), ["flow"]);
        bench.registration.strayPing();
        bench.clock.advance(100);
        assert.deepEqual(bench.take(), ["sign given", "unexplained drop 0"]);
        assert.deepEqual(bench.send("t/a"), ["flow"], "until the next connection");
        bench.reconnect();
        assert.deepEqual(bench.send("t/a"), ["check"]);
    });

    it("keeps the event of a known device that RC 173 refuses, and counts every device not checked since", () => {
        const known = devices(20);
        const bench = reconnected(...known);
        bench.send("t/d0", "t/d1");
        bench.acknowledge("t/d0", "t/d1");
        assert.equal(bench.refuse("t/d1", 173).willRetry, true);
        bench.clock.advance(100);
        assert.deepEqual(bench.take(), ["state t/d1 held:connection-limit", "requeued t/d1 event", "confirmed t/d0 event"]);
        assert.deepEqual(bench.send("t/d2"), ["wait"], "the limit is reached");
        assert.deepEqual(bench.send("t/d0"), ["flow"]);
        assert.deepEqual(bench.take(), ["reconnect connection-limit"]);
    });

    it("refuses for good what RC 180 refuses of a known device", () => {
        const bench = reconnected("t/a");
        bench.send("t/a");
        bench.acknowledge("t/a");
        assert.deepEqual(bench.refuse("t/a", 180), { willRetry: false, isDropped: true });
        assert.deepEqual(bench.take(), ["state t/a held:refused", "dropped t/a event 180"]);
    });

    it("takes what the platform acknowledged of a flowing device for dropped when it refuses the device", () => {
        const bench = new RegistrationBench();
        bench.learn("t/a");
        const { willRetry, recalls } = bench.refuse("t/a", 173);
        assert.deepEqual([willRetry, recalls], [true, "all"]);
        assert.deepEqual(bench.take(), ["state t/a held:connection-limit"]);
    });

    it("never counts a device again that was checked, until a known device is refused for the limit", () => {
        const step = fc.oneof(
            fc.record({ what: fc.constant("check" as const), device: fc.nat(9) }),
            fc.constant({ what: "reconnect" as const }),
            fc.record({ what: fc.constant("refuse" as const), number: fc.option(fc.integer({ min: 1, max: 600 }), { nil: undefined }) }),
        );
        fc.assert(
            fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
                const quota = new ConnectionQuota(true);
                quota.restart();
                const checkedOn = new Map<number, number>();
                const counted = () => [...Array(10).keys()].filter((device) => quota.counts(checkedOn.get(device)));
                for (const each of steps) {
                    const before = counted();
                    if (each.what === "check") checkedOn.set(each.device, quota.connection);
                    else if (each.what === "reconnect") quota.restart();
                    else quota.refused(each.number);
                    const isSign = each.what === "refuse" && each.number === undefined;
                    if (!isSign) assert.ok(counted().every((device) => before.includes(device)));
                }
            }),
        );
    });
});

describe("the order of places after a reconnect", () => {
    it("gives places to events of high priority, filters, other events and device management, in that order", () => {
        const bench = new RegistrationBench({ registrationLimit: 1 });
        bench.send("t/first");
        bench.ask("t/management", "management");
        bench.ask("t/event");
        bench.ask("t/high", "high");
        bench.ask("t/filter", "subscribe");
        const order: string[] = [];
        for (let turn = 0; turn < 4; turn++) {
            bench.take({ wakes: true });
            bench.acknowledge(turn === 0 ? "t/first" : `t/${order.at(-1)}`);
            const [, name = "", kind = "event"] = /^wake t\/(\w+) ?(\w*)/.exec(bench.take({ wakes: true })[0] ?? "") ?? [];
            order.push(name);
            bench.sendAs(kind === "" ? "event" : (kind as "high"), `t/${name}`);
        }
        assert.deepEqual(order, ["high", "filter", "event", "management"]);
    });

    it("gives each kind that waits at least one place in eight", () => {
        const bench = new RegistrationBench({ registrationLimit: 1 });
        const order: string[] = [];
        bench.onWake = (device) => {
            order.push(device);
            bench.send(device);
        };
        bench.send("t/first");
        for (const device of devices(40)) bench.ask(device);
        bench.ask("t/management", "management");
        bench.acknowledge("t/first");
        for (let turn = 0; turn < 12 && !bench.take({ wakes: true }).includes("wake t/management management"); turn++) {
            bench.acknowledge(order.at(-1) ?? "");
        }
        assert.equal(order.length, 7);
    });

    it("moves a device up that an event of high priority waits for", () => {
        const bench = new RegistrationBench({ registrationLimit: 1 });
        bench.send("t/first");
        for (const device of ["t/a", "t/b"]) bench.ask(device);
        bench.ask("t/b", "high");
        bench.acknowledge("t/first");
        assert.deepEqual(bench.phases("t/a", "t/b"), ["waiting", "contacting"]);
    });

    it("gives the place of a device for which nothing waits any more to the next one at once", () => {
        const bench = new RegistrationBench({ registrationLimit: 1 });
        const emptied = devices(10_000);
        bench.onWake = (device) => (emptied.includes(device) ? bench.withdraw(device) : bench.send(device));
        bench.send("t/first");
        for (const device of [...emptied, "t/last"]) bench.ask(device);
        bench.acknowledge("t/first");
        assert.deepEqual(bench.phases("t/d0", "t/last"), ["new", "contacting"]);
    });
});

describe("devices of which something may have been dropped silently", () => {
    function suspecting(...suspects: string[]): RegistrationBench {
        const bench = new RegistrationBench();
        bench.learn(...suspects);
        bench.registration.strayPing();
        bench.clock.advance(100);
        assert.deepEqual(bench.take(), ["unexplained drop 0"]);
        bench.registration.suspect(suspects, { firstMs: bench.clock.monotonicMs() - 100, lastMs: bench.clock.monotonicMs() - 100 });
        return bench;
    }

    it("checks suspects in groups, and clears them if no stray ping comes", () => {
        const bench = suspecting(...devices(3));
        assert.equal(bench.registration.suspectCount, 3);
        assert.deepEqual(bench.send(...devices(3)), ["check", "check", "check"]);
        assert.deepEqual(bench.send("t/other"), ["wait"], "nothing else is checked meanwhile");
        bench.acknowledge(...devices(3));
        bench.clock.advance(100);
        assert.deepEqual(
            bench.take().filter((line) => line.startsWith("cleared")),
            ["cleared t/d0", "cleared t/d1", "cleared t/d2"],
        );
        assert.equal(bench.registration.suspectCount, 0);
        assert.deepEqual(bench.phases("t/other"), ["contacting"]);
    });

    it("stops counting a suspect that sends nothing more as being checked, and checks it when it does send", () => {
        const bench = suspecting(...devices(3));
        bench.send("t/d0");
        bench.clock.advance(59_000);
        assert.equal(bench.registration.suspectCount, 2, "the one that sent has passed its check by now");
        bench.clock.advance(2_000);
        assert.equal(bench.registration.suspectCount, 0);
        assert.deepEqual(bench.send("t/d1"), ["check"]);
        assert.equal(bench.registration.suspectCount, 1);
        bench.take();
        bench.acknowledge("t/d1");
        bench.registration.strayPing();
        bench.clock.advance(100);
        assert.ok(bench.take().includes("convicted t/d1"), "what was acknowledged of it is not forgotten");
    });

    it("tries suspects alone within a group that drew a stray ping, and holds only the guilty one", () => {
        const bench = suspecting(...devices(3));
        bench.onWake = (device) => bench.send(device);
        bench.send(...devices(3));
        bench.acknowledge(...devices(3));
        bench.registration.strayPing();
        bench.clock.advance(50);
        bench.take();
        for (const device of devices(3)) {
            bench.acknowledge(device);
            if (device === "t/d1") bench.registration.strayPing();
            bench.clock.advance(100);
        }
        const outcomes = bench.take();
        assert.deepEqual(
            outcomes.filter((line) => /^(cleared|convicted|state)/.test(line)),
            ["cleared t/d0", "state t/d1 held:swallowed", "convicted t/d1", "cleared t/d2"],
        );
    });

    it("looks for something that was flowing when all checks that were under way turn out innocent", () => {
        const bench = new RegistrationBench();
        bench.onWake = (device) => bench.send(device);
        bench.send("t/a", "t/b");
        bench.acknowledge("t/a", "t/b");
        bench.registration.strayPing();
        bench.clock.advance(100);
        for (const device of ["t/a", "t/b"]) {
            bench.acknowledge(device);
            bench.clock.advance(100);
        }
        assert.deepEqual(
            bench.take().filter((line) => line.startsWith("unexplained")),
            ["unexplained drop 0"],
        );
    });

    it("suspects no device because the event loop was held up while the notification was unread", () => {
        const bench = new RegistrationBench();
        bench.send("t/a", "t/b");
        bench.acknowledge("t/a", "t/b");
        bench.registration.strayPing();
        bench.clock.stall(3_000);
        bench.refuse("t/a", 177);
        bench.clock.advance(200);
        assert.deepEqual(bench.phases("t/a", "t/b"), ["held", "known"]);
    });
});

describe("registrations that the line cut off", () => {
    function cutOff(): RegistrationBench {
        const bench = new RegistrationBench();
        bench.onWake = (device) => bench.send(device);
        bench.send("t/a");
        bench.reconnect();
        bench.take();
        return bench;
    }

    it("reconnects after 30 s of silence for a registration that the line cut off, and tries it first", () => {
        const bench = cutOff();
        bench.clock.advance(29_999);
        assert.deepEqual(bench.take(), []);
        bench.clock.advance(1);
        assert.deepEqual(bench.take(), ["reconnect cut-off-registrations"]);
        bench.registration.connectionEnded();
        for (const device of devices(20)) bench.ask(device);
        bench.take();
        bench.registration.connectionStarted();
        assert.equal(bench.take({ wakes: true })[0], "wake t/a");
    });

    it("does not reconnect for it while the link itself is silent, nor for one that is answered by then", () => {
        for (const isAnswered of [false, true]) {
            const bench = cutOff();
            let pong = () => {};
            bench.onPing = (answered) => {
                pong = answered;
            };
            bench.clock.advance(35_000);
            assert.deepEqual(bench.take(), []);
            if (isAnswered) bench.acknowledge("t/a");
            pong();
            assert.deepEqual(bench.take(), isAnswered ? [] : ["reconnect cut-off-registrations"]);
        }
    });

    it("has a registration wait without a hold when the platform is silent again, for the back-off, then twice as long", () => {
        const bench = cutOff();
        bench.clock.advance(30_000);
        bench.reconnect();
        bench.take();
        bench.clock.advance(30_000);
        assert.deepEqual(bench.take(), ["requeued t/a event", "unanswered t/a"]);
        assert.deepEqual(
            [bench.phases("t/a"), bench.registration.isHeld("t/a"), bench.registration.unansweredCount],
            [["unanswered"], false, 1],
        );
        bench.clock.advance(600_000);
        assert.deepEqual(bench.take({ wakes: true }), ["wake t/a"]);
        bench.clock.advance(30_000);
        assert.deepEqual(bench.take(), ["requeued t/a event"], "it is said once");
        bench.clock.advance(1_199_999);
        assert.deepEqual(bench.take({ wakes: true }), []);
        bench.clock.advance(1);
        bench.acknowledge("t/a");
        bench.clock.advance(100);
        assert.deepEqual([bench.phases("t/a"), bench.registration.unansweredCount], [["known"], 0]);
    });

    it("tries an unanswered registration again on each new connection, and reconnects for it only once", () => {
        const bench = cutOff();
        bench.clock.advance(30_000);
        bench.reconnect();
        bench.clock.advance(30_000);
        bench.take({ wakes: true });
        bench.reconnect();
        assert.deepEqual(bench.take({ wakes: true }), ["wake t/a"]);
        bench.clock.advance(10 * minute);
        assert.ok(!bench.take().some((line) => line.startsWith("reconnect")));
    });

    it("reconnects for registrations that the line cut off at most once in three minutes and six times a day", () => {
        const bench = new RegistrationBench();
        bench.onWake = (device) => bench.send(device);
        let reconnects = 0;
        for (let turn = 0; turn < 40; turn++) {
            bench.send(`t/d${turn}`);
            bench.reconnect();
            bench.take();
            bench.clock.advance(31_000);
            reconnects += bench.take().filter((line) => line === "reconnect cut-off-registrations").length;
            if (turn === 1) assert.equal(reconnects, 1, "not twice within three minutes");
            bench.acknowledge(`t/d${turn}`);
            bench.clock.advance(100);
        }
        assert.ok(reconnects <= 6, `${reconnects} reconnects`);
    });
});
