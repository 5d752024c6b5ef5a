import { type Latencies, type NewDevicesPlan, runNewDevices } from "../test/support/drivers/new-devices";
import { type Extent, type Section, table } from "./support/report";

const full: NewDevicesPlan = {
    devices: 10_000,
    backoffS: 600,
    hanging: [11, 5000, 9999],
    failEvery: 50,
    knownDevices: 20,
    beforeMs: 20_000,
    timeoutMs: 45 * 60_000,
};

/** What becomes of ten thousand devices that the platform has never seen, and of those it knows meanwhile. Takes half an hour. */
export async function measureNewDevices({ quick }: Extent): Promise<Section> {
    const plan = quick ? { ...full, devices: 600, backoffS: 5, hanging: [11, 100, 500], beforeMs: 5_000 } : full;
    const result = await runNewDevices(plan);
    const rows = [
        ["new devices to be accepted", String(result.accepted)],
        ["– of them lost", String(result.lost)],
        ["– of them delivered more than once", String(result.repeated)],
        ["devices the platform fails to register (RC 177)", String(result.failing)],
        ["– of them reported as `GW_REFUSED` on the sending node", String(result.failuresReported)],
        ["devices whose registration is never answered", String(plan.hanging.length)],
        ["refusals because of the connection's limit (RC 173)", String(result.tooMany)],
        ["– of them to be accepted, and delivered after their hold", `${result.tooManyDelivered} of ${result.tooManyAccepted}`],
        ["connections", String(result.connections)],
        ["minutes until all but those were registered", result.minutesWithoutRefused.toFixed(1)],
        ["minutes until all were registered", result.minutes.toFixed(1)],
        ["known devices, before: acknowledged after (median, 99 %, longest)", latency(result.before)],
        ["known devices, meanwhile", latency(result.during)],
    ];
    return { name: "new-devices", document: "registration.md", text: table([`${plan.devices} new devices at once`, ""], rows) };
}

function latency({ p50Ms, p99Ms, maxMs, events }: Latencies): string {
    return `${p50Ms.toFixed(1)} ms, ${p99Ms.toFixed(1)} ms, ${maxMs.toFixed(0)} ms (${events} events)`;
}
