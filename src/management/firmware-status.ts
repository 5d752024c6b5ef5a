import { GatewayError } from "../errors";
import { translate } from "../i18n";

/** The field of the device management protocol that holds everything about a device's firmware. */
export const firmwareField = "mgmt.firmware";

/** The two numbers the platform knows of a firmware: state 0 idle, 1 downloading, 2 downloaded; status 0 success, 1 in progress, 2…6 errors. */
export interface FirmwareStatus {
    readonly state: 0 | 1 | 2;
    readonly updateStatus: number;
}

/** What changed of a firmware status in one step. */
export type FirmwareChange = Partial<FirmwareStatus>;

/** The steps a flow reports. */
export type FirmwareStep = "downloading" | "downloaded" | "updating" | "updated" | "failed";

const inProgress = 1;
const connectionLost = 3;
const unsupportedImage = 5;
const reasonCodes: ReadonlyMap<unknown, number> = new Map([
    ["memory", 2],
    ["connection", connectionLost],
    ["verification", 4],
    ["image", unsupportedImage],
    ["uri", 6],
]);

/** The status of a device of which nothing is known. */
export const idle: FirmwareStatus = { state: 0, updateStatus: 0 };

/** What the device is doing, in words. */
export function describeStatus({ state, updateStatus }: FirmwareStatus): string {
    if (state === 0) return "idle";
    if (state === 1) return "downloading";
    return updateStatus === inProgress ? "updating" : "downloaded";
}

/** Whether a flow's value names a step. */
export function isFirmwareStep(value: unknown): value is FirmwareStep {
    return typeof value === "string" && steps.includes(value);
}

const steps: readonly string[] = ["downloading", "downloaded", "updating", "updated", "failed"];

/**
 * The status after a step: idle → downloading → downloaded → updating → idle. A failure leads back to idle, so that the
 * platform can start again. Repeating the current step changes nothing.
 * @param reason why it failed: memory, connection, verification, image or uri; absent = a lost connection while downloading,
 * an unsupported image later
 * @throws GW_DM_INVALID when the step does not follow from the status
 */
export function nextStatus(current: FirmwareStatus, step: FirmwareStep, reason: unknown): FirmwareStatus {
    const now = describeStatus(current);
    if (step === now) return current;
    if (step === "failed") {
        if (now === "idle") throw outOfOrder(translate("firmware.nothingToFail", { step }));
        return { state: 0, updateStatus: reasonCode(reason, now) };
    }
    const { from, to } = transitions[step];
    if (now !== from) throw outOfOrder(translate("firmware.outOfOrder", { step, status: now, needed: from }));
    return to;
}

/** The numbers that differ between two statuses; undefined when none does. */
export function changeBetween(before: FirmwareStatus, after: FirmwareStatus): FirmwareChange | undefined {
    const change: FirmwareChange = {
        ...(before.state !== after.state && { state: after.state }),
        ...(before.updateStatus !== after.updateStatus && { updateStatus: after.updateStatus }),
    };
    return Object.keys(change).length > 0 ? change : undefined;
}

const transitions: Readonly<Record<Exclude<FirmwareStep, "failed">, { from: string; to: FirmwareStatus }>> = {
    downloading: { from: "idle", to: { state: 1, updateStatus: 0 } },
    downloaded: { from: "downloading", to: { state: 2, updateStatus: 0 } },
    updating: { from: "downloaded", to: { state: 2, updateStatus: inProgress } },
    updated: { from: "updating", to: idle },
};

function reasonCode(reason: unknown, now: string): number {
    if (reason === undefined || reason === null || reason === "") return now === "downloading" ? connectionLost : unsupportedImage;
    const code = reasonCodes.get(reason);
    if (code !== undefined) return code;
    throw new GatewayError("GW_DM_INVALID", translate("firmware.reason"));
}

function outOfOrder(text: string): GatewayError {
    return new GatewayError("GW_DM_INVALID", text);
}
