import assert from "node:assert/strict";
import fc from "fast-check";
import { AgeClock } from "../../../src/outbox/age-clock";
import { FakeClock } from "../../support/doubles/fake-clock";
import { outboxFixture } from "../../support/doubles/outbox-fixture";
import { Disk } from "../../support/doubles/stepped-store";

const second = 1000;
const minute = 60 * second;
const hour = 60 * minute;
const day = 24 * hour;
const buildDate = Date.UTC(2026, 2, 1);
const today = Date.UTC(2026, 11, 1);

/** A machine with an outbox file, whose runs and boots follow each other. */
class Machine {
    readonly clock: FakeClock;
    readonly disk = new Disk();
    readonly expired: string[] = [];
    readonly delivered: string[] = [];
    #run: ReturnType<typeof outboxFixture> | undefined;
    #admitted = 0;

    constructor(wallMs: number) {
        this.clock = new FakeClock(wallMs);
    }

    /** Node-RED starts, offline. */
    start(): void {
        this.#run = outboxFixture({ clock: this.clock, disk: this.disk });
        this.run(0);
    }

    /** Some events are admitted and stored. */
    admit(count: number, ttlMs?: number): void {
        for (let index = 0; index < count; index++)
            this.#run?.admit(`t/${index % 3}`, `${++this.#admitted}`, ttlMs === undefined ? {} : { ttlMs });
        this.#run?.writeOut();
    }

    /** Time passes while Node-RED runs. */
    run(durationMs: number): void {
        for (let left = durationMs; left >= 0; left -= 30 * second) {
            this.clock.advance(Math.min(left, 30 * second));
            this.#run?.store.settle();
        }
        this.#run?.store.settle();
    }

    /** The wall clock is set by so much. */
    set(byMs: number): void {
        this.clock.jump(this.clock.now() + byMs);
    }

    setTo(wallMs: number): void {
        this.clock.jump(wallMs);
    }

