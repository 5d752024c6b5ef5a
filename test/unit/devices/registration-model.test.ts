import assert from "node:assert/strict";
import fc from "fast-check";
import { Registration } from "../../../src/devices/registration/registration";
import type { RegistrationListener } from "../../../src/devices/registration/registration-types";
import { FakeClock } from "../../support/doubles/fake-clock";
import { type Fate, PlatformModel } from "./platform-model";

interface Setting {
    readonly registrationLimit: number;
    readonly pending: number;
    readonly newDevices: number;
    readonly registrationMs: number;
}

/** A gateway in miniature: one queue of numbered events per device before the model of the platform. */
class MiniatureGateway {
    readonly clock = new FakeClock();
    readonly platform: PlatformModel;
    readonly registration: Registration;
    readonly settled = new Map<string, number[]>();
    readonly told = new Set<string>();
    readonly #queues = new Map<string, number[]>();
    readonly #inFlight = new Map<string, number[]>();
    reconnects = 0;

    constructor(setting: Setting, fate: (device: string) => Fate) {
        const listener: RegistrationListener = {
            wake: (device) => this.#pump(device),
            confirm: (device) => this.#settle(device),
            requeue: (device) => this.#putBack(device),
            drop: () => assert.fail("nothing is final here"),
            recall: () => assert.fail("nothing is forgotten here"),
            reconnectWanted: () => this.clock.setTimer(1, () => this.reconnect()),
            stateChanged: () => {},
            unexplainedDrop: () => {},
        };
        const backoffMs = 600_000;
        this.platform = new PlatformModel(this.clock, { ...setting, backoffMs }, fate);
        this.registration = new Registration({
            clock: this.clock,
            listener,
            gatewayDevice: "gateway/g1",
            registrationLimit: setting.registrationLimit,
            registrationBackoffMs: backoffMs,
        });
        this.platform.connect();
        this.registration.connectionStarted();
    }

    publish(device: string, event: number): void {
        const queue = this.#queues.get(device);
        if (queue) queue.push(event);
        else this.#queues.set(device, [event]);
        this.#pump(device);
    }

    reconnect(): void {
        this.reconnects++;
        this.registration.connectionEnded();
        for (const device of this.#inFlight.keys()) this.#putBack(device);
        this.platform.connect();
        this.registration.connectionStarted();
        for (const device of this.#queues.keys()) this.#pump(device);
    }

    #pump(device: string): void {
        const queue = this.#queues.get(device) ?? [];
        while (queue.length > 0) {
            const answer = this.registration.ask(device);
            if (answer === "wait") return;
            const event = queue.shift() ?? 0;
            this.#inFlight.set(device, [...(this.#inFlight.get(device) ?? []), event]);
            if (answer === "register") this.registration.attemptSent(device);
            this.platform.publish(device, event, {
                acknowledged: (of, which) => this.#acknowledged(of, which),
                notified: (of, rc) => {
                    this.told.add(of);
                    this.registration.refused(of, { rc, request: "publish", text: "", registration: true });
                },
                strayPing: () => this.registration.strayPing(),
            });
        }
    }

    #acknowledged(device: string, event: number): void {
        if (this.registration.stateOf(device).phase === "known") this.#settle(device, event);
        else this.registration.attemptAcknowledged(device);
    }

    #settle(device: string, event?: number): void {
        const inFlight = this.#inFlight.get(device) ?? [];
        const done = event === undefined ? inFlight : [event];
        this.settled.set(device, [...(this.settled.get(device) ?? []), ...done]);
        this.#inFlight.set(
            device,
            inFlight.filter((each) => !done.includes(each)),
        );
    }

    #putBack(device: string): void {
        this.#queues.set(device, [...(this.#inFlight.get(device) ?? []), ...(this.#queues.get(device) ?? [])]);
        this.#inFlight.set(device, []);
    }
}

function withoutRepeats(events: readonly number[]): number[] {
    return [...new Set(events)];
}

const hour = 3_600_000;

describe("registration against a model of the platform", () => {
    it("loses nothing and keeps the order of each device, whatever fails, hangs or is in another gateway's back-off", () => {
        const fates = fc.array(fc.constantFrom<Fate>("accepted", "accepted", "accepted", "fails", "hangs"), {
            minLength: 1,
            maxLength: 40,
        });
        const setting = fc.record({
            registrationLimit: fc.integer({ min: 1, max: 8 }),
            pending: fc.constant(10),
            newDevices: fc.integer({ min: 3, max: 30 }),
            registrationMs: fc.constantFrom(1, 50, 200, 4000),
        });
        const events = fc.array(fc.tuple(fc.nat(60), fc.nat(39)), { maxLength: 120 });
        const foreign = fc.array(fc.nat(39), { maxLength: 5 });
        fc.assert(
            fc.property(fates, setting, events, foreign, (fateOf, limits, schedule, foreignFailures) => {
                const name = (index: number) => `t/d${index % fateOf.length}`;
                const fate = (device: string) => fateOf[Number(device.slice(3))] ?? "accepted";
                const gateway = new MiniatureGateway(limits, fate);
                for (const index of foreignFailures) gateway.platform.fail(name(index));
                const sent = new Map<string, number[]>();
                schedule.forEach(([delayMs, index], event) => {
                    gateway.clock.advance(delayMs);
                    sent.set(name(index), [...(sent.get(name(index)) ?? []), event]);
                    gateway.publish(name(index), event);
                });
                gateway.clock.advance(30 * hour);
                for (const [device, numbers] of sent) {
                    const delivered = withoutRepeats(gateway.platform.delivered.get(device) ?? []);
                    const settled = gateway.settled.get(device) ?? [];
                    if (fate(device) === "accepted") {
                        assert.deepEqual(delivered, numbers, `${device} is delivered in order`);
                        assert.deepEqual(settled, numbers, `${device} is settled in order, once each`);
                    } else {
                        assert.deepEqual(settled, [], `${device} is never reported delivered`);
                        if (fate(device) === "fails") assert.ok(gateway.told.has(device), `${device}'s failure is told`);
                    }
                }
                assert.ok(gateway.platform.mostPending <= limits.registrationLimit);
            }),
            { numRuns: 300 },
        );
    });

    it("registers 10 000 devices at once with no RC 173 except at the limit, and reports every failure", () => {
        const limits = { registrationLimit: 8, pending: 10, newDevices: 500, registrationMs: 200 };
        const fate = (device: string): Fate => {
            const number = Number(device.slice(3));
            return [11, 5000, 9999].includes(number) ? "hangs" : number % 50 === 7 ? "fails" : "accepted";
        };
        const gateway = new MiniatureGateway(limits, fate);
        const all = Array.from({ length: 10_000 }, (_, index) => `t/d${index}`);
        for (const device of all) gateway.publish(device, 1);
        gateway.clock.advance(hour);
        const failing = all.filter((device) => fate(device) === "fails");
        assert.deepEqual(
            all.filter((device) => (gateway.platform.delivered.get(device) ?? []).length > 0),
            all.filter((device) => fate(device) === "accepted"),
        );
        assert.ok(failing.every((device) => gateway.told.has(device)));
        const tooMany = gateway.platform.refusals.filter((queue) => queue.endsWith("173"));
        // Only those sent on the first connection until its first notification came: the limit is known from then on.
        assert.ok(tooMany.length <= 3 * limits.registrationLimit, `${tooMany.length} times RC 173`);
        assert.ok(gateway.platform.mostPending <= 8);
    });
});
