import { describeThrown, type ErrorCode, GatewayError } from "../errors";
import type { LineStage, TransportName } from "./line";
import { describeTlsError, tlsCause } from "./tls-error";
import type { TransportEnd } from "./transport";

/** Causes that a status tells in words of their own; where there is none, it tells the code. */
export const connectionCauses = [
    "hostNotFound",
    "refused",
    "timedOut",
    "unanswered",
    "willRefused",
    "unavailable",
    "clientIdRefused",
    "certificateExpired",
    "certificateName",
    "certificateUntrusted",
    "clientCertificate",
] as const;

export type ConnectionCause = (typeof connectionCauses)[number];

/** Why there is no connection, for the status, the log and the error. */
export interface ConnectionReason {
    readonly code: ErrorCode;
    readonly cause?: ConnectionCause | undefined;
    /** The client id, where it is the point. */
    readonly clientId?: string;
    /** Plain words: what is known and the likely causes, nothing more. Never a secret. */
    readonly text: string;
}

/** What a reason may mention. */
export interface ReasonContext {
    readonly host: string;
    readonly port: number;
    readonly transport: TransportName;
    readonly clientId: string;
    /** Topic of the last will, when there is one: servers refuse a bad one by closing without a word. */
    readonly willTopic?: string | undefined;
}

/** The shortest wait after a refusal of the credentials, in milliseconds: servers throttle whoever hammers. */
export const authorisationPauseMs = 60_000;

/** The shortest wait while another client uses the same client id. */
export const takeOverPauseMs = 30_000;

type FailedEnd = Extract<TransportEnd, { kind: "failed" }>;

/** Why a connection ended, or never came about. */
export function describeEnd(end: TransportEnd, wasOnline: boolean, context: ReasonContext): ConnectionReason {
    if (end.kind === "refused") return describeReturnCode(end.returnCode, context);
    if (end.kind === "violated") return describeViolation(end.detail, wasOnline, context);
    if (end.kind === "failed") return describeError(end, context);
    return describeClose(end.stage, wasOnline, context);
}

/** No answer within the time allowed for connecting. */
export function describeTimeout(stage: LineStage, timeoutMs: number, context: ReasonContext): ConnectionReason {
    const server = place(context);
    const within = `within ${Math.round(timeoutMs / 1000)} s`;
    if (stage === "dialling") {
        return network(`${server} did not answer ${within}: the host may be down, or a firewall drops the packets.`, "timedOut");
    }
    const asked = stage === "securing" ? "the TLS or websocket handshake" : "the MQTT CONNECT";
    const question = stage === "securing" ? "is the port right?" : "is it an MQTT server, and the transport right?";
    return network(`${server} accepted the connection but did not answer ${asked} ${within}: ${question}`, "timedOut");
}

/** Another client uses the client id, as far as can be told. */
export function describeTakeOver({ clientId }: ReasonContext): ConnectionReason {
    const text = `Another client seems to use the client id ${clientId}: the server keeps closing the connection soon after accepting it. Stop the other client, or give one of them another identity.`;
    return { code: "GW_TAKEN_OVER", clientId, text };
}

/** The subscription without which refusals would go unnoticed was not answered. */
export function describeMissingSubscription(filter: string, limitMs: number, context: ReasonContext): ConnectionReason {
    const text = `${place(context)} has not answered the subscription to ${filter} within ${Math.round(limitMs / 1000)} s; the connection is opened anew.`;
    return { code: "GW_STALLED", text };
}

/** The link was open, but dead. */
export function describeStall(context: ReasonContext): ConnectionReason {
    return {
        code: "GW_STALLED",
        text: `Nothing moved on the connection to ${place(context)} although an answer was due; it is opened anew.`,
    };
}

/** One acknowledgement never came while the link was alive. */
export function describeMissingAcknowledgement(context: ReasonContext): ConnectionReason {
    const text = `${place(context)} has not acknowledged an event for five minutes; the connection is opened anew and the event sent again.`;
    return { code: "GW_STALLED", text };
}

/** A received message was not taken by the flow in time. */
export function describeUntakenMessage(limitMs: number): ConnectionReason {
    const text = `A received message could not be handed to the flow within ${limitMs / 1000} s; the connection is opened anew so that the server sends it again.`;
    return { code: "GW_STALLED", text };
}

