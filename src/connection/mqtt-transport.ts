import type { IPublishPacket, MqttClient, Packet } from "mqtt";
import { writeToStream } from "mqtt-packet";
import { systemChance } from "../chance";
import { translate } from "../i18n";
import type { Qos } from "../protocol/qos";
import { type DialOptions, dial, type RawStream } from "./dial";
import type { LinkListener } from "./link";
import { LinkStream } from "./link-stream";
import { assertMqttClient, createMqttClient } from "./mqtt-client";
import { MqttSession } from "./mqtt-session";
import { packetFault } from "./packet-fault";
import { PublishPacket } from "./publish-packet";
import type { AcknowledgementWriter } from "./received-messages";
import type {
    DialProgress,
    SubscribeAnswer,
    Transport,
    TransportEnd,
    TransportFactory,
    TransportOptions,
    TransportOwner,
} from "./transport";
import { UnacknowledgedPublishes } from "./unacknowledged-publishes";

/**
 * Makes connections with MQTT.js, a new client for each attempt. One factory serves one client id: it carries what a durable
 * session remembers from one connection to the next.
 * @param random a number from 0 to below 1
 * @param open opens the stream under a connection
 * @throws GW_CONFIG when MQTT.js is not the one that this package was made for
 */
export function mqttTransportFactory(
    random: () => number = systemChance.random,
    open: (options: DialOptions) => RawStream = dial,
): TransportFactory {
    assertMqttClient();
    const session = new MqttSession(random);
    return (options, owner, listener) => new MqttTransport(options, owner, listener, { session, rawStream: open(options) });
}

/**
 * MQTT.js connects, subscribes and decodes messages. Publishes and acknowledgements are written and read here: MQTT.js would clone each message
 * for a store that sends it again, which the outbox does, and it would read nothing more until a message is acknowledged.
 */
class MqttTransport implements Transport {
    readonly traffic: LinkStream;
    readonly #owner: TransportOwner;
    readonly #listener: LinkListener;
    readonly #session: MqttSession;
    readonly #rawStream: RawStream;
    readonly #client: MqttClient;
    readonly #cleanSession: boolean;
    readonly #unacknowledged: UnacknowledgedPublishes;
    #writable = true;
    #refusal = 0;
    #failure: unknown;
    #violation: string | undefined;
    #phase: "connecting" | "connected" | "parting" | "ended" = "connecting";
    #receivedPublishes = 0;
    /** Packets that MQTT.js has read, and whose message, if they had one, was handed over. */
    #handledPackets = 0;
    /** Sizes of the PUBLISH packets that come without their payload, by their number. */
    readonly #oversized = new Map<number, number>();
    #mayNotHandOver = false;
    /** Hands over a message that may not be handed over yet: a durable session may send before MQTT.js has reported the connection. */
    #unread: (() => void) | undefined;
    /** Reads on once the server has taken our acknowledgements. */
    #readOnWhenDrained: (() => void) | undefined;

