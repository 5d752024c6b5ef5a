import { type ErrorCode, GatewayError } from "../errors";
import type { GatewayState } from "../gateway/gateway-state";
import type { StatusText } from "./status-reporter";

/**
 * The status of a node whose gateway is in this state, or cannot work at all. Colours as in Node-RED's own MQTT nodes: red = no
 * connection, yellow = connecting, green = connected; blue stands for events that wait.
 */
export function gatewayStatus(state: GatewayState | GatewayError): StatusText {
    if (state instanceof GatewayError) return problemStatus(state);
    if (state.storeProblem) return problemStatus(state.storeProblem);
    switch (state.connection.phase) {
        case "closed":
            if (!state.isWanted) return withQueue({ fill: "grey", shape: "ring", key: "closed" }, state);
            return withQueue({ fill: "grey", shape: "ring", key: "disconnected" }, state);
        case "connecting":
            return withQueue(connectingStatus(state.connection.reason), state);
        case "waiting":
            return withQueue(waitingStatus(state.connection.reason), state);
        case "online":
            return onlineStatus(state);
    }
}

type WaitingReason = Extract<GatewayState["connection"], { phase: "waiting" }>["reason"];

/** An attempt may take half a minute: a cause that is known stays in sight meanwhile, since the pauses between are short. */
function connectingStatus(reason: WaitingReason | undefined): StatusText {
    const isKnown = reason !== undefined && (reason.cause !== undefined || lastingCodes.has(reason.code));
    return isKnown ? { ...waitingStatus(reason), fill: "yellow" } : { fill: "yellow", shape: "ring", key: "connecting" };
}

/** Causes that still hold when the next attempt begins. */
const lastingCodes: ReadonlySet<ErrorCode> = new Set(["GW_AUTH", "GW_TLS", "GW_TAKEN_OVER"]);

/** Why there is no connection: the cause where it has a text, otherwise the meaning of its code. */
function waitingStatus({ code, cause, clientId }: WaitingReason): StatusText {
    const key = cause ?? problemKeys[code] ?? "disconnected";
    return { fill: "red", shape: "ring", key, ...(clientId === undefined ? {} : { parameters: { client: clientId } }) };
}

/** The status of a node that cannot work as it is set, or of a gateway with a problem. */
function problemStatus(error: GatewayError): StatusText {
    return { fill: "red", shape: "dot", key: problemKeys[error.code] ?? "config" };
}

const problemKeys: Partial<Record<ErrorCode, string>> = {
    GW_CONFIG: "config",
    GW_STORE: "store",
    GW_AUTH: "notAuthorised",
    GW_TLS: "tls",
    GW_NETWORK: "network",
    GW_TAKEN_OVER: "takenOver",
    GW_STALLED: "stalled",
    GW_SUBSCRIBE_REFUSED: "subscriptionRefused",
};

function onlineStatus(state: GatewayState): StatusText {
    const { commands, isBacklogged, drain, heldDevices, suspectedDevices, unansweredDevices, leftOut, outbox, isDegraded } = state;
    // Until there are fewer, nothing comes in, acknowledgements of events neither.
    if (commands.isReadingHeld) return { fill: "yellow", shape: "dot", key: "commandsFull", parameters: { count: commands.waiting } };
    if (state.isPaused) return withQueue({ fill: "yellow", shape: "ring", key: "paused" }, state);
    if (state.isSearching) return withQueue({ fill: "yellow", shape: "ring", key: "searching" }, state);
    if (drain) {
        return withQueue({ fill: "blue", shape: "dot", key: "draining", remaining: duration(drain.remainingMs) }, state);
    }
    if (leftOut > 0) return { fill: "blue", shape: "ring", key: "leftOut", parameters: { count: leftOut } };
    if (heldDevices > 0) return { fill: "blue", shape: "ring", key: "held", parameters: { count: heldDevices } };
    if (suspectedDevices > 0) return { fill: "blue", shape: "ring", key: "checking", parameters: { count: suspectedDevices } };
    if (unansweredDevices > 0) return { fill: "blue", shape: "ring", key: "unansweredDevices", parameters: { count: unansweredDevices } };
    if (isBacklogged) return withQueue({ fill: "blue", shape: "dot", key: "connected" }, state);
    if (outbox === "memory" && isDegraded) return { fill: "green", shape: "dot", key: "memoryOnly" };
    return { fill: "green", shape: "dot", key: "connected" };
}

function withQueue(status: StatusText, { queued, waitingHigh }: GatewayState): StatusText {
    return queued === 0 ? status : { ...status, waiting: queued, ...(waitingHigh > 0 && { waitingHigh }) };
}

/** A duration to be read at a glance: "45 s", "12 m", "2 h 04 m". */
export function duration(durationMs: number): string {
    const seconds = Math.ceil(durationMs / 1000);
    if (seconds < 60) return `${seconds} s`;
    const minutes = Math.ceil(seconds / 60);
    if (minutes < 60) return `${minutes} m`;
    return `${Math.floor(minutes / 60)} h ${String(minutes % 60).padStart(2, "0")} m`;
}
