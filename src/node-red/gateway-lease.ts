import type { Node, NodeAPI } from "node-red";
import { systemClock } from "../clock";
import { GatewayError } from "../errors";
import { Gateway } from "../gateway/gateway";
import type { GatewayOptions } from "../gateway/gateway-options";
import type { GatewayLease, GatewayPool } from "../gateway/gateway-pool";
import { mqttClientId } from "../protocol/identity";
import { fillVariables, textOption } from "../settings";
import { credential, type StoredDefinition } from "./api";
import { readTlsOptions } from "./tls";
import { isFromVariables, variableOf } from "./variables";

/** Where a lease comes from: a `gateway-config` node, and the pool of all gateways. */
export interface LeaseOrigin {
    readonly RED: NodeAPI;
    readonly node: Node;
    readonly definition: StoredDefinition;
    readonly pool: GatewayPool<Gateway>;
}

/**
 * Leases the gateway of these settings, with the token and the TLS settings of the node.
 * @throws GW_CONFIG when the identity is in use with other settings, or the token or the TLS settings cannot be read
 */
export function leaseGateway({ RED, node, definition, pool }: LeaseOrigin, options: GatewayOptions): GatewayLease<Gateway> {
    const tls = options.transport === "tls" || options.transport === "wss" ? readTlsOptions(RED, definition.tls) : {};
    const token = readToken(RED, node, options);
    return pool.lease({
        key: mqttClientId(options.identity),
        fingerprint: JSON.stringify([options, token, tls]),
        sources: [node.id, node._alias, definition.tls].filter((id) => typeof id === "string"),
        create: () => new Gateway({ options, token, tls, userDir: userDirectory(RED), clock: systemClock }),
    });
}

/**
 * The token that is stored with a node. The simulator asks for none: there an example runs before its variables are set.
 * @param options the node's settings; an error where they are not valid
 * @throws GW_CONFIG when it is to come from a variable that is not set
 */
export function readToken(RED: NodeAPI, node: Node, options: GatewayOptions | GatewayError): string {
    const stored = credential(node, "token");
    if (!isFromVariables(stored)) return stored;
    const token = fillVariables(stored, (variable) => variableOf(RED, node, variable));
    const isAsked = !(options instanceof GatewayError) && options.platform !== "simulator";
    return isAsked ? textOption({ token }, "token") : token;
}

/** Node-RED's user directory, below which the outbox files are; undefined where it has none. */
export function userDirectory(RED: NodeAPI): string | undefined {
    const { userDir } = RED.settings;
    return typeof userDir === "string" && userDir !== "" ? userDir : undefined;
}
