import { GatewayError } from "../errors";
import type { GatewayState } from "../gateway/gateway-state";
import type { ResponderCounts } from "../management/responder";
import { gatewayStatus } from "./gateway-status";
import type { StatusText } from "./status";

/**
 * The status of a dm-responder: that of its connection, without the events that wait, as its messages do not wait with them;
 * and when it is connected what it has to do with, the most urgent first.
 */
export function responderStatus(state: GatewayState | GatewayError, counts: ResponderCounts): StatusText {
    if (state instanceof GatewayError) return gatewayStatus(state);
    const ofConnection = gatewayStatus({ ...state, queued: 0, drain: undefined, heldDevices: 0 });
    if (state.connection.phase !== "online" || state.storeProblem) return ofConnection;
    const { managed, pending, rejected, rejectedRc, requests } = counts;
    if (requests > 0) return { fill: "blue", shape: "dot", key: "toAnswer", parameters: { count: requests } };
    if (rejected > 0) return { fill: "red", shape: "ring", key: "rejected", parameters: { count: rejected, rc: rejectedRc ?? "" } };
    if (pending > 0) return { fill: "yellow", shape: "dot", key: "managing", parameters: { managed, count: managed + pending } };
    if (managed > 0) return { fill: "green", shape: "dot", key: "managed", parameters: { count: managed } };
    return ofConnection;
}
