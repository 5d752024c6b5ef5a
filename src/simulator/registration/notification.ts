import type { DeviceName } from "../topic-form";
import type { TopicRefusal } from "../topic-rules";

/** What was refused. */
export type NotifiedRequest = "Publish" | "Subscribe" | "Unsubscribe";

/** A refusal as the notification on the gateway's notify topic reports it. */
export interface Refusal {
    request: NotifiedRequest;
    topic: string;
    /** Only when the registry refused the device or its ids are illegal. */
    device?: DeviceName;
    rc: number;
    /** Absent in a notification without `Message`. */
    message?: string;
}

const registryMessages: Readonly<Record<number, string>> = {
    100: "System error",
    173: "Too many active devices",
    177: "Failed to create device.",
    180: "The operation is not authorized.",
    276: "The topic is not valid.",
};

/** The message that goes with a code of the registry. */
export function registryMessage(rc: number): string {
    return registryMessages[rc] ?? `The operation failed with return code ${rc}.`;
}

/** The text when a device is outside the gateway's resource group; the two blanks at its end are the platform's. */
export const notInGroupMessage = "The operation is not authorized: Device not in group:  ";

/** The refusal of a topic that breaks the rules. Control characters come back as question marks, and NUL ends the topic. */
export function topicRefusal(request: NotifiedRequest, topic: string, refusal: TopicRefusal): Refusal {
    const nul = topic.indexOf("\0");
    const shown = (nul < 0 ? topic : topic.slice(0, nul)).replace(/[\u0001-\u001f]/g, "?");
    const what = refusal.rc === 289 ? "The topic cannot be used because it is a system topic" : "The topic is not valid";
    return { request, topic: shown, rc: refusal.rc, message: `${what}: ${shown} ${refusal.reason}` };
}

/** The payload of a notification, with the platform's own field names, types and order. */
export function notificationPayload(refusal: Refusal, clientId: string, now: Date): Buffer {
    const { request, topic, device, rc, message } = refusal;
    const names = device ? { Type: device.typeId, Id: device.deviceId } : {};
    const fields = { Request: request, Time: now.toISOString(), Topic: topic, ...names, Client: clientId, RC: rc, Message: message };
    return Buffer.from(JSON.stringify(fields));
}
