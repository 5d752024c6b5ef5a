import { shortened } from "../../i18n";
import { notifiedDevice } from "../../protocol/notification";
import type { ReceivedNotification } from "../events/refusals";

/** A notification as it is shown: cut to a size that can be kept. */
export interface NotificationView {
    /** When it was received (wall clock, milliseconds). */
    readonly at: number;
    readonly request?: string;
    readonly typeId?: string;
    readonly deviceId?: string;
    readonly rc?: number;
    readonly text: string;
    readonly topic?: string;
}

const maxCharacters = 500;

/** What is kept of a notification. */
export function notificationView({ notification }: ReceivedNotification, at: number): NotificationView {
    if (notification.malformed) return { at, text: cut(notification.raw) };
    const { fields } = notification;
    const device = notifiedDevice(fields);
    return {
        at,
        ...(fields.request !== undefined && { request: cut(fields.request) }),
        ...(device && { typeId: cut(device.typeId), deviceId: cut(device.deviceId) }),
        ...(fields.rc !== undefined && { rc: fields.rc }),
        text: cut(fields.message ?? ""),
        ...(fields.topic !== undefined && { topic: cut(fields.topic) }),
    };
}

function cut(text: string): string {
    return shortened(text, maxCharacters);
}
