import { connectAsync, type MqttClient } from "mqtt";
import { systemClock } from "../../../src/clock";
import type { GatewayError } from "../../../src/errors";
import type { CompletionMode } from "../../../src/gateway/events/event-request";
import type { ReceivedNotification } from "../../../src/gateway/events/refusal-handler";
import { Gateway } from "../../../src/gateway/gateway";
import type { LateMessage } from "../../../src/gateway/gateway-listeners";
import { parseGatewayOptions } from "../../../src/gateway/gateway-options";
import type { Qos } from "../../../src/protocol/qos";
import { type Simulator, type SimulatorOptions, startSimulator } from "../../../src/simulator/simulator";
import { waitFor } from "../wait-for";

/** An error that came after its message was completed, or beside it. */
export interface LateFailure {
    readonly nodeId: string;
    readonly error: GatewayError;
    readonly message: LateMessage;
}

/** What a test may choose of an event. */
interface EventChoice {
    readonly qos?: Qos;
    readonly eventId?: string;
    readonly messageId?: string;
    readonly typeId?: string;
    readonly completion?: CompletionMode;
    readonly ttlMs?: number;
    /** Called with the outcome, in place of keeping it. */
    readonly settled?: (outcome: string) => void;
}

/** Properties as in the editor, the user directory for what is kept on disk, and options for Node's TLS. */
export type BenchProperties = Readonly<Record<string, unknown>> & { readonly userDir?: string; readonly tls?: object };

/** A gateway without Node-RED, and everything it told. */
export class BenchGateway {
    readonly gateway: Gateway;
    readonly late: LateFailure[] = [];
    readonly problems: GatewayError[] = [];
    readonly warnings: string[] = [];
    readonly notifications: ReceivedNotification[] = [];
    /** By message id: `done`, or the code of its error. */
    readonly outcomes = new Map<string, string>();
    #messages = 0;

    constructor(port: number, { userDir, tls = {}, ...properties }: BenchProperties) {
        const options = parseGatewayOptions({
            platform: "broker",
            host: "127.0.0.1",
            port,
            transport: "tcp",
            orgId: "org",
            typeId: "gw",
            deviceId: "gw1",
            outbox: "memory",
            registrationBackoff: "2",
            ...properties,
        });
        this.gateway = new Gateway({ options, token: "", tls: { ...tls }, userDir, clock: systemClock });
        this.gateway.listen({
            stateChanged: () => {},
            problem: (error) => this.problems.push(error),
            log: () => {},
            warn: (text) => this.warnings.push(text),
            failedLater: (nodeId, error, message) => this.late.push({ nodeId, error, message }) > 0,
            failedOrphan: () => {},
        });
        this.gateway.onNotification({
            received: (notification) => this.notifications.push(notification),
            rejectionChanged: () => {},
        });
    }

    /** Publishes an event with a number as payload; returns its message id. */
    publish(deviceId: string, payload: number, choice: EventChoice = {}): string {
        const { qos = 1, eventId = "e", completion = "acknowledged", ttlMs, messageId = `m${++this.#messages}`, typeId = "t" } = choice;
        const { settled = (outcome: string) => this.outcomes.set(messageId, outcome) } = choice;
        this.gateway.publishEvent(
            {
                device: { typeId, deviceId },
                eventId,
                format: "json",
                payload: String(payload),
                qos,
                completionMode: completion,
                ttlMs,
                messageId,
                nodeId: "event-node",
            },
            {
                done: () => settled("done"),
                failed: (error) => settled(error.code),
            },
        );
        return messageId;
    }

    /** Waits for the outcome of a message. */
    outcome(messageId: string): Promise<string> {
        return waitFor(() => this.outcomes.get(messageId), `the outcome of ${messageId}`);
    }

    /** Waits for the late errors of a code. */
    async lateErrors(code: string, count = 1): Promise<LateFailure[]> {
        const found = () => this.late.filter(({ error }) => error.code === code);
        await waitFor(() => found().length >= count, `${count} times ${code}`);
        return found();
    }
}

/** A simulated platform, an application that receives every event, and gateways. */
export class GatewayBench {
    readonly simulator: Simulator;
    /** The payloads of each device as the application received them, repeats included. */
    readonly delivered = new Map<string, number[]>();
    readonly #application: MqttClient;
    readonly #gateways: BenchGateway[] = [];

    private constructor(simulator: Simulator, application: MqttClient) {
        this.simulator = simulator;
        this.#application = application;
        application.on("message", (topic, payload) => {
            const device = topic.split("/")[4] ?? "";
            const seen = this.delivered.get(device) ?? [];
            seen.push(Number(payload.toString()));
            this.delivered.set(device, seen);
        });
    }

    static async start(options: SimulatorOptions = {}): Promise<GatewayBench> {
        const simulator = await startSimulator({ port: 0, httpPort: 0, ...options });
        const application = await connectAsync(`mqtt://127.0.0.1:${simulator.port}`, { clientId: "a:org:app" });
        const bench = new GatewayBench(simulator, application);
        await application.subscribeAsync("iot-2/type/+/id/+/evt/+/fmt/+", { qos: 1 });
        return bench;
    }

    /** Starts a gateway and waits until its notifications are subscribed. */
    async gateway(properties: BenchProperties = {}): Promise<BenchGateway> {
        const member = new BenchGateway(this.simulator.port, properties);
        this.#gateways.push(member);
        const { deviceId } = member.gateway.identity;
        member.gateway.start();
        await waitFor(() => this.simulator.observed.counts(`g:org:gw:${deviceId}`).subscribe ?? 0, "the notify subscription");
        return member;
    }

    /** Waits until the application has received these payloads of the device, repeats left out. */
    async receives(device: string, payloads: readonly number[]): Promise<void> {
        const expected = payloads.join();
        const received = () => [...new Set(this.delivered.get(device) ?? [])].join();
        await waitFor(() => received() === expected, `${device} to deliver ${expected}`).catch((error: unknown) => {
            throw new Error(`${String(error)}; it delivered ${received()}`);
        });
    }

    /** How many publishes of the device came to the platform. */
    publishes(device: string): number {
        return this.simulator.observed.packets().filter(({ command, topic }) => command === "publish" && topic?.split("/")[4] === device)
            .length;
    }

    async close(): Promise<void> {
        for (const { gateway } of this.#gateways) await gateway.close(3000);
        await this.#application.endAsync(true);
        await this.simulator.close();
    }
}