/** The CONNACK's return code in words; 2, 4 and 5 call for a longer pause. */
function describeReturnCode(returnCode: number, { host, clientId }: ReasonContext): ConnectionReason {
    switch (returnCode) {
        case 1:
            return network(`${host} does not accept MQTT 3.1.1.`);
        case 2:
            return {
                code: "GW_AUTH",
                cause: "clientIdRefused",
                text: `${host} does not accept the client id ${clientId}: check organisation, type and device id of the gateway.`,
            };
        case 3:
            return network(
                `${host} says that its messaging service is unavailable; it may be starting or under maintenance.`,
                "unavailable",
            );
        case 4:
        case 5:
            return {
                code: "GW_AUTH",
                text: `${host} did not authorise ${clientId}: the token, the organisation or the gateway's type or device id is wrong, or the gateway is not registered or disabled. The server does not tell which.`,
            };
        default:
            return network(`${host} refused the connection with the unknown return code ${returnCode}.`);
    }
}

function describeViolation(detail: string, wasOnline: boolean, context: ReasonContext): ConnectionReason {
    const server = place(context);
    if (wasOnline) return network(`${server} ${detail}, which MQTT does not allow; the connection is opened anew.`);
    return network(`${server} does not answer in MQTT (it ${detail}): is it the right port, and the right transport?`);
}

function describeClose(stage: LineStage, wasOnline: boolean, context: ReasonContext): ConnectionReason {
    const server = place(context);
    if (wasOnline) return network(`${server} closed the connection.`);
    if (stage !== "open")
        return network(
            `${server} closed the connection before it was established: is the transport ${context.transport} right for this port?`,
        );
    const will = context.willTopic === undefined ? "" : `it refuses the last will on ${context.willTopic}, `;
    return network(
        `${server} closed the connection without answering the MQTT CONNECT. Likely causes: ${will}the transport ${context.transport} is wrong for this port, or a proxy or firewall is in between.`,
        context.willTopic === undefined ? "unanswered" : "willRefused",
    );
}

function describeError({ error, stage, certificate, proxy }: FailedEnd, context: ReasonContext): ConnectionReason {
    if (error instanceof GatewayError) return { code: error.code, text: error.message };
    const tlsText = describeTlsError(error, certificate, context);
    if (tlsText !== undefined) return { code: "GW_TLS", cause: tlsCause(error), text: tlsText };
    const server = place(context);
    const cause = networkCauses[errorCode(error) ?? ""];
    if (proxy === undefined || stage === "open") return network(describeNetworkError(error, stage, server, context), cause);
    const proxyPlace = `the web proxy ${proxy}`;
    return network(
        `No way to ${server} by ${proxyPlace}: ${describeNetworkError(error, stage, proxyPlace, { ...context, host: proxy })}`,
        cause,
    );
}

const networkCauses: Readonly<Record<string, ConnectionCause>> = {
    ENOTFOUND: "hostNotFound",
    EAI_AGAIN: "hostNotFound",
    ECONNREFUSED: "refused",
    ETIMEDOUT: "timedOut",
};

/** @param server what the gateway spoke to directly, in words */
function describeNetworkError(error: unknown, stage: LineStage, server: string, { host, transport }: ReasonContext): string {
    switch (errorCode(error)) {
        case "ENOTFOUND":
            return `The host name ${host} was not found: check its spelling and this machine's DNS.`;
        case "EAI_AGAIN":
            return `The host name ${host} could not be looked up: this machine's DNS does not answer.`;
        case "ECONNREFUSED":
            return `${server} refused the connection: nothing listens on that port, or a firewall rejects it.`;
        case "ETIMEDOUT":
            return `${server} did not answer: the host may be down, or a firewall drops the packets.`;
        case "EHOSTUNREACH":
        case "ENETUNREACH":
            return `${server} cannot be reached from this machine's network.`;
        case "ECONNRESET":
        case "EPIPE":
            return stage === "open"
                ? `The connection to ${server} was reset.`
                : `${server} reset the connection before it was established: is the transport ${transport} right for this port?`;
        default:
            return `The connection to ${server} failed: ${describeThrown(error)}.`;
    }
}

/** The code of a system error; of several addresses that all failed, that of the first. */
function errorCode(error: unknown): string | undefined {
    if (error instanceof AggregateError && error.errors.length > 0) return errorCode(error.errors[0]);
    if (!(error instanceof Error) || !("code" in error)) return undefined;
    return typeof error.code === "string" ? error.code : undefined;
}

function network(text: string, cause?: ConnectionCause): ConnectionReason {
    return { code: "GW_NETWORK", cause, text };
}

function place({ host, port }: ReasonContext): string {
    return `${host}:${port}`;
}