    /** Node-RED is killed. */
    kill(): void {
        this.expired.push(...this.#expiredInRun());
        void this.#run?.outbox.close(0);
        this.#run = undefined;
    }

    /** The machine loses its power, and starts some minutes or weeks later with this wall clock; Node-RED follows. */
    reboot(wallMs: number, bootMs = 40 * second): void {
        this.kill();
        this.clock.reboot(wallMs);
        this.clock.advance(bootMs);
        this.start();
    }

    /** The link is there: everything that is left is delivered. Returns how many that were. */
    deliver(): number {
        const run = this.#run;
        assert.ok(run);
        run.outbox.linkUp();
        for (let round = 0; round < 30; round++) {
            run.clock.advance(second);
            run.store.settle();
            run.link.acknowledgeAll();
        }
        const payloads = new Set(run.link.sent);
        this.delivered.push(...payloads);
        this.expired.push(...this.#expiredInRun());
        return payloads.size;
    }

    #expiredInRun(): string[] {
        return this.#run?.listener.late.filter(({ error }) => error.code === "GW_EXPIRED").map(({ event }) => String(event.payload)) ?? [];
    }
}

/** A machine that keeps its time without power, with a file that has seen a boot already. */
function computer(): Machine {
    const machine = new Machine(today);
    machine.start();
    machine.run(hour);
    machine.reboot(machine.clock.now() + 10 * minute);
    machine.run(hour);
    return machine;
}

describe("a machine without a clock battery", () => {
    it("delivers 25 of 25 events when it starts at its build date twice, before the time is set", () => {
        const board = new Machine(buildDate);
        board.start();
        board.admit(10);
        board.run(3 * minute);
        board.reboot(buildDate);
        board.admit(10);
        board.run(3 * minute);
        board.setTo(today);
        board.run(30 * second);
        board.admit(5);
        board.run(20 * minute);
        assert.equal(board.deliver(), 25);
    });

    it("loses nothing when the time is set before Node-RED starts next", () => {
        const board = new Machine(buildDate);
        board.start();
        board.admit(10);
        board.run(hour);
        board.reboot(today);
        board.run(20 * minute);
        assert.equal(board.deliver(), 10);
    });

    it("loses nothing when it starts at its build date again after the time had been set", () => {
        const board = new Machine(buildDate);
        board.start();
        board.setTo(today);
        board.run(20 * minute);
        board.admit(10);
        board.reboot(buildDate);
        board.admit(10);
        board.run(20 * minute);
        board.setTo(today + hour);
        board.run(20 * minute);
        assert.equal(board.deliver(), 20);
    });

    for (const [way, behindMs] of [
        ["a clean stop", -5 * second],
        ["a power cut", 55 * second],
    ] as const) {
        it(`loses nothing when it continues from the time saved at ${way}`, () => {
            const board = new Machine(buildDate);
            board.start();
            board.setTo(today);
            board.run(20 * minute);
            for (let boot = 0; boot < 3; boot++) {
                board.admit(10);
                board.run(20 * minute);
                board.reboot(board.clock.now() - behindMs, 90 * second);
            }
            board.run(20 * minute);
            board.reboot(today + 60 * day);
            board.run(20 * minute);
            assert.equal(board.deliver(), 30);
        });
    }

    for (const isSetBefore of [false, true]) {
        it(`loses nothing when its image gets a newer build date, and the time is set ${isSetBefore ? "before" : "after"} a start`, () => {
            const board = new Machine(buildDate);
            board.start();
            board.admit(10);
            board.run(hour);
            board.reboot(buildDate + 60 * day);
            board.admit(10);
            board.run(hour);
            board.reboot(isSetBefore ? today : buildDate + 60 * day);
            board.admit(5);
            board.setTo(today + hour);
            board.run(20 * minute);
            assert.equal(board.deliver(), 25);
        });
    }

    it("loses nothing when each boot starts at the same time in the future", () => {
        const board = new Machine(today + 2 * day);
        board.start();
        board.setTo(today);
        for (let boot = 1; boot < 4; boot++) {
            board.admit(5, 20 * hour);
            board.run(20 * minute);
            board.reboot(today + 2 * day);
            board.run(2 * minute);
            board.setTo(today + boot * hour);
        }
        board.run(20 * minute);
        assert.equal(board.deliver(), 15);
    });

    it("counts the time without power if its clock is set before and after", () => {
        const board = new Machine(buildDate);
        board.start();
        board.setTo(today);
        board.run(20 * minute);
        board.admit(1);
        board.admit(1, 10 * second);
        board.reboot(today + 3 * day);
        assert.equal(board.deliver(), 1);
        assert.deepEqual(board.expired, ["2"]);
    });

    it("counts the time that it runs, whatever its clock shows", () => {
        const board = new Machine(buildDate);
        board.start();
        board.admit(1, 2 * hour);
        board.admit(1, 6 * hour);
        board.run(90 * minute);
        board.reboot(buildDate);
        board.run(90 * minute);
        assert.equal(board.deliver(), 1);
        assert.deepEqual(board.expired, ["1"]);
    });
});

describe("a clock that is ten days ahead for two minutes lets nothing expire", () => {
    it("in mid-run", () => {
        const machine = computer();
        machine.admit(10);
        machine.set(10 * day);
        machine.run(2 * minute);
        machine.set(-10 * day);
        machine.run(20 * minute);
        assert.equal(machine.deliver(), 10);
    });

    it("across a restart of Node-RED", () => {
        const machine = computer();
        machine.admit(10);
        machine.set(10 * day);
        machine.run(minute);
        machine.kill();
        machine.start();
        machine.admit(5);
        machine.run(minute);
        machine.set(-10 * day);
        machine.run(20 * minute);
        assert.equal(machine.deliver(), 15);
    });

    it("across a restart of the machine", () => {
        const machine = computer();
        machine.admit(10);
        machine.reboot(machine.clock.now() + 10 * day);
        machine.admit(5);
        machine.run(minute);
        machine.set(-10 * day);
        machine.run(minute);
        machine.admit(5);
        machine.run(20 * minute);
        assert.equal(machine.deliver(), 20);
    });

    it("at the end of a run, and the next boot is right", () => {
        const machine = computer();
        machine.admit(10);
        machine.set(10 * day);
        machine.run(2 * minute);
        machine.reboot(machine.clock.now() - 10 * day);
        machine.run(20 * minute);
        machine.reboot(machine.clock.now() + minute);
        machine.run(20 * minute);
        assert.equal(machine.deliver(), 10);
    });

    it("what a day at once had aged is as young as before when the clock is set back", () => {
        const machine = computer();
        machine.admit(1, 30 * hour);
        machine.reboot(machine.clock.now() + 10 * day);
        machine.run(minute);
        machine.set(-10 * day);
        machine.run(7 * hour);
        assert.equal(machine.deliver(), 1);
    });
});

describe("a computer that was off for three weeks", () => {
    it("lets expire at once what lives 10 seconds, and ten minutes later what lives a week", () => {
        const machine = computer();
        machine.admit(2, 10 * second);
        machine.admit(3);
        machine.reboot(machine.clock.now() + 21 * day);
        machine.admit(4, hour);
        machine.run(minute);
        machine.kill();
        assert.deepEqual(machine.expired, ["1", "2"]);
        machine.start();
        machine.run(11 * minute);
        assert.equal(machine.deliver(), 7);
    });

    it("keeps nothing older than a week when it runs on offline", () => {
        const machine = computer();
        machine.admit(3);
        machine.reboot(machine.clock.now() + 21 * day);
        machine.admit(4, hour);
        machine.run(20 * minute);
        assert.equal(machine.deliver(), 4);
        assert.deepEqual(machine.expired.sort(), ["1", "2", "3"]);
    });

    it("does not count the time before the first restart that the file has seen", () => {
        const machine = new Machine(today);
        machine.start();
        machine.admit(3, hour);
        machine.reboot(machine.clock.now() + 21 * day);
        machine.run(20 * minute);
        assert.equal(machine.deliver(), 3);
    });
});

describe("a killed Node-RED that starts again after an hour", () => {
    for (const wall of ["as it should be", "at 1970", "ten days ahead", "three years back"] as const) {
        it(`counts the hour with a wall clock ${wall}`, () => {
            const machine = new Machine(today);
            machine.start();
            machine.admit(2, 30 * minute);
            machine.admit(3, 90 * minute);
            machine.kill();
            machine.clock.advance(hour);
            if (wall === "at 1970") machine.setTo(1000);
            else if (wall === "ten days ahead") machine.set(10 * day);
            else if (wall === "three years back") machine.set(-3 * 365 * day);
            machine.start();
            machine.run(minute);
            assert.equal(machine.deliver(), 3);
            assert.deepEqual(machine.expired.sort(), ["1", "2"]);
        });
    }

    it("counts it also where the system names no boots", () => {
        const clock = new FakeClock(today);
        const boot = { id: undefined, uptimeMs: () => clock.monotonicMs() };
        const before = new AgeClock({ clock, boot });
        before.opened({ note: "", lastCreatedAt: undefined });
        const note = before.note();
        const admittedAt = before.now();
        clock.advance(hour);
        clock.jump(clock.now() + 9 * second);
        const after = new AgeClock({ clock, boot });
        after.opened({ note, lastCreatedAt: admittedAt });
        assert.equal(after.now() - admittedAt, hour);
    });
});

describe("the time in an outbox file without a note", () => {
    it("goes on with the time of its last event, whatever the wall clock shows", () => {
        for (const wallMs of [0, buildDate, today, today + 365 * day]) {
            const clock = new FakeClock(wallMs);
            const ageClock = new AgeClock({ clock, boot: clock });
            const admittedAt = ageClock.now();
            const byMs = ageClock.opened({ note: "", lastCreatedAt: buildDate + hour });
            assert.equal(ageClock.now(), buildDate + hour);
            assert.equal(admittedAt + byMs, ageClock.now());
            clock.advance(day);
            assert.equal(ageClock.look(), 0);
            assert.equal(ageClock.now(), buildDate + hour + day);
        }
    });

    it("a note that cannot be read is no note", () => {
        for (const note of ["{", "[]", "null", '{"ageMs":null}', '{"ageMs":1,"wallMs":1,"uptimeMs":1,"isTrusted":1,"bootInstants":[]}']) {
            const clock = new FakeClock(today);
            const ageClock = new AgeClock({ clock, boot: clock });
            ageClock.opened({ note, lastCreatedAt: buildDate });
            assert.equal(ageClock.now(), buildDate);
        }
    });
});

describe("the clock by which events age", () => {
    it("gives a moment the same wall time each time, and another one only when the wall clock was set", () => {
        const clock = new FakeClock(today);
        let fractionMs = 0;
        const ageClock = new AgeClock({
            clock: {
                now: () => Math.floor(clock.now()),
                monotonicMs: () => clock.monotonicMs() + fractionMs,
                setTimer: () => assert.fail(),
            },
            boot: clock,
        });
        const at = ageClock.now();
        clock.advance(hour);
        for (fractionMs = 0; fractionMs < 1; fractionMs += 0.1) assert.equal(ageClock.wallTimeMs(at), today);
        fractionMs = 0;
        clock.jump(clock.now() + day);
        assert.equal(ageClock.wallTimeMs(at), today + day);
    });

    /** What happens between two looks. */
    type Step =
        | { readonly kind: "run" | "restart"; readonly durationMs: number }
        /** `isSet`: Node-RED starts when a time server has set the time. */
        | { readonly kind: "reboot"; readonly offMs: number; readonly isSet?: boolean }
        | { readonly kind: "time set" };

    const duration = fc.integer({ min: 0, max: 3 * hour });
    const step: fc.Arbitrary<Step> = fc.oneof(
        { weight: 5, arbitrary: duration.map((durationMs) => ({ kind: "run" as const, durationMs })) },
        { weight: 2, arbitrary: duration.map((durationMs) => ({ kind: "restart" as const, durationMs })) },
        {
            weight: 2,
            arbitrary: fc.record({
                kind: fc.constant("reboot" as const),
                offMs: fc.integer({ min: minute, max: 40 * day }),
                isSet: fc.boolean(),
            }),
        },
        { weight: 1, arbitrary: fc.constant({ kind: "time set" as const }) },
    );
    type Kind = "battery" | "build date" | "saved time";

    /** Ages an event over the steps. Returns the time that counted and the time that passed. */
    function age(kind: Kind, steps: readonly Step[]): { countedMs: number; passedMs: number } {
        let trueMs = today;
        const clock = new FakeClock(kind === "battery" ? trueMs : buildDate);
        let note = "";
        let ageClock = new AgeClock({ clock, boot: clock });
        ageClock.opened({ note, lastCreatedAt: undefined });
        const admittedAt = ageClock.now();
        const pass = (durationMs: number) => {
            clock.advance(durationMs);
            trueMs += durationMs;
        };
        const open = () => {
            ageClock = new AgeClock({ clock, boot: clock });
            ageClock.opened({ note, lastCreatedAt: admittedAt });
        };
        for (const step of steps) {
            if (step.kind === "run") {
                for (let left = step.durationMs; left > 0; left -= minute) {
                    pass(Math.min(left, minute));
                    ageClock.look();
                    note = ageClock.note();
                }
            } else if (step.kind === "restart") {
                note = ageClock.note();
                pass(step.durationMs);
                open();
            } else if (step.kind === "reboot") {
                note = ageClock.note();
                const savedMs = clock.now() + 5 * second;
                trueMs += step.offMs;
                clock.reboot(kind === "battery" || step.isSet ? trueMs : kind === "build date" ? buildDate : savedMs);
                pass(30 * second);
                open();
            } else {
                clock.jump(trueMs);
            }
        }
        return { countedMs: ageClock.now() - admittedAt, passedMs: trueMs - today };
    }

    it("never counts more than the time that has passed", () => {
        fc.assert(
            fc.property(fc.constantFrom<Kind>("battery", "build date", "saved time"), fc.array(step, { maxLength: 40 }), (kind, steps) => {
                const { countedMs, passedMs } = age(kind, steps);
                assert.ok(countedMs <= passedMs + 1, `${countedMs} of ${passedMs}`);
            }),
            { numRuns: 2000 },
        );
    });

    it("counts all of it on a computer, except before the first restart", () => {
        fc.assert(
            fc.property(fc.array(fc.integer({ min: 2 * minute, max: 6 * day }), { minLength: 1, maxLength: 10 }), (offs) => {
                const steps = offs.flatMap((offMs): Step[] => [
                    { kind: "run", durationMs: 15 * minute },
                    { kind: "reboot", offMs },
                ]);
                const { countedMs, passedMs } = age("battery", [...steps, { kind: "run", durationMs: 15 * minute }]);
                assert.ok(Math.abs(countedMs + (offs[0] ?? 0) + 30 * second - passedMs) < second, `${countedMs} of ${passedMs}`);
            }),
        );
    });
});
