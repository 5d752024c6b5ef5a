import { GatewayError } from "../errors";
import { joinSentences, shortened, translate } from "../i18n";
import type { DialStage } from "./dial";
import { describeNetworkError, networkCause } from "./network-error";
import { type ConnectionCause, type ConnectionReason, type ReasonOptions, serverOf, type TokenFault } from "./reason";
import type { SentPacket } from "./sent-packet";
import { describeTlsError, tlsCause } from "./tls-error";
import type { DialProgress, TransportEnd } from "./transport";

/** The shortest wait after a refusal of the credentials, in milliseconds: servers throttle a client that hammers. */
export const authorisationPauseMs = 60_000;

/** The shortest wait while another client uses the same client id. */
export const takeOverPauseMs = 30_000;

const maxNameShown = 200;

type FailedEnd = Extract<TransportEnd, { kind: "failed" }>;

/** Why a connection ended, or was never established. */
export function describeEnd(end: TransportEnd, wasOnline: boolean, context: ReasonOptions): ConnectionReason {
    if (end.kind === "refused") return describeReturnCode(end.returnCode, context);
    if (end.kind === "violated") return describeViolation(end.detail, wasOnline, context);
    const reason = end.kind === "failed" ? describeError(end, context) : describeClose(end.stage, wasOnline, context);
    const { missingOrganisation: organisation } = context;
    if (organisation === undefined || wasOnline || reason.code !== "GW_NETWORK" || end.stage === "dialling") return reason;
    return { ...reason, text: joinSentences([reason.text, translate("connection.missingOrganisation", { organisation })]) };
}

/** The meaning of the CONNACK's return code; 2, 4 and 5 call for a longer pause. */
function describeReturnCode(returnCode: number, { host, clientId, tokenFault }: ReasonOptions): ConnectionReason {
    switch (returnCode) {
        case 1:
            return network(translate("connection.version", { host }));
        case 2:
            return { code: "GW_AUTH", cause: "clientIdRefused", text: translate("connection.clientIdRefused", { host, clientId }) };
        case 3:
            return network(translate("connection.unavailable", { host }), "unavailable");
        case 4:
        case 5:
            return { code: "GW_AUTH", text: describeUnauthorised(host, clientId, tokenFault) };
        default:
            return network(translate("connection.returnCode", { host, returnCode }));
    }
}

function describeUnauthorised(host: string, clientId: string, tokenFault: TokenFault | undefined): string {
    if (tokenFault === "missing") return translate("connection.noToken", { host, clientId });
    const text = translate("connection.notAuthorised", { host, clientId });
    return tokenFault === "whiteSpace" ? joinSentences([text, translate("connection.tokenWhiteSpace")]) : text;
}

function describeViolation(detail: string, wasOnline: boolean, context: ReasonOptions): ConnectionReason {
    const server = serverOf(context);
    const text = wasOnline ? translate("connection.violation", { server }) : translate("connection.notMqtt", { server });
    return network(joinSentences([text, detail]));
}

function describeClose(stage: DialStage, wasOnline: boolean, context: ReasonOptions): ConnectionReason {
    const server = serverOf(context);
    const { transport, willTopic } = context;
    if (wasOnline) return network(translate("connection.closed", { server }));
    if (stage !== "open") return network(translate("connection.closedEarly", { server, transport }));
    if (willTopic === undefined) return network(translate("connection.unanswered", { server, transport }), "unanswered");
    return network(translate("connection.willRefused", { server, topic: willTopic, transport }), "willRefused");
}

function describeError({ error, stage, certificate, proxy }: FailedEnd, context: ReasonOptions): ConnectionReason {
    if (proxy !== undefined && stage === "dialling") return describeWayToProxy(error, proxy, context);
    if (error instanceof GatewayError) return { code: error.code, text: error.message };
    const tlsText = describeTlsError(error, certificate, context);
    if (tlsText !== undefined) return { code: "GW_TLS", cause: tlsCause(error), text: tlsText };
    const { host, transport } = context;
    return network(describeNetworkError(error, stage, { server: serverOf(context), host, transport }), networkCause(error));
}

/** The proxy is named by its host and port. */
function describeWayToProxy(error: unknown, proxy: string, context: ReasonOptions): ConnectionReason {
    const { transport } = context;
    const text =
        error instanceof GatewayError ? error.message : describeNetworkError(error, "open", { server: proxy, host: proxy, transport });
    return network(joinSentences([noWayByProxy(proxy, context), text]), networkCause(error));
}

/** That the server cannot be reached by a proxy; why not is for another sentence. */
export function noWayByProxy(proxy: string, context: ReasonOptions): string {
    return translate("connection.noWayByProxy", { server: serverOf(context), proxy });
}

function network(text: string, cause?: ConnectionCause): ConnectionReason {
    return { code: "GW_NETWORK", cause, text };
}

/** No answer within the time allowed for connecting. */
export function describeTimeout({ stage, proxy }: DialProgress, timeoutMs: number, context: ReasonOptions): ConnectionReason {
    const seconds = wholeSeconds(timeoutMs);
    const text =
        proxy !== undefined && stage === "dialling"
            ? joinSentences([noWayByProxy(proxy, context), slowness(stage, proxy, seconds)])
            : slowness(stage, serverOf(context), seconds);
    return { code: "GW_NETWORK", cause: "timedOut", text };
}

function slowness(stage: DialStage, server: string, seconds: number): string {
    if (stage === "dialling") return translate("connection.slowHost", { server, seconds });
    if (stage === "securing") return translate("connection.slowHandshake", { server, seconds });
    return translate("connection.slowConnect", { server, seconds });
}

/** Another client uses the client id, as far as the gateway knows. */
export function describeTakeOver({ clientId }: ReasonOptions): ConnectionReason {
    return { code: "GW_TAKEN_OVER", clientId, text: translate("connection.takenOver", { clientId }) };
}

/** The connection ended while only this was on it. */
export function describeCulprit({ kind, name }: SentPacket, options: ReasonOptions): ConnectionReason {
    const server = serverOf(options);
    const shown = shortened(name, maxNameShown);
    const text =
        kind === "filter"
            ? translate("connection.filterCulprit", { server, name: shown })
            : translate("connection.culprit", { server, name: shown });
    return network(text, "searching");
}

/** Short-lived connections, and what was sent may be the reason. */
export function describeSearch(options: ReasonOptions): ConnectionReason {
    return network(translate("connection.searching", { server: serverOf(options) }), "searching");
}

/** The subscription without which refusals would go unnoticed was not answered. */
export function describeMissingSubscription(filter: string, limitMs: number, context: ReasonOptions): ConnectionReason {
    const seconds = wholeSeconds(limitMs);
    return { code: "GW_STALLED", text: translate("connection.slowSubscription", { server: serverOf(context), filter, seconds }) };
}

/** The link was open, but dead. */
export function describeStall(context: ReasonOptions): ConnectionReason {
    return { code: "GW_STALLED", text: translate("connection.stalled", { server: serverOf(context) }) };
}

/** One acknowledgement never came while the link was alive. */
export function describeMissingAcknowledgement(context: ReasonOptions): ConnectionReason {
    return { code: "GW_STALLED", text: translate("connection.notAcknowledged", { server: serverOf(context) }) };
}

function wholeSeconds(durationMs: number): number {
    return Math.round(durationMs / 1000);
}
