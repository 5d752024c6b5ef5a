import path from "node:path";
import type { Node, NodeAPI } from "node-red";
import { GatewayError } from "../errors";
import { serverKey } from "../gateway/connection-settings";
import { Gateway } from "../gateway/gateway";
import type { GatewayOptions } from "../gateway/gateway-options";
import { type GatewayLease, type GatewayPool, sameIdentityError } from "../gateway/gateway-pool";
import { thisMachine } from "../gateway/machine";
import { mqttClientId } from "../protocol/identity";
import { membersOf } from "../protocol/json";
import { fillVariables, textOption } from "../settings";
import type { AbandonedFiles } from "./abandoned-files";
import { credential, type StoredDefinition, storedCredential } from "./api";
import { readTlsOptions } from "./tls";
import { withCurrentFiles } from "./tls-files";
import { isFromVariables, variableOf } from "./variables";

/**
 * Leases the gateway of these settings, with the token and the TLS settings of the node.
 * @throws GW_CONFIG when the identity is in use with other settings, or the client id with another identity, or it belongs to another node that has a token, or the token, the TLS settings or the folder of the outbox files cannot be read
 */
export function leaseGateway({ RED, node, definition, pool }: LeaseOrigin, options: GatewayOptions): GatewayLease<Gateway> {
    const tls = options.transport === "tls" || options.transport === "wss" ? readTlsOptions(RED, definition.tls) : {};
    const token = readToken(RED, node, options);
    if (token === "" && hasTwinWithToken(RED, node)) throw sameIdentityError(mqttClientId(options.identity));
    const directory = storageDirectory(RED);
    return pool.lease({
        key: mqttClientId(options.identity),
        clientId: options.clientId,
        server: serverKey(options),
        fingerprint: JSON.stringify([options, token, tls]),
        sources: [node.id, node._alias, definition.tls].filter((id) => typeof id === "string"),
        create: () => {
            const current = withCurrentFiles(RED, definition.tls, tls, (text) => node.warn(text));
            return new Gateway({ options, token, tls: current, storageDirectory: directory, machine: thisMachine });
        },
    });
}

/** Where a lease comes from: a `gateway-config` node, and what all of them share. */
export interface LeaseOrigin {
    readonly RED: NodeAPI;
    readonly node: Node;
    readonly definition: StoredDefinition;
    readonly pool: GatewayPool<Gateway>;
    readonly abandonedFiles: AbandonedFiles;
}

/**
 * Whether another `gateway-config` node in use has the same identity and a token, while this one has none. A flow that was imported twice
 * has such a copy, because an export carries no token; the copy gives way whatever their order.
 */
function hasTwinWithToken(RED: NodeAPI, node: Node): boolean {
    const all: Readonly<Record<string, unknown>>[] = [];
    RED.nodes.eachNode((each) => void all.push({ ...each }));
    const own = all.find(({ id }) => id === (node._alias ?? node.id));
    const isSame = (other: Readonly<Record<string, unknown>>) => identityProperties.every((name) => own?.[name] === other[name]);
    const twins = all.filter((each) => each.type === "gateway-config" && each !== own && each.d !== true && own && isSame(each));
    return twins.some(({ id }) => {
        const isUsed = all.some(({ gateway, d }) => gateway === id && d !== true);
        return isUsed && typeof id === "string" && storedCredential(RED, id, "token") !== "";
    });
}

const identityProperties = ["orgId", "typeId", "deviceId", "clientId"] as const;

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

/**
 * The folder of the outbox files: `gatewayConfigStorageDir` of Node-RED's settings, absolute or below the user directory, or else a folder
 * in the user directory. Undefined where Node-RED has no user directory, and the settings name no absolute folder.
 * @throws GW_CONFIG when it is not a text
 */
export function storageDirectory(RED: NodeAPI): string | undefined {
    const settings: object = RED.settings;
    const chosen = textOption(membersOf(settings), "gatewayConfigStorageDir") || "wiotp-gateway";
    const { userDir } = RED.settings;
    if (typeof userDir === "string" && userDir !== "") return path.resolve(userDir, chosen);
    return path.isAbsolute(chosen) ? chosen : undefined;
}
