import type { ClientIdentity } from "./client/client-identity";

/** The device that a topic or filter names. */
export interface DeviceName {
    typeId: string;
    deviceId: string;
}

/** The key of a device in maps and patterns: `typeId/deviceId`. */
export function deviceKey(device: DeviceName): string {
    return `${device.typeId}/${device.deviceId}`;
}

/** The device named in `…/type/T/id/D/…`, if the topic has that form. */
export function deviceOf(levels: readonly string[]): DeviceName | undefined {
    const [, type, typeId, id, deviceId] = levels;
    return type === "type" && id === "id" && typeId !== undefined && deviceId !== undefined ? { typeId, deviceId } : undefined;
}

/** Whether the device is the client itself. */
export function isOwnDevice(identity: ClientIdentity, device: DeviceName): boolean {
    return device.typeId === identity.typeId && device.deviceId === identity.id;
}

/** The topic as it is inside the platform, where every topic names its device. Devices leave that out on the wire. */
export function toPlatform(identity: ClientIdentity, topic: string): string {
    if (identity.clientClass !== "d") return topic;
    const slash = topic.indexOf("/") + 1;
    return `${topic.slice(0, slash)}type/${identity.typeId}/id/${identity.id}/${topic.slice(slash)}`;
}

/** The topic as the client knows it. */
export function toClient(identity: ClientIdentity, topic: string): string {
    return identity.clientClass === "d" ? topic.replace(`/type/${identity.typeId}/id/${identity.id}/`, "/") : topic;
}

/** The topic as the registry's refusals report it: with the organisation after the first level. */
export function withOrganisation(organisation: string, topic: string): string {
    const slash = topic.indexOf("/");
    return `${topic.slice(0, slash)}/${organisation}${topic.slice(slash)}`;
}
