import type { ErrorCode } from "../errors";

/** Causes for which a status has a text of its own; without one it shows the code. */
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
    "searching",
] as const;

export type ConnectionCause = (typeof connectionCauses)[number];

/** Why there is no connection, for the status, the log and the error. */
export interface ConnectionReason {
    readonly code: ErrorCode;
    readonly cause?: ConnectionCause | undefined;
    /** The client id, where it is the point. */
    readonly clientId?: string;
    /** The connection was ended on purpose, to open a new one. */
    readonly isPlanned?: true;
    /** One or more sentences: what is known and the likely causes, nothing more. Never a secret. */
    readonly text: string;
}

/** What is suspicious about a token: there is none, or it begins or ends with white space, as one that was read from a file. */
export type TokenFault = "missing" | "whiteSpace";

/** What is suspicious about a token; undefined when nothing is. */
export function tokenFaultOf(token: string | undefined): TokenFault | undefined {
    if (token === undefined) return "missing";
    return token.trim() === token ? undefined : "whiteSpace";
}

/** What a reason may mention. */
export interface ReasonOptions {
    readonly host: string;
    /** A text where the number must not be shown. */
    readonly port: number | string;
    readonly transport: string;
    readonly clientId: string;
    readonly tokenFault?: TokenFault | undefined;
    /** The organisation, if the platform expects it as the first label of the host name, and it is not. */
    readonly missingOrganisation?: string | undefined;
    /** Topic of the last will, when there is one: servers refuse a bad one by closing without a word. */
    readonly willTopic?: string | undefined;
}

/** The server as a text names it: its host and port. */
export function serverOf({ host, port }: Pick<ReasonOptions, "host" | "port">): string {
    return `${host}:${port}`;
}
