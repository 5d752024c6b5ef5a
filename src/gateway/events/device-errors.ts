import type { Hold } from "../../devices/registration/registration-types";
import { GatewayError } from "../../errors";
import { joinSentences, translate } from "../../i18n";

/** An event of QoS 0 for a device that cannot be contacted now. */
export function notRegisteredError(device: string): GatewayError {
    return new GatewayError("GW_DEVICE_HELD", translate("gateway.notContacted", { device }));
}

/** An event of QoS 0 that was a registration attempt without a clear outcome. */
export function unconfirmedError(device: string): GatewayError {
    return new GatewayError("GW_DEVICE_HELD", translate("gateway.unconfirmed", { device }));
}

/** An event of QoS 0 that gave way to a newer one of its device, or waited too long, while the device was being checked. */
export function beingCheckedError(device: string): GatewayError {
    return new GatewayError("GW_DEVICE_HELD", translate("gateway.beingChecked", { device }));
}

/** An event of QoS 0 on a topic at which the server closes the connection. */
export function closingTopicError(device: string, topic: string): GatewayError {
    return new GatewayError("GW_DEVICE_HELD", translate("gateway.closingTopic", { device, topic }));
}

/** The platform does not answer the registration of a device. */
export function unansweredError(device: string): GatewayError {
    return new GatewayError("GW_STALLED", translate("gateway.unanswered", { device }));
}

/** An event for a held device where the outbox is off. */
export function deviceHeldError(device: string, hold: Hold): GatewayError {
    const advice = translate("gateway.heldUntil", { time: new Date(hold.until).toISOString() });
    return new GatewayError("GW_DEVICE_HELD", joinSentences([notTaken(device, hold), advice]));
}

function notTaken(device: string, { rc, text }: Hold): string {
    if (rc === undefined) return translate("gateway.notTaken", { device });
    if (!text) return translate("gateway.notTakenCode", { device, rc });
    const reason = text.trim().replace(/\.$/, "");
    return translate("gateway.notTakenReason", { device, rc, reason });
}