    constructor(options: TransportOptions, owner: TransportOwner, listener: LinkListener, { session, rawStream }: MqttTransportDeps) {
        this.#owner = owner;
        this.#listener = listener;
        this.#session = session;
        this.#unacknowledged = new UnacknowledgedPublishes(session);
        this.#cleanSession = options.cleanSession;
        this.#rawStream = rawStream;
        this.traffic = new LinkStream(rawStream.stream, listener, {
            violated: (detail) => this.#violated(detail),
            acknowledged: (packetId, preceding) => this.#acknowledged(packetId, preceding),
            oversized: (publish, bytes) => this.#oversized.set(publish, bytes),
        });
        this.traffic.on("error", (error) => this.#failed(error));
        this.traffic.on("drain", () => this.#drained());
        this.#client = createMqttClient(this.traffic, options, session.ids, {
            packetReceived: (packet) => this.#inspect(packet),
            messageReceived: (packet, qos, readOn) => this.#received(packet, qos, readOn),
        });
        this.#client.on("connect", ({ sessionPresent }) => this.#connected(sessionPresent));
        // The stream reports its own errors; the rest is what MQTT.js could not read or did not expect.
        this.#client.on("error", (error) => {
            if (!isSystemError(error)) this.#violated(translate("connection.unreadable", { message: error.message }));
        });
        this.#client.on("close", () => this.#end());
    }

    get progress(): DialProgress {
        return this.#rawStream;
    }

    get isWritable(): boolean {
        return this.#writable && this.#phase === "connected";
    }

    get isReadingHeld(): boolean {
        return this.#mayNotHandOver && this.#unread !== undefined;
    }

    publish(topic: string, payload: string | Buffer, qos: Qos, settled: () => void): void {
        const messageId = qos === 0 ? 0 : this.#unacknowledged.add(qos, settled);
        if (messageId === null) {
            // This connection is of no more use, the next one is.
            this.destroy();
            return;
        }
        this.#writable = this.traffic.writePacket(new PublishPacket(topic, payload, qos, messageId));
        if (qos === 0) settled();
    }

    subscribe(filter: string, qos: Qos, answered: (answer: SubscribeAnswer) => void): void {
        this.#client.subscribe(filter, { qos }, (_error, _subscriptions, packet) => {
            const granted = packet?.granted[0];
            answered(typeof granted === "number" ? granted : undefined);
        });
    }

    unsubscribe(filter: string, answered: (acknowledged: boolean) => void): void {
        this.#client.unsubscribe(filter, (error) => answered(!error));
    }

    ping(): void {
        if (this.#phase === "connected") this.#client.sendPing();
    }

    disconnect(): void {
        if (this.#phase !== "connected") {
            this.destroy();
            return;
        }
        this.#phase = "parting";
        this.#session.received.connectionEnded(this.#acknowledge);
        // Not `client.end`, which waits for every acknowledgement first: the platform may withhold one indefinitely.
        writeToStream({ cmd: "disconnect" }, this.traffic);
        this.traffic.end();
    }

    holdReading(isHeld: boolean): void {
        this.#mayNotHandOver = isHeld;
        this.#handOverUnread();
    }

    destroy(): void {
        this.#session.received.connectionEnded(this.#acknowledge);
        this.traffic.destroy();
    }

    #drained(): void {
        this.#writable = true;
        const readOn = this.#readOnWhenDrained;
        this.#readOnWhenDrained = undefined;
        readOn?.();
        if (this.#phase === "connected") this.#listener.drained();
    }

    #failed(error: Error): void {
        if (this.#phase !== "ended") this.#failure ??= error;
    }

    /** MQTT.js drops the rest of a chunk in which it cannot read a packet, and that may hold anything: only a new connection helps. */
    #violated(detail: string): void {
        if (this.#phase === "ended" || this.#refusal !== 0) return;
        this.#violation ??= detail;
        this.destroy();
    }

    /**
     * A PUBACK that nothing precedes is settled before MQTT.js sees it. Any other waits in the stream: it would overtake a notification that has
     * not been handed over yet, and a refused event would count as delivered.
     */
    #acknowledged(packetId: number, preceding: number): boolean {
        const isNext = preceding === this.#handledPackets && packetId > 0 && this.#phase === "connected";
        if (isNext) this.#unacknowledged.acknowledged(packetId);
        return isNext;
    }

    /** Sees each packet that passes the framing filter, in the order in which they came. */
    #inspect(packet: Packet): void {
        if (packet.cmd !== "publish") this.#handledPackets += 1;
        const fault = packetFault(packet);
        if (fault !== undefined) {
            this.#violated(fault);
            return;
        }
        switch (packet.cmd) {
            case "puback":
            case "pubcomp":
                this.#unacknowledged.acknowledged(packet.messageId ?? 0);
                break;
            case "pubrec":
                if (this.#unacknowledged.has(packet.messageId ?? 0)) this.#release(packet.messageId ?? 0);
                break;
            case "pingresp":
                this.#owner.pinged();
                break;
            case "publish":
                this.#receivedPublishes += 1;
                break;
            case "pubrel":
                this.#session.received.released(packet.messageId ?? 0);
                break;
            case "connack":
                if (this.#phase !== "connecting") break;
                this.#refusal = packet.returnCode ?? 0;
                if (this.#refusal === 0) this.#session.connectionStarted(packet.sessionPresent, this.#acknowledge);
        }
    }

    #connected(sessionPresent: boolean): void {
        if (this.#phase !== "connecting") return;
        this.#phase = "connected";
        this.#failure = undefined;
        // QoS 2 publishes of an earlier connection: their messages are published again under other ids.
        for (const messageId of this.#session.unreleased) this.#release(messageId);
        this.#owner.connected(sessionPresent);
        this.#handOverUnread();
    }

    #release(messageId: number): void {
        writeToStream({ cmd: "pubrel", messageId }, this.traffic);
    }

    #received(packet: IPublishPacket, qos: Qos, readOn: () => void): void {
        const oversizedBytes = this.#oversized.get(this.#receivedPublishes);
        this.#oversized.delete(this.#receivedPublishes);
        this.#unread = () => {
            this.#handOver(packet, qos, oversizedBytes);
            this.#handledPackets += 1;
            // A server that does not take our acknowledgements must not fill our memory with them.
            if (qos === 0 || this.#writable) readOn();
            else this.#readOnWhenDrained = readOn;
        };
        this.#handOverUnread();
    }

    #handOverUnread(): void {
        if (this.#phase === "connecting" || this.#phase === "ended" || this.#violation !== undefined || this.#mayNotHandOver) return;
        const handOver = this.#unread;
        this.#unread = undefined;
        handOver?.();
    }

    #handOver(packet: IPublishPacket, qos: Qos, oversizedBytes: number | undefined): void {
        const { topic, dup: duplicate, retain, messageId: packetId = 0 } = packet;
        const payload = typeof packet.payload === "string" ? Buffer.from(packet.payload) : packet.payload;
        const message = { topic, payload, qos, duplicate, retain, oversizedBytes };
        if (qos === 0) {
            this.#listener.messageReceived(message, () => undefined);
            return;
        }
        // After our DISCONNECT no acknowledgement leaves any more: what a durable session sends again would come twice.
        if (this.#phase === "parting" && !this.#cleanSession) return;
        const { received } = this.#session;
        const reception = received.received({ packetId, qos, duplicate, topic, payload });
        if (reception) this.#listener.messageReceived(message, () => received.accepted(reception));
    }

    readonly #acknowledge: AcknowledgementWriter = ({ packetId, qos }) => {
        // Not `writeToStream`, which does not say of an acknowledgement whether the stream wants a pause.
        this.#writable = this.traffic.write(Buffer.of(qos === 1 ? puback : pubrec, 2, packetId >> 8, packetId & 0xff));
    };

    #end(): void {
        if (this.#phase === "ended") return;
        this.#phase = "ended";
        this.#unread = undefined;
        this.#readOnWhenDrained = undefined;
        this.#session.connectionEnded(this.#unacknowledged.incomplete, this.#acknowledge);
        this.#owner.ended(this.#reasonOfEnd());
    }

    #reasonOfEnd(): TransportEnd {
        const { stage, certificate, proxy } = this.#rawStream;
        if (this.#refusal !== 0) return { kind: "refused", returnCode: this.#refusal };
        if (this.#violation !== undefined) return { kind: "violated", detail: this.#violation };
        if (this.#failure === undefined) return { kind: "closed", stage };
        return { kind: "failed", stage, error: this.#failure, certificate, proxy };
    }
}

const puback = 0x40;
const pubrec = 0x50;

interface MqttTransportDeps {
    readonly session: MqttSession;
    readonly rawStream: RawStream;
}

/** Whether an error comes from the operating system or from TLS, as opposed to MQTT. */
function isSystemError(error: Error): boolean {
    return "code" in error && typeof error.code === "string";
}
