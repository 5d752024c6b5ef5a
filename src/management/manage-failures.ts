import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { type DeviceAddress, deviceKey } from "../protocol/identity";
import type { ManagementAnswer } from "../protocol/management";

/** Tells why devices are not managed, no more often than it is news. */
export class ManageFailures {
    readonly #report: (device: DeviceAddress, error: GatewayError) => void;
    #hasReportedSilence = false;
    #hasReportedTooMany = false;

    constructor(report: (device: DeviceAddress, error: GatewayError) => void) {
        this.#report = report;
    }

    /** A new connection: if nobody answers on it either, that is told again. */
    listening(): void {
        this.#hasReportedSilence = false;
    }

    /** The platform does not want to manage the device. */
    rejected(device: DeviceAddress, answer: ManagementAnswer): void {
        const { rc } = answer;
        this.#report(device, new GatewayError("GW_DM_REJECTED", rejectedText(deviceKey(device), answer), { rc, willRetry: false }));
    }

    /** The platform does not manage the device now. */
    notAccepted(device: DeviceAddress, answer: ManagementAnswer): void {
        const { rc } = answer;
        this.#report(device, new GatewayError("GW_DM_REJECTED", notAcceptedText(deviceKey(device), answer), { rc, willRetry: true }));
    }

    /** The request had no answer. A held device is told where it was refused, and silence once, as usually nobody answers at all. */
    unanswered(device: DeviceAddress, error: GatewayError): void {
        if (error.code === "GW_DEVICE_HELD") return;
        if (error.code === "GW_DM_TIMEOUT") {
            if (this.#hasReportedSilence) return;
            this.#hasReportedSilence = true;
        }
        this.#report(device, error);
    }

    /** No more devices can be kept managed; told once. */
    tooMany(device: DeviceAddress, maxDevices: number): void {
        if (this.#hasReportedTooMany) return;
        this.#hasReportedTooMany = true;
        const text = translate("management.tooManyDevices", { device: deviceKey(device), count: maxDevices });
        this.#report(device, new GatewayError("GW_DM_INVALID", text));
    }
}

function rejectedText(device: string, { rc, message }: ManagementAnswer): string {
    if (!message) return translate("management.rejected", { device, rc });
    return translate("management.rejectedReason", { device, rc, reason: message });
}

function notAcceptedText(device: string, { rc, message }: ManagementAnswer): string {
    if (!message) return translate("management.notAccepted", { device, rc });
    return translate("management.notAcceptedReason", { device, rc, reason: message });
}
