import { type Clock, systemClock } from "../../../src/clock";
import type { GatewayError } from "../../../src/errors";
import { Gateway } from "../../../src/gateway/gateway";
import { parseGatewayOptions } from "../../../src/gateway/gateway-options";
import type { GatewayState } from "../../../src/gateway/gateway-state";
import type { ReceivedCommand } from "../../../src/gateway/inbound/message-router";
import { assertNoSecrets, secretToken } from "../../support/secrets";
import { waitFor } from "../../support/wait-for";

/** A gateway without Node-RED, everything it says, and the commands it hands over. */
export class WatchedGateway {
    readonly gateway: Gateway;
    readonly problems: GatewayError[] = [];
    /** Every line for the log: problems, warnings and the rest. */
    readonly lines: string[] = [];
    readonly commands: ReceivedCommand[] = [];
    /** `done` or the error code of each event, in the order in which they were decided. */
    readonly outcomes: string[] = [];
    state: GatewayState;

    constructor(port: number, properties: Record<string, unknown> = {}, clock: Clock = systemClock) {
        const options = parseGatewayOptions({
            platform: "broker",
            host: "127.0.0.1",
            port,
            transport: "tcp",
            orgId: "org",
            typeId: "gw",
            deviceId: "gw1",
            outbox: "memory",
            ...properties,
        });
        this.gateway = new Gateway({ options, token: secretToken, tls: {}, userDir: undefined, clock });
        this.state = this.gateway.state;
        this.gateway.listen({
            stateChanged: (state) => {
                this.state = state;
            },
            problem: (error) => {
                this.problems.push(error);
                this.lines.push(error.message);
            },
            log: (text) => this.lines.push(text),
            warn: (text) => this.lines.push(text),
            failedLater: (_nodeId, error) => this.lines.push(error.message) > 0,
            failedOrphan: (error) => void this.lines.push(error.message),
        });
        this.gateway.onCommand({ target: "device", parts: {} }, 1, {
            received: (command) => void this.commands.push(command),
            rejectionChanged: (error) => error && this.lines.push(error.message),
        });
        this.gateway.start();
        this.gateway.flowsStarted();
    }

    get isOnline(): boolean {
        return this.state.connection.phase === "online";
    }

    /** Waits for a problem whose text matches, and returns it. */
    problem(text: RegExp): Promise<GatewayError> {
        return waitFor(() => this.problems.find(({ message }) => text.test(message)), `a problem like ${text}`).catch((error: Error) => {
            throw new Error(`${error.message}; there were: ${this.problems.map(({ message }) => message).join(" | ")}`);
        });
    }

    /** Publishes an event of QoS 1 on behalf of a device. */
    publish(deviceId = "d1"): void {
        this.gateway.publishEvent(
            {
                device: { typeId: "t", deviceId },
                eventId: "e",
                format: "json",
                payload: "{}",
                qos: 1,
                completionMode: "acknowledged",
                ttlMs: undefined,
                messageId: "m",
                nodeId: "n",
            },
            { done: () => this.outcomes.push("done"), failed: (error) => this.outcomes.push(error.code) },
        );
    }

    /** Ends it; fails when its token is in anything that it said. */
    async close(): Promise<void> {
        await this.gateway.close(3000);
        assertNoSecrets([["what the gateway said", [...this.lines, JSON.stringify(this.state)].join("\n")]]);
    }
}
