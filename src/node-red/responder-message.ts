import type { NodeMessage } from "node-red";
import type { FirmwareReport, FlowRequest } from "../management/responder";
import type { ManagementAnswer } from "../protocol/management";

/** A request of the platform as the message a flow gets, and sends back to answer. */
export function requestMessage({ dm, topic, payload }: FlowRequest): NodeMessage {
    return { dm, topic, payload };
}

/** The platform's answer to a flow's request: that very message, with the answer's code, words and data. */
export function answerMessage(request: NodeMessage, answer: ManagementAnswer): NodeMessage {
    const { message: _ofRequest, ...kept } = request;
    return { ...kept, ...parts(answer) };
}

/** The platform's answer to the notification of a firmware step. */
export function reportMessage(report: FirmwareReport, answer: ManagementAnswer): NodeMessage {
    return { dm: report, ...parts(answer) };
}

function parts({ rc, message, d }: ManagementAnswer): NodeMessage {
    return { rc, payload: d, ...(message !== undefined && { message }) };
}
