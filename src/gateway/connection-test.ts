import { type TestStep, testConnect, testLine } from "../connection/connection-test";
import type { TransportOptions } from "../connection/transport";
import { mqttClientId, mqttUserName } from "../protocol/identity";
import type { GatewayOptions } from "./gateway-options";

export type { TestStep } from "../connection/connection-test";

/** Tests the connection that a gateway with these settings would make. */
export class ConnectionTest {
    readonly #transport: TransportOptions;

    constructor(options: GatewayOptions, tls: Readonly<Record<string, unknown>>, token: string) {
        const { host, port, transport, path, identity, keepAliveS, cleanSession } = options;
        const credentials = token === "" ? {} : { userName: mqttUserName, password: token };
        this.#transport = { host, port, transport, path, tls, clientId: mqttClientId(identity), keepAliveS, cleanSession, ...credentials };
    }

    /** Name, port and encryption; sends no credentials and disturbs nobody. */
    line(): Promise<TestStep[]> {
        return testLine(this.#transport);
    }

    /** A real CONNECT, which ends a session of the same client id elsewhere. */
    connect(): Promise<TestStep> {
        return testConnect(this.#transport);
    }
}
