import { maxReturns, type OutboxEvent, type UndeliveredEvent } from "../../outbox/event";
import { parseDeviceKey } from "../../protocol/identity";
import { returnedPayload } from "../../protocol/payload";
import type { LateMessage, UndeliveredData } from "../gateway-listeners";

export type { UndeliveredEvent } from "../../outbox/event";

/** Whether Catch nodes have sent the event back so often that they do not get it any more. */
export function isReturnedTooOften({ event }: UndeliveredEvent): boolean {
    return event.returns >= maxReturns;
}

/** What is known of the message of an event. */
export function lateMessage({ message, device }: OutboxEvent): LateMessage {
    return { _msgid: message.messageId, ...parseDeviceKey(device), eventId: message.eventId };
}

/** An undelivered event with its data, as a message for a node like the one that sent it. */
export function undeliveredMessage({ event, refusal, enteredAt }: UndeliveredEvent): LateMessage & UndeliveredData {
    const { encoding, payload, topic, qos, priority } = event;
    return {
        ...lateMessage(event),
        undelivered: true,
        payload: returnedPayload(payload, encoding.format, encoding),
        format: encoding.format,
        topic,
        qos,
        priority,
        time: new Date(enteredAt).toISOString(),
        ...(refusal && { refusal }),
    };
}
