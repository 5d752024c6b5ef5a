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

/** What a reason may mention. */
export interface ReasonOptions {
    readonly host: string;
    /** A text where the number must not be shown. */
    readonly port: number | string;
    readonly transport: string;
    readonly clientId: string;
    /** Whether no token goes along with the client id. */
    readonly lacksToken?: boolean;
    /** Topic of the last will, when there is one: servers refuse a bad one by closing without a word. */
    readonly willTopic?: string | undefined;
}

/** The server as a text names it: its host and port. */
export function serverOf({ host, port }: Pick<ReasonOptions, "host" | "port">): string {
    return `${host}:${port}`;
}
