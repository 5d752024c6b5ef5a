import { GatewayError } from "../../errors";
import { translate } from "../../i18n";
import type { IdParser } from "../../protocol/id-parser";
import { encodePayload } from "../../protocol/payload";
import type { EventRequest } from "../events/event-request";
import type { ReceivedCommand } from "./command";

/** What a flow answers a command with; published as an event of the command's device. */
export interface FlowAnswer {
    /** The id of the event; `{commandId}` stands for the command's. */
    readonly eventId: string;
    readonly rc: unknown;
    readonly message: unknown;
    readonly payload: unknown;
    /** Of the message that came back, for errors that are known only later. */
    readonly messageId: string;
}

/** The place in an event id that the id of the command fills. */
export const commandIdPlace = "{commandId}";

/**
 * The event that answers a command: `{"commandId", "rc"?, "message"?, "d"}`, of QoS 1 and before other events.
 * @throws GW_INVALID_ID for an event id that is none, or a device that the platform cannot have; GW_INVALID_PAYLOAD for what JSON cannot
 * express, and for a Buffer
 */
export function answerEvent(command: ReceivedCommand, nodeId: string, answer: FlowAnswer, ids: IdParser): EventRequest {
    const { typeId, deviceId, commandId } = command;
    const eventId = answer.eventId.replaceAll(commandIdPlace, () => commandId);
    return {
        device: { typeId: ids.ofEvent("typeId", typeId), deviceId: ids.ofEvent("deviceId", deviceId) },
        eventId: ids.ofEvent("eventId", eventId, "answer"),
        format: "json",
        qos: 1,
        payload: answerText(commandId, answer),
        completionMode: "safe",
        priority: "high",
        ttlMs: undefined,
        messageId: answer.messageId,
        nodeId,
    };
}

function answerText(commandId: string, { rc, message, payload }: FlowAnswer): string {
    if (Buffer.isBuffer(payload)) throw new GatewayError("GW_INVALID_PAYLOAD", translate("command.bufferAnswer"));
    const members = [
        `"commandId":${JSON.stringify(commandId)}`,
        ...(rc === undefined ? [] : [`"rc":${plainText("msg.rc", rc)}`]),
        ...(message === undefined ? [] : [`"message":${plainText("msg.message", message)}`]),
        `"d":${String(encodePayload(payload ?? null, "json"))}`,
    ];
    return `{${members.join()}}`;
}

function plainText(name: string, value: unknown): string {
    if (typeof value === "string" || typeof value === "boolean" || Number.isFinite(value)) return JSON.stringify(value);
    throw new GatewayError("GW_INVALID_PAYLOAD", translate("command.answerMember", { name }));
}
