import type { IConnectPacket, IPublishPacket, ISubscribePacket, ISubscription, IUnsubscribePacket } from "mqtt-packet";
import type { Platform } from "../platform";
import type { PlainTopics } from "../sessions/plain-topics";
import { isPlainFilter, isPlainTopic } from "../topic-rules";
import type { PlainAdmission } from "./admission";
import { Client } from "./client";
import type { PacketStream } from "./packet-stream";

const maxSubscriptions = 10_000;

/** An ordinary MQTT client, to which no rule of the platform applies. */
export class PlainClient extends Client {
    readonly #topics: PlainTopics;

    constructor(platform: Platform, stream: PacketStream, { topics, clientId, will }: PlainAdmission, packet: IConnectPacket) {
        super({ platform, stream, space: topics, clientId, will }, packet);
        this.#topics = topics;
    }

    protected override receivePublish(packet: IPublishPacket): void {
        if (!isPlainTopic(packet.topic)) {
            this.close(276);
            return;
        }
        this.expectAnswer(packet.payload.length);
        const messageId = packet.messageId ?? 0;
        if (packet.qos < 2 || !this.session.isUnreleased(messageId)) {
            if (packet.qos === 2) this.session.receive(messageId);
            const { topic, qos, retain } = packet;
            this.#topics.publish({ topic, payload: Buffer.from(packet.payload), qos, retain });
        }
        this.acknowledge(packet);
    }

    protected override receiveSubscribe(packet: ISubscribePacket): void {
        const first = packet.subscriptions[0]?.topic;
        const { faults } = this.platform;
        const isRefused = faults.take("refuseSubscribe", this.clientId, first) !== undefined;
        const granted = packet.subscriptions.map((subscription) => (!isRefused && this.#subscribe(subscription) ? subscription.qos : 0x80));
        if (!faults.take("withholdSuback", this.clientId, first)) this.send({ cmd: "suback", messageId: packet.messageId ?? 0, granted });
        packet.subscriptions.forEach(({ topic }, index) => {
            if (granted[index] !== 0x80) this.#topics.sendRetained(this.session, topic);
        });
    }

    protected override receiveUnsubscribe(packet: IUnsubscribePacket): void {
        for (const filter of packet.unsubscriptions) this.#topics.unsubscribe(this.session, filter);
        this.send({ cmd: "unsuback", messageId: packet.messageId ?? 0, granted: [] });
    }

    protected override wireTopic(topic: string): string {
        return topic;
    }

    protected override connected(): void {}

    protected override disconnected(): void {}

    #subscribe({ topic, qos }: ISubscription): boolean {
        const { subscriptions } = this.session;
        if (!isPlainFilter(topic) || (subscriptions.size >= maxSubscriptions && !subscriptions.has(topic))) return false;
        this.#topics.subscribe(this.session, topic, topic, qos, undefined);
        return true;
    }
}
