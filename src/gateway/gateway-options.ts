import { GatewayError, toGatewayError } from "../errors";
import { shortened, translate } from "../i18n";
import { assertLevelsFit, gatewayTopics } from "../protocol/gateway-topics";
import { IdParser, type IdPolicy, idPolicies } from "../protocol/id-parser";
import { idRule, isLegalId, mqttTextRule } from "../protocol/id-rules";
import { type GatewayIdentity, mqttClientId, parseDeviceId, parseOrgId, parseTypeId } from "../protocol/identity";
import {
    booleanOption,
    choiceOption,
    givenOption,
    numberOption,
    type Properties,
    type PropertyRules,
    shownAs,
    textOption,
    withoutSecrets,
} from "../settings";

/** Where the gateway connects to: Maximo's IoT tool, any MQTT broker, or the simulator inside this process. */
export const platforms = ["maximo", "broker", "simulator"] as const;
/** How MQTT travels. */
export const transports = ["tls", "tcp", "wss", "ws"] as const;
/** Where events wait: on disk, in memory, or nowhere. */
export const outboxKinds = ["disk", "memory", "off"] as const;
/** What happens to a new event when the outbox is full. */
export const fullPolicies = ["reject", "drop-oldest"] as const;
/** Whether the server registers devices: as it shows, or certainly. */
export const registrationModes = ["auto", "always"] as const;

export type Platform = (typeof platforms)[number];
export type TransportKind = (typeof transports)[number];
export type OutboxKind = (typeof outboxKinds)[number];
export type FullPolicy = (typeof fullPolicies)[number];
export type RegistrationMode = (typeof registrationModes)[number];

/** The properties of a `gateway-config` node as Node-RED hands them over: strings, and only what the user ever set. */
export type GatewayProperties = Properties;

/** The settings of one gateway, checked and with every default filled in. Contains no secret. */
export interface GatewayOptions {
    readonly identity: GatewayIdentity;
    readonly clientId: string;
    /** Undefined: the platform's, if there is a token. */
    readonly userName: string | undefined;
    readonly platform: Platform;
    readonly host: string;
    readonly port: number;
    readonly transport: TransportKind;
    readonly path: string;
    /** Whether the gateway connects without being asked. */
    readonly autoConnect: boolean;
    readonly cleanSession: boolean;
    readonly keepAliveS: number;
    readonly outbox: OutboxKind;
    readonly outboxMaxBytes: number;
    readonly outboxMaxAgeMs: number;
    readonly outboxFull: FullPolicy;
    /** The part of the outbox, from 0 to 1, that only events of high priority may use. */
    readonly outboxReservedShare: number;
    /** Payload bytes of undelivered events that are kept; 0 = none. */
    readonly undeliveredMaxBytes: number;
    /** Events per second at most; 0 = no limit. */
    readonly maxRate: number;
    /** Bytes of PUBLISH packets per second at most; 0 = no limit. */
    readonly maxRateBytes: number;
    readonly maxInFlight: number;
    /** Whether the server registers devices. */
    readonly registration: RegistrationMode;
    readonly registrationLimit: number;
    readonly registrationBackoffMs: number;
    /** Event id of the last will; undefined = none. */
    readonly willEventId: string | undefined;
    /** The templates of own topics; blank = those of the platform. */
    readonly eventTopic: string;
    readonly commandTopic: string;
    readonly idRule: IdPolicy;
}

/** The transports that Maximo takes. */
export const encryptedTransports: readonly TransportKind[] = ["tls", "wss"];

