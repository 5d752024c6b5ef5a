import type { IPublishPacket } from "mqtt-packet";
import type { TestPlatform } from "./platform";
import type { RawClient } from "./raw-client";

/** A message of device management, taken apart. */
export interface ManagementMessage {
    typeId: string;
    deviceId: string;
    suffix: string;
    reqId: string | undefined;
    /** The whole body as it came. */
    body: Record<string, unknown>;
}

function parse({ topic, payload }: IPublishPacket): ManagementMessage {
    const [, , typeId = "", , deviceId = "", ...suffix] = topic.split("/");
    const body: Record<string, unknown> = JSON.parse(payload.toString());
    return { typeId, deviceId, suffix: suffix.join("/"), reqId: typeof body.reqId === "string" ? body.reqId : undefined, body };
}

/** A gateway's side of device management, by hand. */
export class ManagedGateway {
    readonly client: RawClient;
    #count = 0;

    constructor(client: RawClient) {
        this.client = client;
    }

    static async connect(platform: TestPlatform, clean = true): Promise<ManagedGateway> {
        const client = await platform.connect("g:org:mygw:gw1", { clean });
        const gateway = new ManagedGateway(client);
        await client.subscribe("iotdm-1/type/+/id/+/#", 1);
        return gateway;
    }

    /** Sends a request and returns the body of the answer without its reqId, which has been compared. */
    async request(suffix: string, d?: unknown, device = "sensor/s1"): Promise<Record<string, unknown>> {
        this.#count++;
        const reqId = `r${this.#count}`;
        await this.send(suffix, { ...(d === undefined ? {} : { d }), reqId }, device);
        const { body } = await this.next("response");
        const { reqId: answered, ...answer } = body;
        if (answered !== reqId) throw new Error(`The answer is to ${String(answered)}.`);
        return answer;
    }

    /** Publishes any body as it is. */
    async send(suffix: string, body: unknown, device = "sensor/s1"): Promise<void> {
        const [typeId, deviceId] = device.split("/");
        const text = typeof body === "string" ? body : JSON.stringify(body);
        await this.client.publish(`iotdevice-1/type/${typeId}/id/${deviceId}/${suffix}`, text);
    }

    /** The next message of the platform; fails when it is not the expected one. */
    async next(suffix: string): Promise<ManagementMessage> {
        const message = parse(await this.client.message());
        if (message.suffix !== suffix) throw new Error(`Expected ${suffix}, got ${message.suffix}: ${JSON.stringify(message.body)}`);
        return message;
    }

    /** Waits for a request of the platform and answers it. */
    async answer(suffix: string, rc: number, more: Record<string, unknown> = {}): Promise<ManagementMessage> {
        const message = await this.next(suffix);
        await this.send("response", { rc, reqId: message.reqId, ...more }, `${message.typeId}/${message.deviceId}`);
        return message;
    }

    /** Notifies a firmware value and checks that the platform takes it. */
    async notifyFirmware(value: Record<string, unknown>): Promise<Record<string, unknown>> {
        return this.request("notify", { fields: [{ field: "mgmt.firmware", value }] });
    }
}
