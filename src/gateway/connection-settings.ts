import { type TestStep, testConnect, testEndpoint } from "../connection/connection-test";
import type { TransportOptions } from "../connection/transport";
import { gatewayTopics } from "../protocol/gateway-topics";
import { mqttClientId, mqttUserName } from "../protocol/identity";
import { shownAs } from "../settings";
import type { GatewayOptions, GatewayProperties } from "./gateway-options";

export type { TestStep } from "../connection/connection-test";

/** The settings that a connection is made of. */
export interface ConnectionSettings {
    readonly options: GatewayOptions;
    /** The authentication token; empty = none, as with a client certificate. */
    readonly token: string;
    /** Options for Node's TLS. */
    readonly tls: Readonly<Record<string, unknown>>;
}

/**
 * Tests name, port and encryption with these settings; sends no credentials and disturbs no session.
 * @param properties what the options were read from: findings show the variables in them in place of their values
 */
export function testGatewayEndpoint(settings: ConnectionSettings, properties: GatewayProperties): Promise<TestStep[]> {
    return testEndpoint(transportOptions(settings), { shown: shownOptions(settings.options, properties) });
}

/** Tests these settings with a real CONNECT, which ends a session of the same client id elsewhere. */
export function testGatewayConnect(settings: ConnectionSettings, properties: GatewayProperties): Promise<TestStep> {
    return testConnect(transportOptions(settings), { shown: shownOptions(settings.options, properties) });
}

function shownOptions({ host, port, transport, identity, clientId }: GatewayOptions, { [shownAs]: shown = {} }: GatewayProperties) {
    const ofIdentity = mqttClientId({
        orgId: shown.orgId ?? identity.orgId,
        typeId: shown.typeId ?? identity.typeId,
        deviceId: shown.deviceId ?? identity.deviceId,
    });
    return {
        host: shown.host ?? host,
        port: shown.port ?? port,
        transport: shown.transport ?? transport,
        clientId: clientId === mqttClientId(identity) ? ofIdentity : (shown.clientId ?? clientId),
    };
}

/** The options of the transport that connects a gateway with these settings. */
export function transportOptions({ options, token, tls }: ConnectionSettings): TransportOptions {
    const { host, port, transport, path, clientId, keepAliveS, cleanSession } = options;
    const userName = options.userName ?? (token === "" ? undefined : mqttUserName);
    return {
        host,
        port,
        transport,
        path,
        tls,
        clientId,
        ...(userName !== undefined && { userName }),
        ...(token !== "" && { password: token }),
        keepAliveS,
        cleanSession,
        will: lastWill(options),
        missingOrganisation: missingOrganisation(options),
    };
}

/** Over websockets the platform finds the organisation by the first label of the host name, and resets the connection otherwise. */
function missingOrganisation({ platform, transport, host, identity }: GatewayOptions): string | undefined {
    const isExpected = platform === "maximo" && (transport === "ws" || transport === "wss");
    const [label = ""] = host.toLowerCase().split(".");
    return isExpected && label !== identity.orgId.toLowerCase() ? identity.orgId : undefined;
}

/** The server by which state is kept apart: what one server knows of devices says nothing about another. */
export function serverKey({ platform, host, port }: Pick<GatewayOptions, "platform" | "host" | "port">): string {
    const name = host.toLowerCase().replace(/\.$/, "");
    return platform === "maximo" ? name : `${name}:${port}`;
}

function lastWill(options: GatewayOptions) {
    const { identity, willEventId } = options;
    if (willEventId === undefined) return undefined;
    return { topic: gatewayTopics(options).eventTopic(identity, willEventId, "text"), payload: "offline", qos: 1 } as const;
}
