import { inOneText, say } from "../i18n";
import { type ConnectionReason, noWayByProxy, type ReasonContext, serverOf } from "./connect-error";
import type { LineStage } from "./line";
import type { LineProgress } from "./transport";

/** No answer within the time allowed for connecting. */
export function describeTimeout({ stage, proxy }: LineProgress, timeoutMs: number, context: ReasonContext): ConnectionReason {
    const seconds = wholeSeconds(timeoutMs);
    const text =
        proxy !== undefined && stage === "dialling"
            ? inOneText([noWayByProxy(proxy, context), slowness(stage, proxy, seconds)])
            : slowness(stage, serverOf(context), seconds);
    return { code: "GW_NETWORK", cause: "timedOut", text };
}

function slowness(stage: LineStage, server: string, seconds: number): string {
    if (stage === "dialling") return say("connection.slowHost", { server, seconds });
    if (stage === "securing") return say("connection.slowHandshake", { server, seconds });
    return say("connection.slowConnect", { server, seconds });
}

/** Another client uses the client id, as far as can be told. */
export function describeTakeOver({ clientId }: ReasonContext): ConnectionReason {
    return { code: "GW_TAKEN_OVER", clientId, text: say("connection.takenOver", { clientId }) };
}

/** The subscription without which refusals would go unnoticed was not answered. */
export function describeMissingSubscription(filter: string, limitMs: number, context: ReasonContext): ConnectionReason {
    const seconds = wholeSeconds(limitMs);
    return { code: "GW_STALLED", text: say("connection.slowSubscription", { server: serverOf(context), filter, seconds }) };
}

/** The link was open, but dead. */
export function describeStall(context: ReasonContext): ConnectionReason {
    return { code: "GW_STALLED", text: say("connection.stalled", { server: serverOf(context) }) };
}

/** One acknowledgement never came while the link was alive. */
export function describeMissingAcknowledgement(context: ReasonContext): ConnectionReason {
    return { code: "GW_STALLED", text: say("connection.notAcknowledged", { server: serverOf(context) }) };
}

/** A received message was not taken by the flow in time. */
export function describeUntakenMessage(limitMs: number): ConnectionReason {
    return { code: "GW_STALLED", text: say("connection.messageNotTaken", { seconds: wholeSeconds(limitMs) }) };
}

function wholeSeconds(durationMs: number): number {
    return Math.round(durationMs / 1000);
}
