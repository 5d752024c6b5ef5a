import { type Simulator, type SimulatorOptions, startSimulator } from "../../../src/simulator/simulator";
import { type ConnectFields, RawClient } from "./raw-client";

/** A simulator and its clients for one test; `close` ends all of them. */
export class TestPlatform {
    readonly simulator: Simulator;
    readonly #clients: RawClient[] = [];

    private constructor(simulator: Simulator) {
        this.simulator = simulator;
    }

    static async start(options: SimulatorOptions = {}): Promise<TestPlatform> {
        return new TestPlatform(await startSimulator({ port: 0, httpPort: 0, notificationDelayMs: 0, ...options }));
    }

    get port(): number {
        return this.simulator.port;
    }

    async open(): Promise<RawClient> {
        return this.#keep(await RawClient.open(this.port));
    }

    async connect(clientId: string, fields?: ConnectFields): Promise<RawClient> {
        return this.#keep(await RawClient.connect(this.port, clientId, fields));
    }

    /** A gateway that listens to its notifications. */
    async gateway(deviceId = "gw1", fields?: ConnectFields): Promise<RawClient> {
        const client = await this.connect(`g:org:mygw:${deviceId}`, fields);
        await client.subscribe(`iot-2/type/mygw/id/${deviceId}/notify`, 0);
        return client;
    }

    /** An application that receives every event. */
    async application(filter = "iot-2/type/+/id/+/evt/+/fmt/+"): Promise<RawClient> {
        const client = await this.connect("a:org:app");
        await client.subscribe(filter);
        return client;
    }

    async close(): Promise<void> {
        for (const client of this.#clients) client.destroy();
        await this.simulator.close();
    }

    #keep(client: RawClient): RawClient {
        this.#clients.push(client);
        return client;
    }
}

/** A notification as a test expects it: the time is checked for its form and left out. */
export async function nextNotification(client: RawClient): Promise<Record<string, unknown>> {
    const message = await client.next((packet) => packet.cmd === "publish" && packet.topic.endsWith("/notify"));
    if (message.cmd !== "publish") throw new Error("not a publish");
    const notification: Record<string, unknown> = JSON.parse(message.payload.toString());
    const { Time, ...rest } = notification;
    if (typeof Time !== "string" || !/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/.test(Time)) throw new Error(`Time is ${String(Time)}`);
    return rest;
}

/** The whole text of a notification with the time replaced, so that field order is compared as well. */
export async function nextNotificationText(client: RawClient): Promise<string> {
    const message = await client.next((packet) => packet.cmd === "publish" && packet.topic.endsWith("/notify"));
    if (message.cmd !== "publish") throw new Error("not a publish");
    return message.payload.toString().replace(/"Time":"[^"]*"/, '"Time":"T"');
}
