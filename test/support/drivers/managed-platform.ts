import assert from "node:assert/strict";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import path from "node:path";
import type { Gateway } from "../../../src/gateway/gateway";
import type { FlowMessage } from "../../../src/management/flow-message";
import type { ResponderOptions } from "../../../src/management/responder";
import { isRecord } from "../../../src/protocol/json";
import type { ReceivedPacket } from "../../../src/simulator/observation";
import { type Simulator, type SimulatorOptions, startSimulator } from "../../../src/simulator/simulator";
import { TestResponder } from "../doubles/management-bench";
import { SkippingClock } from "../doubles/skipping-clock";
import { waitFor } from "../wait-for";
import { testEvent, testGateway } from "./recorded-gateway";

/** A device management message that the gateway published. */
export interface Published {
    readonly topic: string;
    readonly suffix: string;
    readonly device: string;
    readonly payload: string;
    readonly json: Record<string, unknown>;
    readonly packet: ReceivedPacket;
}

/** The simulator with one gateway on it, over MQTT, and what they said to each other about device management. */
export class ManagedPlatform {
    readonly clock = new SkippingClock();
    readonly clientId = "g:org:mygw:gw1";
    readonly published: Published[] = [];
    readonly #directory = mkdtempSync(path.join(tmpdir(), "wiotp-gateway-management-"));
    readonly #properties: Record<string, unknown>;
    #gateway: Gateway | undefined;

    private constructor(
        readonly simulator: Simulator,
        properties: Record<string, unknown>,
    ) {
        this.#properties = properties;
        simulator.observed.onPacket((packet) => this.#observe(packet));
    }

    /** Starts the platform, and a gateway with these properties that is not connected yet. */
    static async start(properties: Record<string, unknown> = {}, options: SimulatorOptions = {}): Promise<ManagedPlatform> {
        const simulator = await startSimulator({ port: 0, httpPort: 0, organisation: "org", ...options });
        return new ManagedPlatform(simulator, properties);
    }

    get gateway(): Gateway {
        this.#gateway ??= testGateway(this.simulator.port, {
            typeId: "mygw",
            keepAlive: "3600",
            userDir: this.#directory,
            clock: this.clock,
            ...this.#properties,
        });
        return this.#gateway;
    }

    responder(options: Partial<ResponderOptions> = {}): TestResponder {
        const attach: ConstructorParameters<typeof TestResponder>[0] = (settings, listener) => {
            const { input, close } = this.gateway.respond(settings, { ...listener, rejectionChanged: () => undefined });
            return { input, detach: close };
        };
        return new TestResponder(attach, options);
    }

    /** Connects the gateway, and waits until device management is subscribed if somebody answers. */
    async connect({ subscribed = true } = {}): Promise<void> {
        this.gateway.start();
        this.gateway.flowsStarted();
        await this.online();
        if (subscribed) await this.subscribed();
    }

    async online(): Promise<void> {
        await waitFor(() => this.gateway.state.connection.phase === "online", "the connection");
    }

    /** Waits until the platform has the filter of device management. */
    async subscribed(times = 1): Promise<void> {
        await waitFor(() => this.subscribes("iotdm-1/type/+/id/+/#").length >= times, "the subscription of device management");
    }

    subscribes(filter: string): ReceivedPacket[] {
        return this.simulator.observed.packets().filter(({ command, filters }) => command === "subscribe" && filters?.includes(filter));
    }

    /** Ends the gateway, as a restart of Node-RED does; the next use makes a new one. */
    async endGateway(): Promise<void> {
        await this.#gateway?.close(4500);
        this.#gateway = undefined;
    }

    async close(): Promise<void> {
        await this.endGateway();
        await this.simulator.close();
        rmSync(this.#directory, { recursive: true, force: true });
    }

    /** Sends as the platform's own device management server does. */
    send(suffix: string, body: unknown, device = "s/1"): void {
        const [typeId, deviceId] = device.split("/");
        const payload = Buffer.isBuffer(body) ? body : typeof body === "string" ? body : JSON.stringify(body);
        this.simulator.publish("org", `iotdm-1/type/${typeId}/id/${deviceId}/${suffix}`, payload, 1);
    }

    /** Sends an event, which registers the device, and waits until it is done. */
    async event(device = "s/1"): Promise<void> {
        const [typeId = "", deviceId = ""] = device.split("/");
        await new Promise<void>((resolve, reject) => {
            this.gateway.publishEvent(testEvent({ device: { typeId, deviceId }, eventId: "status" }), {
                done: resolve,
                failed: reject,
            });
        });
    }

    /** Waits for a published message; each is given once. */
    async next(suffix: string, device?: string): Promise<Published> {
        const fits = (each: Published) => each.suffix === suffix && (device === undefined || each.device === device);
        const index = await waitFor(
            () => {
                const found = this.published.findIndex(fits);
                return found < 0 ? undefined : { found };
            },
            `${suffix} of ${device ?? "any device"}`,
        );
        const [message] = this.published.splice(index.found, 1);
        assert.ok(message);
        return message;
    }

    /** Waits for the next request that reaches the flow, after those already seen. */
    async request(responder: TestResponder, count = 1): Promise<FlowMessage> {
        await waitFor(() => responder.requests.length >= count, `request ${count}`);
        const request = responder.requests[count - 1];
        assert.ok(request);
        return { dm: request.dm, payload: request.payload };
    }

    /** Waits until everything the platform sent so far has been handled: a request that nobody knows has been answered. */
    async settled(): Promise<void> {
        const reqId = `probe-${this.simulator.observed.total("publish")}`;
        this.send("no/such/request", { reqId });
        await waitFor(() => this.published.some(({ json }) => json.reqId === reqId), "the answer to a probe");
        const index = this.published.findIndex(({ json }) => json.reqId === reqId);
        this.published.splice(index, 1);
    }

    #observe(packet: ReceivedPacket): void {
        const { command, topic = "", payload } = packet;
        if (command !== "publish" || !topic.startsWith("iotdevice-1/") || !payload) return;
        const [, , typeId, , deviceId, ...levels] = topic.split("/");
        const json: unknown = JSON.parse(payload.toString());
        assert.ok(isRecord(json));
        this.published.push({
            topic,
            suffix: levels.join("/"),
            device: `${typeId}/${deviceId}`,
            payload: payload.toString(),
            json,
            packet,
        });
    }
}
