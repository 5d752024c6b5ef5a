import { connectAsync, type MqttClient } from "mqtt";
import { type Simulator, type SimulatorOptions, startSimulator } from "../../../src/simulator/simulator";
import { waitFor } from "../wait-for";
import { RecordedGateway, type TestGatewayOptions } from "./recorded-gateway";

/** A simulated platform, an application that receives every event, and gateways. */
export class GatewayBench {
    readonly simulator: Simulator;
    /** The payloads of each device as the application received them, repeats included. */
    readonly delivered = new Map<string, number[]>();
    readonly #application: MqttClient;
    readonly #gateways: RecordedGateway[] = [];

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
        const application = await connectAsync(`mqtt://127.0.0.1:${simulator.port}`, { clientId: "a:org:app", clean: false });
        const bench = new GatewayBench(simulator, application);
        await application.subscribeAsync("iot-2/type/+/id/+/evt/+/fmt/+", { qos: 1 });
        return bench;
    }

    /** Starts a gateway with a back-off of two seconds, and waits until its notifications are subscribed. */
    async gateway(properties: TestGatewayOptions = {}): Promise<RecordedGateway> {
        const member = new RecordedGateway(this.simulator.port, { registrationBackoff: "2", ...properties });
        this.#gateways.push(member);
        member.receiveNotifications();
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
        for (const gateway of this.#gateways) await gateway.close();
        await this.#application.endAsync(true);
        await this.simulator.close();
    }
}
