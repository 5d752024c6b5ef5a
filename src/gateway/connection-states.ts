import type { ErrorCode } from "../errors";

/** Why there is no connection, in one word: `msg.state` behind a Catch node, and the label of the metric that counts reconnects. */
export const connectionStates: Partial<Record<ErrorCode, string>> = {
    GW_AUTH: "not-authorised",
    GW_TLS: "tls",
    GW_NETWORK: "network",
    GW_TAKEN_OVER: "taken-over",
    GW_STALLED: "stalled",
};
