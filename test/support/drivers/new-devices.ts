import type { SimulatorOptions } from "../../../src/simulator/simulator";
import { waitFor } from "../wait-for";
import { GatewayBench } from "./gateway-bench";

/** Many devices that the platform has never seen, all at once, and some that it knows. */
export interface NewDevicesPlan {
    readonly devices: number;
    /** The platform's back-off and the gateway's hold, which is a tenth longer. */
    readonly backoffS: number;
    /** Devices the platform never answers. */
    readonly hanging: readonly number[];
    /** Every how many devices one fails. */
    readonly failEvery: number;
    readonly knownDevices: number;
    /** How long the known devices publish alone, for comparison. */
    readonly beforeMs: number;
    readonly timeoutMs: number;
}

/** The times from publishing to the acknowledgement. */
export interface Latencies {
    readonly events: number;
    readonly p50Ms: number;
    readonly p99Ms: number;
    readonly maxMs: number;
}

/** What became of the devices. */
export interface NewDevicesResult {
    readonly accepted: number;
    /** Devices whose event did not arrive although it was to be accepted. */
    readonly lost: number;
    /** Events that arrived more than once. */
    readonly repeated: number;
    readonly failing: number;
    /** Failing devices whose failure was raised on the sending node. */
    readonly failuresReported: number;
    /** Notifications that too many devices are active; how many of those devices were to be accepted, and delivered later. */
    readonly tooMany: number;
    readonly tooManyAccepted: number;
    readonly tooManyDelivered: number;
    readonly connections: number;
    readonly minutes: number;
    /** Until all but the devices refused because of the limit were registered. */
    readonly minutesWithoutRefused: number;
    readonly before: Latencies;
    readonly during: Latencies;
}

/** The platform's limits as they were captured: 10 registrations pending, 500 new devices per connection, 200 ms for each. */
function platform({ hanging, failEvery, backoffS }: NewDevicesPlan): SimulatorOptions {
    const rules = hanging.map((index) => ({ devices: `t/n${index}`, never: true }));
    return {
        registration: {
            delayMs: 200,
            maxPending: 10,
            maxPerConnection: 500,
            backoffMs: backoffS * 1000,
            rules: [...rules, ...(failEvery > 0 ? [{ devices: "t/f*", rc: 177 }] : [])],
        },
    };
}

/** Runs the plan to its end: every device that is to be accepted is, or the time is over. */
export async function runNewDevices(plan: NewDevicesPlan): Promise<NewDevicesResult> {
    const bench = await GatewayBench.start(platform(plan));
    try {
        const gateway = await bench.gateway({ registrationBackoff: String(plan.backoffS), maxInFlight: "100" });
        const known = Array.from({ length: plan.knownDevices }, (_, index) => `known${index}`);
        for (const message of known.map((device) => gateway.publish(device, 0))) await gateway.outcome(message);

        let latencies: number[] = [];
        let turn = 0;
        const timer = setInterval(() => {
            const startedMs = performance.now();
            const device = known[turn % known.length] ?? "";
            gateway.publish(device, ++turn, { settled: () => latencies.push(performance.now() - startedMs) });
        }, 10);
        await new Promise((resolve) => setTimeout(resolve, plan.beforeMs));
        const before = summary(latencies);
        latencies = [];

        const names = Array.from({ length: plan.devices }, (_, index) =>
            plan.failEvery > 0 && index % plan.failEvery === 7 ? `f${index}` : `n${index}`,
        );
        const isHanging = new Set(plan.hanging.map((index) => `n${index}`));
        const accepted = names.filter((name) => name.startsWith("n") && !isHanging.has(name));
        const failing = names.filter((name) => name.startsWith("f"));
        const done = new Set<string>();
        const beganMs = performance.now();
        for (const name of names) gateway.publish(name, 1, { settled: (outcome) => outcome === "done" && done.add(name) });
        const refusedByLimit = () => gateway.late.filter(({ error }) => error.rc === 173).map(({ message }) => message.deviceId);
        const minutes = () => (performance.now() - beganMs) / 60_000;
        const settle = (wanted: () => readonly string[], what: string) =>
            waitFor(() => wanted().every((name) => done.has(name)), what, plan.timeoutMs).catch(() => undefined);

        await settle(() => {
            const limited = new Set(refusedByLimit());
            return accepted.filter((name) => !limited.has(name));
        }, "the devices");
        const minutesWithoutRefused = minutes();
        await settle(() => accepted, "the devices refused by the limit");
        clearInterval(timer);
        const refused = refusedByLimit();
        const reported = new Set(gateway.late.filter(({ error }) => error.rc === 177).map(({ message }) => message.deviceId));
        return {
            accepted: accepted.length,
            lost: accepted.filter((name) => !bench.delivered.has(name) || !done.has(name)).length,
            repeated: names.filter((name) => (bench.delivered.get(name)?.length ?? 0) > 1).length,
            failing: failing.length,
            failuresReported: failing.filter((name) => reported.has(name)).length,
            tooMany: refused.length,
            tooManyAccepted: refused.filter((name) => accepted.includes(name)).length,
            tooManyDelivered: refused.filter((name) => done.has(name)).length,
            connections: bench.simulator.observed.counts("g:org:gw:gw1").connect ?? 0,
            minutes: minutes(),
            minutesWithoutRefused,
            before,
            during: summary(latencies),
        };
    } finally {
        await bench.close();
    }
}

function summary(latencies: readonly number[]): Latencies {
    const sorted = [...latencies].sort((one, other) => one - other);
    const at = (share: number) => sorted[Math.min(Math.floor(sorted.length * share), sorted.length - 1)] ?? Number.NaN;
    return { events: sorted.length, p50Ms: at(0.5), p99Ms: at(0.99), maxMs: at(1) };
}
