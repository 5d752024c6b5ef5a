import { MiniatureGateway } from "../test/unit/devices/miniature-gateway";
import { type Section, table } from "./support/report";

const deviceCounts = [100, 1000, 3000, 10_000];
const roundTripsMs = [1, 20, 100, 300];
/** The registry answers within 20 ms, not always in the same time. */
const registrationMs = (device: string) => 1 + (Number(device.slice(3)) % 19);

/**
 * How long known devices take after a reconnect until each has an acknowledgement: against a model of the platform, in virtual
 * time, so that neither the machine nor its load plays a part.
 */
export async function measureRecovery(): Promise<Section> {
    const rows = deviceCounts.map((count) => [
        String(count),
        ...roundTripsMs.flatMap((roundTripMs) => [false, true].map((isCold) => recoveryTime(count, roundTripMs, isCold))),
    ]);
    const headings = ["devices", ...roundTripsMs.flatMap((roundTripMs) => [`${roundTripMs} ms, warm`, "cold"])];
    return { name: "recovery", document: "registration.md", text: table(headings, rows) };
}

function recoveryTime(count: number, roundTripMs: number, isCold: boolean): string {
    const gateway = new MiniatureGateway({ registrationLimit: 8, pending: 10, newDevices: 500, roundTripMs, registrationMs });
    const devices = Array.from({ length: count }, (_, index) => `t/d${index}`);
    for (const device of devices) gateway.publish(device, 1);
    const connections = Math.ceil(count / 499);
    gateway.clock.advance((connections + 1) * 61_000 + count * roundTripMs);
    gateway.forgetTimes();
    const beginMs = gateway.clock.monotonicMs();
    if (isCold) gateway.restartPlatform();
    else gateway.reconnect();
    for (const device of devices) gateway.publish(device, 2);
    gateway.clock.advance((connections + 1) * 61_000 + count * roundTripMs);
    const lastMs = Math.max(...devices.map((device) => gateway.firstAcknowledgedMs.get(device) ?? Number.POSITIVE_INFINITY));
    const seconds = (lastMs - beginMs) / 1000;
    return seconds < 120 ? `${seconds.toFixed(1)} s` : `${(seconds / 60).toFixed(1)} min`;
}
