import { GatewayError } from "../errors";
import { shortened, translate } from "../i18n";
import { type IdRule, idRule, isLegalId, levelRule } from "./id-rules";

/** A device, or the gateway itself, as topics name it. */
export interface DeviceAddress {
    readonly typeId: string;
    readonly deviceId: string;
}

/** The gateway: an address within an organisation (in Maximo the workspace). */
export interface GatewayIdentity extends DeviceAddress {
    readonly orgId: string;
}

/** The user name of every gateway; it tells the platform that the password is an authentication token. Protocol, section Connection. */
export const mqttUserName = "use-token-auth";

/**
 * A type id as a string. Accepts a string of 1 to 36 of `A-Z a-z 0-9 _ . -` or a non-negative safe integer. Protocol, section Connection.
 * @throws GW_INVALID_ID
 */
export function parseTypeId(value: unknown, name = "typeId"): string {
    return parseId(value, name, idRule);
}

/**
 * A device id as a string, by the same rule as a type id.
 * @throws GW_INVALID_ID
 */
export function parseDeviceId(value: unknown, name = "deviceId"): string {
    return parseId(value, name, idRule);
}

/**
 * An organisation or workspace id as a string, by the same rule as a type id (public cloud: six characters).
 * @throws GW_INVALID_ID
 */
export function parseOrgId(value: unknown, name = "orgId"): string {
    return parseId(value, name, idRule);
}

/**
 * An event id, command id or format as a string: any one topic level, or a non-negative safe integer.
 * @throws GW_INVALID_ID
 */
export function parseLevel(value: unknown, name: string): string {
    return parseId(value, name, levelRule);
}

/**
 * An id as a string: text that the rule takes, or a non-negative safe integer.
 * @throws GW_INVALID_ID
 */
export function parseId(value: unknown, name: string, rule: IdRule): string {
    const text = idText(value);
    if (text !== undefined && isLegalId(text, rule)) return text;
    throw new GatewayError("GW_INVALID_ID", describeFault(value, text, name, rule));
}

/** The text that stands for an id, legal or not; undefined when a value of this kind can be none. */
export function idText(value: unknown): string | undefined {
    if (typeof value === "number" && Number.isSafeInteger(value) && value >= 0) return String(value);
    return typeof value === "string" ? value : undefined;
}

/** Whether both ids are legal. No device has others; who sends a topic or a notification may write anything, of any length. */
export function isLegalAddress({ typeId, deviceId }: DeviceAddress): boolean {
    return isLegalId(typeId, idRule) && isLegalId(deviceId, idRule);
}

/** Whether two addresses are the same device. */
export function sameDevice(one: DeviceAddress, other: DeviceAddress): boolean {
    return one.deviceId === other.deviceId && one.typeId === other.typeId;
}

/** The key of a device in every table: `typeId/deviceId`, unambiguous because neither may contain a slash. */
export function deviceKey(address: DeviceAddress): string {
    return `${address.typeId}/${address.deviceId}`;
}

/** The address that a device key stands for. */
export function parseDeviceKey(key: string): DeviceAddress {
    const slash = key.indexOf("/");
    return { typeId: key.slice(0, slash), deviceId: key.slice(slash + 1) };
}

/** The MQTT client id of a gateway: `g:{orgId}:{typeId}:{deviceId}`. Protocol, section Connection. */
export function mqttClientId(identity: GatewayIdentity): string {
    return `g:${identity.orgId}:${identity.typeId}:${identity.deviceId}`;
}

function describeFault(value: unknown, text: string | undefined, name: string, rule: IdRule): string {
    if (rule === idRule) return translate("protocol.id", { name, value: describe(value) });
    if (text === undefined || !rule.pattern.test(text)) return translate("protocol.level", { name, value: describe(value) });
    return translate("protocol.levelTooLong", { name, bytes: Buffer.byteLength(text), maxLevelBytes: rule.maxBytes });
}

const shownCharacters = 60;

/** A value in an error message: short, on one line, and of the kinds that can be shown safely. */
function describe(value: unknown): string {
    if (value === undefined || value === null) return translate("value.missing");
    if (value === "") return translate("value.empty");
    if (typeof value === "string") {
        return translate("value.text", { text: JSON.stringify(shortened(value, shownCharacters)), characters: value.length });
    }
    if (typeof value === "number" || typeof value === "bigint" || typeof value === "boolean") return String(value);
    return Array.isArray(value) ? translate("value.array") : translate("value.ofType", { type: typeof value });
}
