import { type TestStep, testConnect, testEndpoint } from "../connection/connection-test";
import type { TransportOptions } from "../connection/transport";
import type { GatewayOptions } from "./gateway-options";
import { transportOptions } from "./gateway-parts";

export type { TestStep } from "../connection/connection-test";

/** Tests the connection that a gateway with these settings would make. */
export class ConnectionTest {
    readonly #transport: TransportOptions;

    constructor(options: GatewayOptions, tls: Readonly<Record<string, unknown>>, token: string) {
        this.#transport = transportOptions({ options, tls, token });
    }

    /** Name, port and encryption; sends no credentials and disturbs nobody. */
    endpoint(): Promise<TestStep[]> {
        return testEndpoint(this.#transport);
    }

    /** A real CONNECT, which ends a session of the same client id elsewhere. */
    connect(): Promise<TestStep> {
        return testConnect(this.#transport);
    }
}
