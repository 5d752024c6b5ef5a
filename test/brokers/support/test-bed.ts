import { Socket } from "node:net";
import { connectAsync, type MqttClient } from "mqtt";
import type { Clock } from "../../../src/clock";
import { FastClock } from "../../support/doubles/fast-clock";
import { FaultyLine } from "../../support/doubles/faulty-line";
import type { BrokerUser, RunningBroker } from "../../support/drivers/broker-process";
import { RecordedGateway, type TestGatewayOptions } from "../../support/drivers/recorded-gateway";
import { secretToken } from "../../support/secrets";
import { waitFor } from "../../support/wait-for";

/** The gateway may use its own type and type `t`; devices of any other type are denied. */
export const gatewayUser: BrokerUser = {
    name: "use-token-auth",
    password: secretToken,
    publish: ["iot-2/type/t/id/+/evt/#", "iot-2/type/gw/id/+/evt/#"],
    subscribe: ["iot-2/type/t/id/+/cmd/#", "iot-2/type/gw/id/+/notify"],
};

/** An application may use every topic. */
export const applicationUser: BrokerUser = { name: "application", password: "application", publish: ["#"], subscribe: ["#"] };

const events = "iot-2/type/+/id/+/evt/#";

/** A broker with the clients of one test: gateways behind a line that can be cut, and applications. */
export class TestBed {
    readonly broker: RunningBroker;
    readonly clock: Clock;
    readonly #name: string;
    readonly #closers: (() => Promise<void> | void)[] = [];
    #clients = 0;

    /**
     * @param name distinguishes the clients from those of other tests on the same broker
     * @param pace how fast the clock of gateways runs
     */
    constructor(broker: RunningBroker, name: string, pace: number) {
        this.broker = broker;
        this.#name = name;
        this.clock = new FastClock(pace);
    }

    /** A gateway that is online, and its line to the broker. */
    async gateway(properties: TestGatewayOptions = {}): Promise<{ gateway: RecordedGateway; line: FaultyLine }> {
        const line = await FaultyLine.to(this.broker.port);
        const deviceId = `${this.#name}-${++this.#clients}`;
        const gateway = new RecordedGateway(line.port, { deviceId, registration: "auto", ...properties });
        this.#closers.push(async () => {
            await gateway.close();
            line.close();
        });
        gateway.gateway.start();
        await waitFor(() => gateway.isOnline, "the gateway to be online").catch((error: Error) => {
            throw new Error(`${error.message}; it reported: ${gateway.lines.join(" | ")}`);
        });
        return { gateway, line };
    }

    /** An application that receives the events of every device. One that is `durable` keeps its session. */
    async application({ durable = false } = {}): Promise<Application> {
        const client = await connectAsync(`mqtt://127.0.0.1:${this.broker.port}`, {
            clientId: `${this.#name}-application-${++this.#clients}`,
            username: applicationUser.name,
            password: applicationUser.password,
            clean: !durable,
            reconnectPeriod: 200,
            // It would not be known when that is done.
            resubscribe: false,
        });
        const application = new Application(client, durable);
        client.on("error", () => {});
        this.#closers.push(() => application.close());
        await application.subscribed();
        return application;
    }

    /** Closes everything but the broker. */
    async close(): Promise<void> {
        for (const close of this.#closers.splice(0).reverse()) await close();
    }
}

/** An application, and what it received. */
export class Application {
    readonly #client: MqttClient;
    readonly received: { readonly topic: string; readonly payload: Buffer }[] = [];
    readonly #isDurable: boolean;
    #receivedMs = 0;

    constructor(client: MqttClient, isDurable: boolean) {
        this.#client = client;
        this.#isDurable = isDurable;
        if (client.stream instanceof Socket) client.stream.setNoDelay();
        // A broker that waits for each acknowledgement would otherwise deliver 25 events a second.
        client.on("connect", () => client.stream instanceof Socket && client.stream.setNoDelay());
        client.on("message", (topic, payload) => {
            this.received.push({ topic, payload });
            this.#receivedMs = performance.now();
        });
    }

    /** Resolves when the server has its subscription, also after a restart. */
    async subscribed(): Promise<void> {
        await waitFor(() => this.#client.connected, "the application to be connected");
        await this.#client.subscribeAsync(events, { qos: 1 });
    }

    /** The numbers that came for a device, in their order. */
    numbersOf(deviceId: string): number[] {
        return this.received.filter(({ topic }) => topic.split("/")[4] === deviceId).map(({ payload }) => Number(payload.toString()));
    }

    /** The numbers that came for any device. */
    numbers(): Set<number> {
        return new Set(this.received.map(({ payload }) => Number(payload.toString())));
    }

    /** Sends a command. */
    async command(payload: string, { typeId = "t", deviceId = "d", commandId = "c" } = {}): Promise<void> {
        await this.#client.publishAsync(`iot-2/type/${typeId}/id/${deviceId}/cmd/${commandId}/fmt/json`, payload, { qos: 1 });
    }

    /** Sends the same command until it has arrived: until then the gateway may not have subscribed. */
    async sendUntil(payload: string, hasArrived: () => boolean): Promise<void> {
        const isThere = async () => {
            await this.command(payload);
            return hasArrived();
        };
        await waitFor(isThere, `the command ${payload}`);
    }

    /** Resolves when nothing has come for a while. */
    async quiet(): Promise<void> {
        const sinceMs = performance.now();
        await waitFor(() => performance.now() - Math.max(this.#receivedMs, sinceMs) > 1000, "the last event");
    }

    /** Disconnects; the server keeps the session, if it was durable. */
    async leave(): Promise<void> {
        await this.#client.endAsync();
    }

    /** Connects again and subscribes. */
    async comeBack(): Promise<void> {
        this.#client.reconnect();
        await this.subscribed();
    }

    async close(): Promise<void> {
        // A durable subscription from before a kill keeps ActiveMQ from delivering events on new topics to others.
        if (this.#isDurable && this.#client.connected) await this.#client.unsubscribeAsync(events);
        await this.#client.endAsync(true);
    }
}
