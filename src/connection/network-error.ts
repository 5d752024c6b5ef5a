import { describeThrown } from "../errors";
import { translate } from "../i18n";
import type { DialStage } from "./dial";
import type { ConnectionCause } from "./reason";

/** An error of the operating system as a sentence: what happened to the connection, and the likely cause. */
export function describeNetworkError(error: unknown, stage: DialStage, { server, host, transport }: NetworkPlace): string {
    switch (errorCode(error)) {
        case "ENOTFOUND":
            return translate("connection.hostNotFound", { host });
        case "EAI_AGAIN":
            return translate("connection.lookUpFailed", { host });
        case "ECONNREFUSED":
            return translate("connection.refused", { server });
        case "ETIMEDOUT":
            return translate("connection.timedOut", { server });
        case "EHOSTUNREACH":
        case "ENETUNREACH":
            return translate("connection.unreachable", { server });
        case "ECONNRESET":
        case "EPIPE":
            return stage === "open" ? translate("connection.reset", { server }) : translate("connection.resetEarly", { server, transport });
        default:
            return translate("connection.failed", { server, message: describeThrown(error) });
    }
}

/** What the gateway spoke to directly. */
interface NetworkPlace {
    /** Host and port. */
    readonly server: string;
    readonly host: string;
    readonly transport: string;
}

/** What an error of the operating system comes to, where a status has words for it. */
export function networkCause(error: unknown): ConnectionCause | undefined {
    return causes[errorCode(error) ?? ""];
}

const causes: Readonly<Record<string, ConnectionCause>> = {
    ENOTFOUND: "hostNotFound",
    EAI_AGAIN: "hostNotFound",
    ECONNREFUSED: "refused",
    ETIMEDOUT: "timedOut",
};

/** The code of a system error; of several addresses that all failed, that of the first. */
function errorCode(error: unknown): string | undefined {
    if (error instanceof AggregateError && error.errors.length > 0) return errorCode(error.errors[0]);
    if (!(error instanceof Error) || !("code" in error)) return undefined;
    return typeof error.code === "string" ? error.code : undefined;
}
