import { type TestStep, testConnect, testEndpoint } from "../connection/connection-test";
import type { TransportOptions } from "../connection/transport";
import { mqttClientId, mqttUserName } from "../protocol/identity";
import { eventTopic } from "../protocol/topic";
import type { GatewayOptions } from "./gateway-options";

export type { TestStep } from "../connection/connection-test";

/** The settings that a connection is made of. */
export interface ConnectionSettings {
    readonly options: GatewayOptions;
    /** The authentication token; empty = none, as with a client certificate. */
    readonly token: string;
    /** Options for Node's TLS. */
    readonly tls: Readonly<Record<string, unknown>>;
}

/** Tests name, port and encryption with these settings; sends no credentials and disturbs no session. */
export function testGatewayEndpoint(settings: ConnectionSettings): Promise<TestStep[]> {
    return testEndpoint(transportOptions(settings));
}

/** Tests these settings with a real CONNECT, which ends a session of the same client id elsewhere. */
export function testGatewayConnect(settings: ConnectionSettings): Promise<TestStep> {
    return testConnect(transportOptions(settings));
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
