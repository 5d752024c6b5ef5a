import type { Clock } from "../clock";
import type { TransportOptions } from "../connection/transport";
import { mqttClientId, mqttUserName } from "../protocol/identity";
import { eventTopic } from "../protocol/topic";
import type { GatewayOptions } from "./gateway-options";

/** What a gateway is made of. */
export interface GatewayDeps {
    readonly options: GatewayOptions;
    /** The authentication token; empty = none, as with a client certificate. */
    readonly token: string;
    /** Options for Node's TLS. */
    readonly tls: Readonly<Record<string, unknown>>;
    /** Node-RED's user directory, below which the outbox files are; undefined = nothing is kept on disk. */
    readonly userDir: string | undefined;
    readonly clock: Clock;
}

/** What connects a gateway of these parts. */
export function transportOptions({ options, token, tls }: Pick<GatewayDeps, "options" | "token" | "tls">): TransportOptions {
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
