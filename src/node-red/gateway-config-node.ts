import type { Node } from "node-red";
import type { GatewayError } from "../errors";
import type { Gateway } from "../gateway/gateway";
import type { LateMessage } from "../gateway/gateway-listeners";
import type { GatewayState } from "../gateway/gateway-state";

/** A node that uses a gateway. */
export interface GatewayMember {
    readonly node: Node;
    /** The gateway's state changed, or the node has just joined. */
    stateChanged(state: GatewayState | GatewayError): void;
    /** The gateway could not be used when the node joined, and now it can. */
    gatewayReady(): void;
    /** An error about a message this node handled earlier. */
    failedLater(error: GatewayError, message: LateMessage): void;
}

/** What other nodes see of a `gateway-config` node. */
export interface GatewayConfigNode extends Node {
    /**
     * The nodes that use this gateway, by id. A plain object of nodes, because Node-RED itself walks through it to bring this
     * node's errors and statuses to the Catch and Status nodes of the flows that use it.
     */
    users: Record<string, Node>;
    /**
     * The gateway.
     * @throws GW_CONFIG when its settings are not valid or belong to another gateway already
     */
    gateway(): Gateway;
    /** Joins a node; the first one makes the gateway connect. */
    join(member: GatewayMember): void;
    /** Takes a node out again. */
    leave(member: GatewayMember): void;
}
