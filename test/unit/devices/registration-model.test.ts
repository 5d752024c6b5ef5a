import assert from "node:assert/strict";
import fc from "fast-check";
import { MiniatureGateway } from "./miniature-gateway";
import type { Fate } from "./platform-model";

const hour = 3_600_000;

function withoutRepeats(events: readonly number[]): number[] {
    return [...new Set(events)];
}

type Step =
    | { readonly what: "publish"; readonly index: number }
    | { readonly what: "otherGatewayFails"; readonly index: number }
    | { readonly what: "lineIsCut" }
    | { readonly what: "frontEndRestarts" };

const publish = fc.record({ what: fc.constant("publish" as const), index: fc.nat(39) });
const rare = fc.oneof(
    fc.record({ what: fc.constant("otherGatewayFails" as const), index: fc.nat(39) }),
    fc.constant<Step>({ what: "lineIsCut" }),
    fc.constant<Step>({ what: "frontEndRestarts" }),
);
const steps = fc.array(
    fc.tuple(fc.nat(60), fc.oneof<fc.WeightedArbitrary<Step>[]>({ weight: 9, arbitrary: publish }, { weight: 1, arbitrary: rare })),
    {
        maxLength: 150,
    },
);

describe("registration against a model of the platform", () => {
    it("loses nothing and keeps the order of each device, whatever fails, hangs, restarts, is cut off or in another gateway's back-off", () => {
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
        fc.assert(
            fc.property(fates, setting, steps, (fateOf, limits, schedule) => {
                const name = (index: number) => `t/d${index % fateOf.length}`;
                const fate = (device: string) => fateOf[Number(device.slice(3))] ?? "accepted";
                const gateway = new MiniatureGateway(limits, fate);
                const sent = new Map<string, number[]>();
                schedule.forEach(([delayMs, step], event) => {
                    gateway.clock.advance(delayMs);
                    if (step.what === "publish") {
                        const device = name(step.index);
                        sent.set(device, [...(sent.get(device) ?? []), event]);
                        gateway.publish(device, event);
                    } else if (step.what === "otherGatewayFails") gateway.platform.failElsewhere(name(step.index));
                    else if (step.what === "lineIsCut") gateway.reconnect();
                    else gateway.restartPlatform();
                });
                gateway.clock.advance(40 * hour);
                for (const [device, numbers] of sent) {
                    const delivered = withoutRepeats(gateway.platform.delivered.get(device) ?? []);
                    const settled = gateway.settled.get(device) ?? [];
                    if (fate(device) === "accepted") {
                        assert.deepEqual(delivered, numbers, `${device} is delivered in order`);
                        assert.deepEqual(settled, numbers, `${device} is settled in order, once each`);
                    } else {
                        assert.deepEqual(settled, [], `${device} is never reported delivered`);
                        if (fate(device) === "fails") assert.ok(gateway.failed.has(device), `${device}'s failure is reported`);
                    }
                }
                assert.ok(gateway.platform.mostPending <= limits.registrationLimit);
            }),
            { numRuns: 500 },
        );
    });

    it("registers 10 000 devices at once without RC 173, and reports every failure", () => {
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
        assert.ok(failing.every((device) => gateway.failed.has(device)));
        assert.deepEqual(
            gateway.platform.refusals.filter((line) => line.endsWith("173")),
            [],
        );
        assert.ok(gateway.platform.mostPending <= 8);
    });
});
