import { GatewayError } from "../errors";
import { say } from "../i18n";
import { type DeviceAddress, deviceKey } from "../protocol/identity";
import type { ManagementAnswer } from "../protocol/management";

/** Tells why devices are not managed, no more often than it is news. */
export class ManageFailures {
    readonly #tell: (device: DeviceAddress, error: GatewayError) => void;
    #hasToldSilence = false;
    #hasToldTooMany = false;

    constructor(tell: (device: DeviceAddress, error: GatewayError) => void) {
        this.#tell = tell;
    }

    /** A new connection: if nobody answers on it either, that is told again. */
    listening(): void {
        this.#hasToldSilence = false;
    }

    /** The platform does not want to manage the device. */
    rejected(device: DeviceAddress, answer: ManagementAnswer): void {
        const { rc } = answer;
        this.#tell(device, new GatewayError("GW_DM_REJECTED", rejectedText(deviceKey(device), answer), { rc, willRetry: false }));
    }

    /** The platform does not manage the device now. */
    notAccepted(device: DeviceAddress, answer: ManagementAnswer): void {
        const { rc } = answer;
        this.#tell(device, new GatewayError("GW_DM_REJECTED", notAcceptedText(deviceKey(device), answer), { rc, willRetry: true }));
    }

    /** The request had no answer. A held device is told where it was refused, and silence once, as usually nobody answers at all. */
    unanswered(device: DeviceAddress, error: GatewayError): void {
        if (error.code === "GW_DEVICE_HELD") return;
        if (error.code === "GW_DM_TIMEOUT") {
            if (this.#hasToldSilence) return;
            this.#hasToldSilence = true;
        }
        this.#tell(device, error);
    }

    /** No more devices can be kept managed; told once. */
    tooMany(device: DeviceAddress, maxDevices: number): void {
        if (this.#hasToldTooMany) return;
        this.#hasToldTooMany = true;
        const text = say("management.tooManyDevices", { device: deviceKey(device), count: maxDevices });
        this.#tell(device, new GatewayError("GW_DM_INVALID", text));
    }
}

function rejectedText(device: string, { rc, message }: ManagementAnswer): string {
    if (!message) return say("management.rejected", { device, rc });
    return say("management.rejectedReason", { device, rc, reason: message });
}

function notAcceptedText(device: string, { rc, message }: ManagementAnswer): string {
    if (!message) return say("management.notAccepted", { device, rc });
    return say("management.notAcceptedReason", { device, rc, reason: message });
}
