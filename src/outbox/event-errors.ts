import { GatewayError } from "../errors";
import { translate } from "../i18n";
import type { OutboxEvent } from "./event";

type NamedEvent = Pick<OutboxEvent, "device" | "message">;

/** The event outlived its time. */
export function expiredError({ message, device }: NamedEvent, ageMs: number): GatewayError {
    const seconds = Math.max(Math.round(ageMs / 1000), 0);
    return GatewayError.ofEvent("GW_EXPIRED", translate("outbox.expired", { eventId: message.eventId, device, seconds }));
}

/** An operator gave the event up. */
export function purgedError({ message, device }: NamedEvent): GatewayError {
    return new GatewayError("GW_EXPIRED", translate("outbox.purged", { eventId: message.eventId, device }));
}

/** The event gave way to a newer one. */
export function droppedError({ message, device }: NamedEvent): GatewayError {
    return GatewayError.ofEvent("GW_OUTBOX_FULL", translate("outbox.dropped", { eventId: message.eventId, device }));
}

/** The outbox stopped before the event could be sent, and nothing keeps it. */
export function abandonedError({ message, device }: NamedEvent): GatewayError {
    return new GatewayError("GW_NOT_CONNECTED", translate("outbox.abandoned", { eventId: message.eventId, device }));
}

/** The event was only in a store that has lost what it held. */
export function lostError(): GatewayError {
    return new GatewayError("GW_STORE", translate("outbox.lost"));
}
