import type { IConnectPacket } from "mqtt-packet";
import type { Organisation } from "../organisation";
import type { Platform } from "../platform";
import { isSameSecret } from "../secret";
import type { Message } from "../sessions/message";
import { deviceKey, deviceOf, toPlatform } from "../topic-form";
import { checkPublish } from "../topic-rules";
import { type ClientIdentity, parseClientId } from "./client-identity";
import type { CloseCode } from "./close-codes";
import type { KnownClient } from "./monitoring";

/** A client that may come in. */
export interface Admission extends KnownClient {
    will: Message | undefined;
}

/** A client that may not. */
export interface ConnectRefusal {
    /** The code of the CONNACK; absent = the connection is closed without one. */
    returnCode?: number;
    /** The code for the log. */
    closeCode: CloseCode;
    /** Who was refused, where the client id and the organisation are good. */
    known?: KnownClient;
}

const gatewayUser = "use-token-auth";

/** Judges a CONNECT by the platform's rules. Nothing is changed yet, except that the organisation may have come into being. */
export function judgeConnect(platform: Platform, packet: IConnectPacket): Admission | ConnectRefusal {
    // Version 5 is left out: the gateway side uses 3.1.1 only, and the platform's version 5 behaves differently.
    if (packet.protocolVersion === 5) return { returnCode: 1, closeCode: 105 };
    const identity = parseClientId(packet.clientId);
    if ("returnCode" in identity) return { ...identity, closeCode: identity.returnCode === 2 ? 166 : 180 };
    const organisation = platform.organisation(identity.organisation);
    if (!organisation) return { returnCode: 5, closeCode: 180 };
    const known = { identity, organisation };
    if (!isAuthorised(platform, organisation, identity, packet)) return { returnCode: 5, closeCode: 180, known };
    const refusal = packet.will && checkPublish(identity.clientClass, packet.will.topic, packet.will.topic.split("/"));
    if (refusal) return { closeCode: refusal.rc, known };
    return { identity, organisation, will: allowedWill(organisation, identity, packet) };
}

function isAuthorised(platform: Platform, organisation: Organisation, identity: ClientIdentity, packet: IConnectPacket): boolean {
    const { clientClass, typeId, id } = identity;
    const isDevice = clientClass === "g" || clientClass === "d";
    if (isDevice && organisation.registry.device(typeId, id)?.disabled) return false;
    const token = (isDevice ? organisation.registry.rights(typeId, id).token : undefined) ?? platform.settings.token;
    if (isDevice && packet.username !== gatewayUser && (token !== undefined || packet.username !== undefined)) return false;
    return token === undefined || isSameSecret(packet.password ?? Buffer.alloc(0), token);
}

/** A will for a device outside the gateway's resource group is taken away without a word. */
function allowedWill(organisation: Organisation, identity: ClientIdentity, packet: IConnectPacket): Message | undefined {
    if (!packet.will) return undefined;
    const topic = toPlatform(identity, packet.will.topic);
    const { group } = organisation.registry.rights(identity.typeId, identity.id);
    const device = deviceOf(topic.split("/"));
    const isOwn = device?.typeId === identity.typeId && device.deviceId === identity.id;
    if (identity.clientClass === "g" && group && device && !isOwn && !group.has(deviceKey(device))) return undefined;
    return { topic, payload: Buffer.from(packet.will.payload), qos: packet.will.qos ?? 0 };
}
