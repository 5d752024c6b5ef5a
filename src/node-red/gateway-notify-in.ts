import { GatewayError } from "../errors";
import type { ReceivedNotification } from "../gateway/events/refusal-handler";
import type { HealthReport } from "../gateway/monitor/gateway-health";
import type { SilenceChange, SilenceOptions } from "../gateway/monitor/silent-devices";
import { translate } from "../i18n";
import { type IdParser, platformIds } from "../protocol/id-parser";
import { choiceOption, numberOption, type PropertyRules, textOption } from "../settings";
import type { StoredDefinition } from "./api";
import type { WiotpDeviceHealthMessage, WiotpGatewayHealthMessage, WiotpNotificationMessage } from "./flow-messages";

/** The rules of the properties of a `gateway-notify-in` node. */
export const notificationRules = {
    about: { choices: ["refusals", "gateway", "devices"], fallback: "refusals" },
    request: { choices: ["any", "publish", "subscribe", "unsubscribe"], fallback: "any" },
    // Blank: on changes only. A day at most.
    interval: { min: 1, max: 86_400 },
    // Needed for devices. A year at most.
    silentAfter: { min: 1, max: 31_536_000 },
} as const satisfies PropertyRules;

/**
 * Reads the properties of a `gateway-notify-in` node.
 * @throws GW_CONFIG or GW_INVALID_ID
 */
export function parseNotificationSettings(definition: StoredDefinition, ids: IdParser = platformIds): NotificationSettings {
    const about = choiceOption(definition, "about", notificationRules.about);
    switch (about) {
        case "refusals":
            return { about, request: choiceOption(definition, "request", notificationRules.request) };
        case "gateway": {
            const seconds = numberOption(definition, "interval", { ...notificationRules.interval, fallback: 0 });
            return { about, intervalMs: seconds === 0 ? undefined : seconds * 1000 };
        }
        case "devices": {
            const seconds = numberOption(definition, "silentAfter", { ...notificationRules.silentAfter, fallback: 0 });
            if (seconds === 0) throw new GatewayError("GW_CONFIG", translate("flow.silentAfter"));
            const id = (name: "typeId" | "deviceId") => {
                const value = textOption(definition, name);
                return value === "" || value === "+" ? "" : ids.parse(name, value);
            };
            return { about, typeId: id("typeId"), deviceId: id("deviceId"), silentAfterMs: seconds * 1000 };
        }
    }
}

/** The properties of a `gateway-notify-in` node, checked: refusals of the platform, or the health of the gateway or of its devices. */
export type NotificationSettings =
    | { readonly about: "refusals"; readonly request: RefusedRequest }
    /** `intervalMs` undefined = on changes only. */
    | { readonly about: "gateway"; readonly intervalMs: number | undefined }
    | ({ readonly about: "devices" } & SilenceOptions);

type RefusedRequest = (typeof notificationRules.request.choices)[number];

/** A notification as the message a flow gets, or undefined when the node does not want it. Each call makes a message of its own. */
export function notificationMessage(
    { topic, notification, event }: ReceivedNotification,
    request: RefusedRequest,
): WiotpNotificationMessage | undefined {
    const { malformed, fields, raw } = notification;
    if (request !== "any" && fields.request !== request) return undefined;
    const message: WiotpNotificationMessage = { topic, payload: { ...fields }, raw: structuredClone(raw) };
    if (malformed) message.malformed = true;
    if (event) message.event = structuredClone(event);
    return message;
}

/** The health of the gateway as the message a flow gets. */
export function gatewayHealthMessage(report: HealthReport): WiotpGatewayHealthMessage {
    return { topic: "gateway", payload: report };
}

/** A device that has become silent, or sends again, as the message a flow gets. */
export function deviceHealthMessage(change: SilenceChange): WiotpDeviceHealthMessage {
    return { topic: "devices", payload: { ...change } };
}
