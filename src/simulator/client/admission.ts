import type { IConnectPacket } from "mqtt-packet";
import type { Organisation } from "../organisation";
import type { Platform } from "../platform";
import { isSameSecret } from "../secret";
import type { Message } from "../sessions/message";
import type { PlainTopics } from "../sessions/plain-topics";
import { deviceKey, deviceOf, isOwnDevice, toPlatform } from "../topic-form";
import { checkPublish, isPlainTopic } from "../topic-rules";
import { type ClientIdentity, namesPlatformClass, parseClientId } from "./client-identity";
import type { CloseCode } from "./close-codes";
import type { IdentifiedClient } from "./monitoring";

/** A client that may connect. */
export interface Admission extends IdentifiedClient {
    will: Message | undefined;
}

/** A plain MQTT client. */
export interface PlainAdmission {
    topics: PlainTopics;
    clientId: string;
    will: Message | undefined;
}

/** A client that may not connect. */
export interface ConnectRefusal {
    /** The code of the CONNACK; absent = the connection is closed without one. */
    returnCode?: number;
    /** The code for the log. */
    closeCode: CloseCode;
    /** The refused client, if its client id and organisation are valid. */
    client?: IdentifiedClient;
}

const gatewayUser = "use-token-auth";
const maxPlainClientIdLength = 1024;

/** Decides on a CONNECT by the platform's rules. Its only effect is that the organisation may have been created. */
export function decideConnect(platform: Platform, packet: IConnectPacket): Admission | PlainAdmission | ConnectRefusal {
    // MQTT 5 is left out: gateways use 3.1.1 only, and the platform's version 5 behaves differently.
    if (packet.protocolVersion === 5) return { returnCode: 1, closeCode: 105 };
    if (platform.plainTopics && !namesPlatformClass(packet.clientId)) return decidePlainConnect(platform, platform.plainTopics, packet);
    const identity = parseClientId(packet.clientId);
    if ("returnCode" in identity) return { ...identity, closeCode: identity.returnCode === 2 ? 166 : 180 };
    const organisation = platform.organisation(identity.organisation);
    if (!organisation) return { returnCode: 5, closeCode: 180 };
    const client = { identity, organisation };
    if (!isAuthorised(platform, organisation, identity, packet)) return { returnCode: 5, closeCode: 180, client };
    const refusal = packet.will && checkPublish(identity.clientClass, packet.will.topic, packet.will.topic.split("/"));
    if (refusal) return { closeCode: refusal.rc, client };
    return { identity, organisation, will: allowedWill(organisation, identity, packet) };
}

/** An empty client id stands for one that is made up here, which cannot have a durable session. */
function decidePlainConnect({ settings }: Platform, topics: PlainTopics, packet: IConnectPacket): PlainAdmission | ConnectRefusal {
    const { clientId, will } = packet;
    if (!hasToken(packet, settings.token)) return { returnCode: 5, closeCode: 180 };
    if (clientId.length > maxPlainClientIdLength || (clientId === "" && packet.clean === false)) return { returnCode: 2, closeCode: 166 };
    if (will && !isPlainTopic(will.topic)) return { closeCode: 276 };
    return {
        topics,
        clientId: clientId === "" ? settings.createId() : clientId,
        will: will && { topic: will.topic, payload: Buffer.from(will.payload), qos: will.qos ?? 0, retain: will.retain ?? false },
    };
}

function isAuthorised(platform: Platform, organisation: Organisation, identity: ClientIdentity, packet: IConnectPacket): boolean {
    const { clientClass, typeId, id } = identity;
    const isDevice = clientClass === "g" || clientClass === "d";
    if (isDevice && organisation.registry.device(typeId, id)?.disabled) return false;
    const token = (isDevice ? organisation.registry.rights(typeId, id).token : undefined) ?? platform.settings.token;
    if (isDevice && packet.username !== gatewayUser && (token !== undefined || packet.username !== undefined)) return false;
    return hasToken(packet, token);
}

function hasToken({ password }: IConnectPacket, token: string | undefined): boolean {
    return token === undefined || isSameSecret(password ?? Buffer.alloc(0), token);
}

/** A will for a device outside the gateway's resource group is silently removed. */
function allowedWill(organisation: Organisation, identity: ClientIdentity, packet: IConnectPacket): Message | undefined {
    if (!packet.will) return undefined;
    const topic = toPlatform(identity, packet.will.topic);
    const { group } = organisation.registry.rights(identity.typeId, identity.id);
    const device = deviceOf(topic.split("/"));
    const isForeign = device && !isOwnDevice(identity, device) && !group?.has(deviceKey(device));
    if (identity.clientClass === "g" && group && isForeign) return undefined;
    return { topic, payload: Buffer.from(packet.will.payload), qos: packet.will.qos ?? 0 };
}
