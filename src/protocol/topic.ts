import { type DeviceAddress, isLegalAddress } from "./identity";

/** The parts of a command topic. The platform's have all of them; on own topics a template may leave out type and format. */
export interface CommandTopic {
    readonly typeId?: string;
    readonly deviceId: string;
    readonly commandId: string;
    readonly format?: string;
}

/** The parts of a device management topic: the device, and what follows its id. */
export interface ManagementTopic extends DeviceAddress {
    readonly levels: readonly string[];
}

/**
 * The topic of an event, of the gateway itself or on behalf of a device. A gateway may not use the short form of devices.
 * The parts must have been parsed by the functions of `identity.ts`. Protocol, section Events.
 */
export function eventTopic(address: DeviceAddress, eventId: string, format: string): string {
    return `iot-2/type/${address.typeId}/id/${address.deviceId}/evt/${eventId}/fmt/${format}`;
}

/** The filter for commands; an absent part matches any value of that level. Protocol, section Commands. */
export function commandFilter(parts: Partial<CommandTopic>): string {
    const { typeId = "+", deviceId = "+", commandId = "+", format = "+" } = parts;
    return `iot-2/type/${typeId}/id/${deviceId}/cmd/${commandId}/fmt/${format}`;
}

/**
 * The parts of a command topic that was split into its levels, or undefined when it is not exactly of that form: nine levels, none
 * empty. Parsing goes by levels, so no part can swallow a neighbour.
 */
export function parseCommandTopic(levels: readonly string[]): CommandTopic | undefined {
    if (levels.length !== 9 || levels[0] !== "iot-2" || levels[1] !== "type" || levels[3] !== "id") return undefined;
    if (levels[5] !== "cmd" || levels[7] !== "fmt") return undefined;
    const [, , typeId, , deviceId, , commandId, , format] = levels;
    return typeId && deviceId && commandId && format ? { typeId, deviceId, commandId, format } : undefined;
}

/** Where the platform tells a gateway what it refused; only ever the gateway's own address is used. Protocol, section Notifications. */
export function notifyTopic(gateway: DeviceAddress): string {
    return `iot-2/type/${gateway.typeId}/id/${gateway.deviceId}/notify`;
}

/**
 * The one filter that receives every device management message of the gateway and of all devices behind it. The filters of
 * the 2016 documentation (`…/response/+` and `…/+`) are granted by the platform but receive next to nothing. Protocol, section Device
 * management.
 */
export const managementFilter = "iotdm-1/type/+/id/+/#";

/** A topic on which the gateway sends device management messages; `suffix` has no leading or trailing slash. */
export function managementTopic(address: DeviceAddress, suffix: string): string {
    return `iotdevice-1/type/${address.typeId}/id/${address.deviceId}/${suffix}`;
}

/** The parts of a device management topic the platform sends on, or undefined when it is not of that form, with legal ids. */
export function parseManagementTopic(topic: string): ManagementTopic | undefined {
    const [root, type, typeId, id, deviceId, ...levels] = topic.split("/");
    if (root !== "iotdm-1" || type !== "type" || id !== "id" || !typeId || !deviceId) return undefined;
    if (!isLegalAddress({ typeId, deviceId })) return undefined;
    return levels.length > 0 && levels.every((level) => level !== "") ? { typeId, deviceId, levels } : undefined;
}
