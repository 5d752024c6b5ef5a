import assert from "node:assert/strict";
import { isRecord } from "../../../src/protocol/json";
import { call } from "../../simulator/support/http";
import type { TestResponder } from "../doubles/management-bench";
import type { ManagedPlatform } from "./managed-platform";

const api = "/api/v0002/mgmt/requests";

/** Asks through the platform's HTTP API, and waits until the request is complete; returns the devices by their outcome. */
export async function askPlatform(
    platform: ManagedPlatform,
    action: string,
    devices: readonly string[],
    parameters: object = {},
): Promise<Map<string, string[]>> {
    const body = {
        action,
        parameters: Object.entries(parameters).map(([name, value]) => ({ name, value })),
        devices: devices.map((device) => ({ typeId: device.split("/")[0], deviceId: device.split("/")[1] })),
    };
    const { httpPort } = platform.simulator;
    const started = await call(httpPort, "POST", api, body);
    assert.ok(started.status === 202 && isRecord(started.body));
    const reqId = String(started.body.reqId);
    await platform.simulator.organisation("org").management.requests.whenComplete(reqId);
    const { body: complete } = await call(httpPort, "GET", `${api}/${reqId}`);
    assert.ok(isRecord(complete) && complete.complete === true && Array.isArray(complete.devices));
    const outcomes = new Map<string, string[]>();
    for (const { status, typeId, deviceId } of complete.devices) {
        outcomes.set(status, [...(outcomes.get(status) ?? []), `${typeId}/${deviceId}`]);
    }
    return outcomes;
}

/** A flow that does the work of each request the moment it arrives. */
export function workingFlow(responder: TestResponder, failing: ReadonlySet<string> = new Set()): () => void {
    let handled = 0;
    const report = (dm: object, step: string, reason?: string) => responder.input({ dm: { ...dm, action: "firmware", step, reason } });
    const timer = setInterval(() => {
        for (; handled < responder.requests.length; handled++) {
            const request = responder.requests[handled];
            if (!request) continue;
            const { dm, payload } = request;
            responder.input({ dm, payload });
            if (dm.action === "device/reboot") responder.input({ dm: { ...dm, action: "manage" } });
            if (dm.action === "firmware/download") {
                report(dm, "downloading");
                if (failing.has(`${dm.typeId}/${dm.deviceId}`)) report(dm, "failed", "verification");
                else report(dm, "downloaded");
            } else if (dm.action === "firmware/update") {
                report(dm, "updating");
                report(dm, "updated");
            }
        }
    }, 5);
    return () => clearInterval(timer);
}