/** The rules of the properties of a `gateway-config` node. */
export const gatewayRules = {
    platform: { choices: platforms, fallback: "maximo" },
    // The default depends on platform and transport.
    port: { min: 1, max: 65_535, whole: true },
    transport: { choices: transports, fallback: "tls" },
    path: { fallback: "/" },
    autoConnect: { fallback: true },
    cleanSession: { fallback: true },
    keepAlive: { fallback: 60, min: 1, max: 3600, whole: true },
    outbox: { choices: outboxKinds, fallback: "disk" },
    outboxMaxMb: { fallback: 100, min: 0, above: true, max: 1_000_000 },
    outboxMaxAge: { fallback: 168, min: 0, above: true, max: 87_600 },
    outboxFull: { choices: fullPolicies, fallback: "reject" },
    // Percent.
    outboxReserve: { fallback: 10, min: 0, max: 50 },
    undeliveredMaxMb: { fallback: 10, min: 0, max: 100_000 },
    maxRate: { fallback: 0, min: 0, max: 1_000_000 },
    // Of 1000 bytes, as lines are sold.
    maxRateKb: { fallback: 0, min: 0, max: 1_000_000 },
    maxInFlight: { fallback: 100, min: 1, max: 1000, whole: true },
    registration: { choices: registrationModes, fallback: "auto" },
    registrationLimit: { fallback: 8, min: 1, max: 128, whole: true },
    registrationBackoff: { fallback: 600, min: 1, max: 86_400 },
    idRule: { choices: idPolicies, fallback: "strict" },
} as const satisfies PropertyRules;

