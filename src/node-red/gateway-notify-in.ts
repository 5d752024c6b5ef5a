import type { ReceivedNotification } from "../gateway/events/refusal-handler";
import { choiceOption, type PropertyRules } from "../settings";
import type { StoredDefinition } from "./api";
import type { WiotpNotificationMessage } from "./flow-messages";

/** The properties of a `gateway-notify-in` node, checked. */
export interface NotificationSettings {
    /** Which requests the notifications must be about. */
    readonly request: (typeof notificationRules.request.choices)[number];
}

/** The rules of the properties of a `gateway-notify-in` node. */
export const notificationRules = {
    request: { choices: ["any", "publish", "subscribe", "unsubscribe"], fallback: "any" },
} as const satisfies PropertyRules;

/**
 * Reads the properties of a `gateway-notify-in` node.
 * @throws GW_CONFIG
 */
export function parseNotificationSettings(definition: StoredDefinition): NotificationSettings {
    return { request: choiceOption(definition, "request", notificationRules.request) };
}

/** A notification as the message a flow gets, or undefined when the node does not want it. Each call makes a message of its own. */
export function notificationMessage(
    { topic, notification, event }: ReceivedNotification,
    { request }: NotificationSettings,
): WiotpNotificationMessage | undefined {
    const { malformed, fields, raw } = notification;
    if (request !== "any" && fields.request !== request) return undefined;
    const message: WiotpNotificationMessage = { topic, payload: { ...fields }, raw: structuredClone(raw) };
    if (malformed) message.malformed = true;
    if (event) message.event = structuredClone(event);
    return message;
}
