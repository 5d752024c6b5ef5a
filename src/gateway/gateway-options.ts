import { GatewayError, toGatewayError } from "../errors";
import { say } from "../i18n";
import { type GatewayIdentity, parseDeviceId, parseLevel, parseOrgId, parseTypeId } from "../protocol/identity";
import { booleanOption, choiceOption, givenOption, numberOption, textOption, withoutSecrets } from "../settings";

/** Where the gateway connects to: Maximo's IoT tool, any MQTT broker, or the simulator inside this process. */
export const platforms = ["maximo", "broker", "simulator"] as const;
/** How MQTT travels. */
export const transports = ["tls", "tcp", "wss", "ws"] as const;
/** Where events wait: on disk, in memory, or nowhere. */
export const outboxKinds = ["disk", "memory", "off"] as const;
/** What happens to a new event when the outbox is full. */
export const fullPolicies = ["reject", "drop-oldest"] as const;

export type Platform = (typeof platforms)[number];
export type TransportKind = (typeof transports)[number];
export type OutboxKind = (typeof outboxKinds)[number];
export type FullPolicy = (typeof fullPolicies)[number];

/** The properties of a `gateway-config` node as Node-RED hands them over: strings, and only what the user ever set. */
export type GatewayProperties = Readonly<Record<string, unknown>>;

/** The settings of one gateway, checked and with every default filled in. Contains no secret. */
export interface GatewayOptions {
    readonly identity: GatewayIdentity;
    readonly platform: Platform;
    readonly host: string;
    readonly port: number;
    readonly transport: TransportKind;
    readonly path: string;
    readonly cleanSession: boolean;
    readonly keepAliveS: number;
    readonly outbox: OutboxKind;
    readonly outboxMaxBytes: number;
    readonly outboxMaxAgeMs: number;
    readonly outboxFull: FullPolicy;
    /** Events per second at most; 0 = no limit. */
    readonly maxRate: number;
    readonly maxInFlight: number;
    readonly registrationLimit: number;
    readonly registrationBackoffMs: number;
    /** Event id of the last will; undefined = none. */
    readonly willEventId: string | undefined;
}

/** The port that is meant when none is given. */
export function defaultPort(platform: Platform, transport: TransportKind): number {
    if (platform === "simulator") return 18830;
    if (platform === "maximo") return 443;
    return { tls: 8883, tcp: 1883, wss: 443, ws: 80 }[transport];
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
    const platform = choiceOption(properties, "platform", platforms, "maximo");
    // The simulator speaks plain MQTT on this machine only, whatever the form was set to before it was chosen.
    const transport = platform === "simulator" ? "tcp" : choiceOption(properties, "transport", transports, "tls");
    if (platform === "maximo" && transport !== "tls" && transport !== "wss") {
        throw new GatewayError("GW_CONFIG", say("option.maximoTransport", { value: transport }));
    }
    const willEventId = textOption(properties, "will");
    const lifetime = numberOption(properties, "outboxMaxAge", { fallback: 168, min: 0, above: true, max: 87_600 });
    return {
        identity: {
            orgId: parseOrgId(givenOption(properties, "orgId")),
            typeId: parseTypeId(givenOption(properties, "typeId")),
            deviceId: parseDeviceId(givenOption(properties, "deviceId")),
        },
        platform,
        host: platform === "simulator" ? "127.0.0.1" : hostOption(properties),
        port: numberOption(properties, "port", { fallback: defaultPort(platform, transport), min: 1, max: 65_535, whole: true }),
        transport,
        // Whatever the form was set to before, only websockets have one.
        path: transport === "ws" || transport === "wss" ? pathOption(properties) : "/",
        cleanSession: booleanOption(properties, "cleanSession", true),
        keepAliveS: numberOption(properties, "keepAlive", { fallback: 60, min: 1, max: 3600, whole: true }),
        outbox: choiceOption(properties, "outbox", outboxKinds, "disk"),
        outboxMaxBytes: Math.floor(
            numberOption(properties, "outboxMaxMb", { fallback: 100, min: 0, above: true, max: 1_000_000 }) * 1_048_576,
        ),
        outboxMaxAgeMs: lifetime * 3_600_000,
        outboxFull: choiceOption(properties, "outboxFull", fullPolicies, "reject"),
        maxRate: numberOption(properties, "maxRate", { fallback: 0, min: 0, max: 1_000_000 }),
        maxInFlight: numberOption(properties, "maxInFlight", { fallback: 100, min: 1, max: 1000, whole: true }),
        registrationLimit: numberOption(properties, "registrationLimit", { fallback: 8, min: 1, max: 128, whole: true }),
        registrationBackoffMs: numberOption(properties, "registrationBackoff", { fallback: 600, min: 1, max: 86_400 }) * 1000,
        willEventId: willEventId === "" ? undefined : parseLevel(willEventId, "will"),
    };
}

/** A name or an address, without what a copied URL has around it. */
function isHost(host: string): boolean {
    const isIpv6 = /^[0-9A-Fa-f:.]+(?:%\w+)?$/.test(host) && host.split(":").length > 2;
    return isIpv6 || /^[^\s/:@?#[\]\\]+$/.test(host);
}

function hostOption(properties: GatewayProperties): string {
    const host = textOption(properties, "host").trim();
    if (isHost(host)) return host;
    throw new GatewayError("GW_CONFIG", say("option.host", { value: JSON.stringify(withoutSecrets(host)) }));
}

function pathOption(properties: GatewayProperties): string {
    const path = textOption(properties, "path") || "/";
    if (/^\/[^\s#]*$/.test(path)) return path;
    throw new GatewayError("GW_CONFIG", say("option.path", { value: JSON.stringify(withoutSecrets(path)) }));
}
