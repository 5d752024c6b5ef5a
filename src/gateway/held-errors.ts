import type { Hold } from "../devices/registration-types";
import { GatewayError } from "../errors";

/** An event of QoS 0 for a device that cannot be contacted now. */
export function notContactedError(device: string): GatewayError {
    return new GatewayError(
        "GW_DEVICE_HELD",
        `The event of ${device} was not sent: the platform does not know the device yet, its registration cannot be tried now or has failed, and an event of QoS 0 is never queued. Use QoS 1 to have it kept.`,
    );
}

/** An event of QoS 0 that was a first contact without a clear outcome. */
export function unconfirmedError(device: string): GatewayError {
    return new GatewayError(
        "GW_DEVICE_HELD",
        `The event of ${device} was its first, and the platform may have dropped it without a word. An event of QoS 0 is never sent again. Use QoS 1 to have it kept.`,
    );
}

/** An event for a held device where the outbox is off. */
export function heldError(device: string, { until, rc, text }: Hold): GatewayError {
    const why = rc === undefined ? "" : `: RC ${rc}${text ? `, ${text.trim().replace(/\.$/, "")}` : ""}`;
    return new GatewayError(
        "GW_DEVICE_HELD",
        `The event of ${device} was not taken: the platform failed to register the device${why}. It is held until ${new Date(until).toISOString()}, and the outbox is off. Turn the outbox on to have events kept, or send again later.`,
    );
}
