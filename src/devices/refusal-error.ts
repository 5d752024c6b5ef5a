import { GatewayError } from "../errors";
import type { NotificationFields } from "../protocol/notification";
import type { RefusalVerdict } from "./registration-types";

/**
 * The error that a refusal is for its sender: what the platform said, of which device, and what happens next.
 * @param device the key of the device, where it is known
 * @param candidateCount how many events it may have been
 */
export function refusalError(
    fields: NotificationFields,
    device: string | undefined,
    verdict: RefusalVerdict,
    candidateCount = 1,
): GatewayError {
    const { rc, message, topic } = fields;
    const what = device === undefined ? (topic ?? "something") : `${topic ?? "something"} of device ${device}`;
    const code = rc === undefined ? "" : ` (RC ${rc})`;
    const words = message === undefined ? "" : `: ${message.trim().replace(/\.$/, "")}`;
    const until = verdict.heldUntil === undefined ? "" : ` The device is held until ${new Date(verdict.heldUntil).toISOString()}.`;
    const next = verdict.willRetry ? " It is kept and will be sent again." : " It will not be sent again.";
    const guess =
        candidateCount > 1
            ? ` It may have been any of ${candidateCount} events sent to this topic lately; the oldest is taken for it.`
            : "";
    const advice = rc === 180 ? " Check that the gateway may act for this device: its role and resource group." : "";
    return new GatewayError("GW_REFUSED", `The platform refused ${what}${code}${words}.${until}${next}${guess}${advice}`, {
        ...(rc !== undefined && { rc }),
        willRetry: verdict.willRetry,
    });
}