/** A name or an address, without what a copied URL has around it. */
export const hostPattern = /^(?:(?=.*:.*:)[0-9A-Fa-f:.]+(?:%\w+)?|[^\s/:@?#[\]\\]+)$/;

/** The path of a websocket, with its parameters. */
export const pathPattern = /^\/[^\s#]*$/;

/** The ports that are meant when none is given. */
export const defaultPorts = {
    simulator: 18_830,
    maximo: 443,
    broker: { tls: 8883, tcp: 1883, wss: 443, ws: 80 },
} as const;

/** The port that is meant when none is given. */
export function defaultPort(platform: Platform, transport: TransportKind): number {
    return platform === "broker" ? defaultPorts.broker[transport] : defaultPorts[platform];
}

/**
 * The settings of a gateway from the properties of its node. Missing optional properties take their default.
 * @throws GW_CONFIG naming the property, its value and the rule
 */
export function parseGatewayOptions(properties: GatewayProperties): GatewayOptions {
    try {
        return parse(properties);
    } catch (thrown) {
        if (thrown instanceof GatewayError && thrown.code === "GW_CONFIG") throw thrown;
        const error = toGatewayError(thrown, "GW_CONFIG");
        throw new GatewayError("GW_CONFIG", error.message, { cause: thrown });
    }
}

function parse(properties: GatewayProperties): GatewayOptions {
    const platform = choiceOption(properties, "platform", gatewayRules.platform);
    // The simulator speaks plain MQTT on this machine only, whatever the form was set to before it was chosen.
    const transport = platform === "simulator" ? "tcp" : choiceOption(properties, "transport", gatewayRules.transport);
    if (platform === "maximo" && !encryptedTransports.includes(transport)) {
        throw new GatewayError("GW_CONFIG", translate("option.maximoTransport", { value: properties[shownAs]?.transport ?? transport }));
    }
    const identity = {
        orgId: idOption(properties, "orgId", parseOrgId),
        typeId: idOption(properties, "typeId", parseTypeId),
        deviceId: idOption(properties, "deviceId", parseDeviceId),
    };
    return {
        identity,
        platform,
        ...brokerOptions(properties, platform, identity),
        host: platform === "simulator" ? "127.0.0.1" : hostOption(properties),
        port: numberOption(properties, "port", { ...gatewayRules.port, fallback: defaultPort(platform, transport) }),
        transport,
        // Whatever the form was set to before, only websockets have one.
        path: transport === "ws" || transport === "wss" ? pathOption(properties) : "/",
        autoConnect: booleanOption(properties, "autoConnect", gatewayRules.autoConnect),
        cleanSession: booleanOption(properties, "cleanSession", gatewayRules.cleanSession),
        keepAliveS: numberOption(properties, "keepAlive", gatewayRules.keepAlive),
        outbox: choiceOption(properties, "outbox", gatewayRules.outbox),
        outboxMaxBytes: Math.floor(numberOption(properties, "outboxMaxMb", gatewayRules.outboxMaxMb) * 1_048_576),
        outboxMaxAgeMs: numberOption(properties, "outboxMaxAge", gatewayRules.outboxMaxAge) * 3_600_000,
        outboxFull: choiceOption(properties, "outboxFull", gatewayRules.outboxFull),
        outboxReservedShare: numberOption(properties, "outboxReserve", gatewayRules.outboxReserve) / 100,
        undeliveredMaxBytes: Math.floor(numberOption(properties, "undeliveredMaxMb", gatewayRules.undeliveredMaxMb) * 1_048_576),
        maxRate: numberOption(properties, "maxRate", gatewayRules.maxRate),
        maxRateBytes: numberOption(properties, "maxRateKb", gatewayRules.maxRateKb) * 1000,
        maxInFlight: numberOption(properties, "maxInFlight", gatewayRules.maxInFlight),
        registrationLimit: numberOption(properties, "registrationLimit", gatewayRules.registrationLimit),
        registrationBackoffMs: numberOption(properties, "registrationBackoff", gatewayRules.registrationBackoff) * 1000,
        idRule: choiceOption(properties, "idRule", gatewayRules.idRule),
    };
}

function idOption(properties: GatewayProperties, name: string, parse: (value: unknown) => string): string {
    const value = givenOption(properties, name);
    const shown = properties[shownAs]?.[name];
    // A reference to a variable is no id either, so the error shows it in place of the value.
    return parse(shown !== undefined && !isLegalId(String(value), idRule) ? shown : value);
}

/** What can be chosen for the user's own broker only, whatever the form was set to before another platform was chosen. */
function brokerOptions(
    properties: GatewayProperties,
    platform: Platform,
    identity: GatewayIdentity,
): Pick<GatewayOptions, "clientId" | "userName" | "registration" | "eventTopic" | "commandTopic" | "willEventId"> {
    const isBroker = platform === "broker";
    const templates = {
        eventTopic: isBroker ? textOption(properties, "eventTopic") : "",
        commandTopic: isBroker ? textOption(properties, "commandTopic") : "",
    };
    const topics = gatewayTopics({ identity, ...templates });
    const will = textOption(properties, "will");
    const willEventId = will === "" ? undefined : new IdParser(topics, "strict").parse("eventId", will, "will");
    if (willEventId !== undefined && topics.areOwn) assertLevelsFit(topics.eventTopic(identity, willEventId, "text"));
    return {
        ...templates,
        clientId: (isBroker && mqttText(properties, "clientId")) || mqttClientId(identity),
        userName: (isBroker && mqttText(properties, "userName")) || undefined,
        registration: isBroker ? choiceOption(properties, "registration", gatewayRules.registration) : "always",
        willEventId,
    };
}

function mqttText(properties: GatewayProperties, name: string): string {
    const text = textOption(properties, name);
    if (text === "" || isLegalId(text, mqttTextRule)) return text;
    const { maxBytes } = mqttTextRule;
    throw new GatewayError(
        "GW_CONFIG",
        translate("option.mqttText", {
            property: name,
            value: properties[shownAs]?.[name] ?? JSON.stringify(shortened(text, 60)),
            maxBytes,
        }),
    );
}

function hostOption(properties: GatewayProperties): string {
    const host = textOption(properties, "host").trim();
    if (hostPattern.test(host)) return host;
    throw new GatewayError("GW_CONFIG", translate("option.host", { value: shownAddress(properties, "host", host) }));
}

/** An address as errors show it. */
function shownAddress(properties: GatewayProperties, name: string, address: string): string {
    return JSON.stringify(properties[shownAs]?.[name] ?? withoutSecrets(address));
}

function pathOption(properties: GatewayProperties): string {
    const path = textOption(properties, "path") || gatewayRules.path.fallback;
    if (pathPattern.test(path)) return path;
    throw new GatewayError("GW_CONFIG", translate("option.path", { value: shownAddress(properties, "path", path) }));
}
