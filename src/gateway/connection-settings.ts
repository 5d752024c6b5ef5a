import { type TestStep, testConnect, testEndpoint } from "../connection/connection-test";
import type { TransportOptions } from "../connection/transport";
import { mqttClientId, mqttUserName } from "../protocol/identity";
import { eventTopic } from "../protocol/topic";
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

function shownOptions({ host, port, transport, identity }: GatewayOptions, { [shownAs]: shown = {} }: GatewayProperties) {
    return {
        host: shown.host ?? host,
        port: shown.port ?? port,
        transport: shown.transport ?? transport,
        clientId: mqttClientId({
            orgId: shown.orgId ?? identity.orgId,
            typeId: shown.typeId ?? identity.typeId,
            deviceId: shown.deviceId ?? identity.deviceId,
        }),
    };
}

/** The options of the transport that connects a gateway with these settings. */
export function transportOptions({ options, token, tls }: ConnectionSettings): TransportOptions {
    const { host, port, transport, path, keepAliveS, cleanSession } = options;
    return {
        host,
        port,
        transport,
        path,
        tls,
        clientId: mqttClientId(options.identity),
        ...(token === "" ? {} : { userName: mqttUserName, password: token }),
        keepAliveS,
        cleanSession,
        will: lastWill(options),
    };
}

function lastWill({ identity, willEventId }: GatewayOptions) {
    if (willEventId === undefined) return undefined;
    return { topic: eventTopic(identity, willEventId, "text"), payload: "offline", qos: 1 } as const;
}
