import type { IPublishPacket, MqttClient, Packet } from "mqtt";
import { writeToStream } from "mqtt-packet";
import { translate } from "../i18n";
import type { Qos } from "../protocol/qos";
import { type DialOptions, dial, type RawStream } from "./dial";
import type { LinkListener } from "./link";
import { LinkStream } from "./link-stream";
import { createMqttClient } from "./mqtt-client";
import { MqttSession } from "./mqtt-session";
import type {
    DialProgress,
    SubscribeAnswer,
    Transport,
    TransportEnd,
    TransportFactory,
    TransportOptions,
    TransportOwner,
} from "./transport";

/**
 * Makes connections with MQTT.js, a new client for each attempt. One factory serves one client id: it carries what a durable
 * session remembers from one connection to the next.
 * @param random a number from 0 to below 1
 * @param open opens the stream under a connection
 */
export function mqttTransportFactory(
    random: () => number = Math.random,
    open: (options: DialOptions) => RawStream = dial,
): TransportFactory {
    const session = new MqttSession(random);
    return (options, owner, listener) => new MqttTransport(options, owner, listener, { session, rawStream: open(options) });
}

/**
 * MQTT.js connects, subscribes, decodes what comes in and acknowledges the messages that were accepted. Publishing is done here: MQTT.js
 * would clone each message for a store that sends it again, which the outbox does.
 */
class MqttTransport implements Transport {
    readonly traffic: LinkStream;
    readonly #owner: TransportOwner;
    readonly #listener: LinkListener;
    readonly #session: MqttSession;
    readonly #rawStream: RawStream;
    readonly #client: MqttClient;
    readonly #cleanSession: boolean;
    /** What waits for its acknowledgement (PUBACK, with QoS 2 PUBCOMP), by packet id. */
    readonly #unacknowledged = new Map<number, () => void>();
    /** Ids of QoS 2 publishes the server has not completed. */
    readonly #incomplete = new Set<number>();
    #writable = true;
    #refusal = 0;
    #failure: unknown;
    #violation: string | undefined;
    #phase: "connecting" | "connected" | "parting" | "ended" = "connecting";
    #receivedPublishes = 0;
    /** Sizes of the PUBLISH packets that come without their payload, by their number. */
    readonly #oversized = new Map<number, number>();
    /** A message that came before MQTT.js reported the connection: a durable session may send at once. */
    #early: (() => void) | undefined;
    #receivedMessages = 0;
    #unacceptedMessage = 0;

    constructor(options: TransportOptions, owner: TransportOwner, listener: LinkListener, { session, rawStream }: MqttTransportDeps) {
        this.#owner = owner;
        this.#listener = listener;
        this.#session = session;
        this.#cleanSession = options.cleanSession;
        this.#rawStream = rawStream;
        this.traffic = new LinkStream(rawStream.stream, listener, {
            violated: (detail) => this.#violated(detail),
            oversized: (publish, bytes) => this.#oversized.set(publish, bytes),
        });
        this.traffic.on("error", (error) => this.#failed(error));
        this.traffic.on("drain", () => this.#drained());
        this.#client = createMqttClient(this.traffic, options, session.ids, {
            received: (packet, accepted) => this.#received(packet, accepted),
            released: (messageId) => session.released(messageId),
        });
        this.#client.on("packetreceive", (packet) => this.#inspect(packet));
        this.#client.on("connect", ({ sessionPresent }) => this.#connected(sessionPresent));
        // The stream reports its own errors; the rest is what MQTT.js could not read or did not expect.
        this.#client.on(
            "error",
            (error) => isSystemError(error) || this.#violated(translate("connection.unreadable", { message: error.message })),
        );
        this.#client.on("close", () => this.#end());
    }

    get progress(): DialProgress {
        return this.#rawStream;
    }

    get isWritable(): boolean {
        return this.#writable && this.#phase === "connected";
    }

    get unacceptedMessage(): number {
        return this.#unacceptedMessage;
    }

    publish(topic: string, payload: string | Buffer, qos: Qos, settled: () => void): void {
        const messageId = qos === 0 ? 0 : this.#session.ids.allocate();
        if (messageId === null) {
            // All 65 535 ids wait for an acknowledgement: this connection is of no more use, the next one is.
            this.destroy();
            return;
        }
        if (qos > 0) this.#unacknowledged.set(messageId, settled);
        if (qos === 2) this.#incomplete.add(messageId);
        this.#writable = writeToStream({ cmd: "publish", topic, payload, qos, messageId, dup: false, retain: false }, this.traffic);
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
        // Not `client.end`, which waits for every acknowledgement first: the platform may withhold one indefinitely.
        writeToStream({ cmd: "disconnect" }, this.traffic);
        this.traffic.end();
    }

    destroy(): void {
        this.traffic.destroy();
    }

    #drained(): void {
        this.#writable = true;
        if (this.#phase === "connected") this.#listener.drained();
    }

    #failed(error: Error): void {
        if (this.#phase !== "ended") this.#failure ??= error;
    }

    /** MQTT.js drops the rest of a chunk in which it cannot read a packet, and that may hold anything: only a new connection helps. */
    #violated(detail: string): void {
        if (this.#phase === "ended" || this.#refusal !== 0) return;
        this.#violation ??= detail;
        this.traffic.destroy();
    }

    /**
     * Sees each packet before MQTT.js handles it, in the order in which they came. The framing filter could find the acknowledgements
     * sooner, but then they would overtake a notification that waits behind a message not accepted yet, and a refused event count as delivered.
     */
    #inspect(packet: Packet): void {
        const fault = packetFault(packet);
        if (fault !== undefined) {
            this.#violated(fault);
            return;
        }
        switch (packet.cmd) {
            case "puback":
            case "pubcomp":
                this.#completed(packet.messageId ?? 0);
                break;
            case "pubrec":
                if (this.#unacknowledged.has(packet.messageId ?? 0)) this.#release(packet.messageId ?? 0);
                break;
            case "publish":
                this.#receivedPublishes += 1;
                break;
            case "connack":
                if (this.#phase !== "connecting") break;
                this.#refusal = packet.returnCode ?? 0;
                if (this.#refusal === 0 && !packet.sessionPresent) this.#session.reset();
        }
    }

    #connected(sessionPresent: boolean): void {
        if (this.#phase !== "connecting") return;
        this.#phase = "connected";
        this.#failure = undefined;
        // QoS 2 publishes of an earlier connection: their messages are published again under other ids.
        for (const messageId of this.#session.unreleased) this.#release(messageId);
        this.#owner.connected(sessionPresent);
        const early = this.#early;
        this.#early = undefined;
        early?.();
    }

    #release(messageId: number): void {
        writeToStream({ cmd: "pubrel", messageId }, this.traffic);
    }

    /** An acknowledgement for which nothing waits, such as a repeated one, changes nothing. */
    #completed(messageId: number): void {
        const settled = this.#unacknowledged.get(messageId);
        this.#unacknowledged.delete(messageId);
        this.#incomplete.delete(messageId);
        if (settled) this.#session.ids.deallocate(messageId);
        else this.#session.completed(messageId);
        settled?.();
    }

    #received(packet: IPublishPacket, accepted: () => void): void {
        const oversizedBytes = this.#oversized.get(this.#receivedPublishes);
        this.#oversized.delete(this.#receivedPublishes);
        const deliver = () => this.#deliver(packet, oversizedBytes, accepted);
        if (this.#phase === "connecting") this.#early = deliver;
        else if (this.#phase !== "ended") deliver();
    }

    #deliver(packet: IPublishPacket, oversizedBytes: number | undefined, accepted: () => void): void {
        const { topic, payload, qos, dup: duplicate, retain, messageId = 0 } = packet;
        const isRepeated = qos === 2 && duplicate && this.#session.hasReceived(messageId);
        if (isRepeated || this.#isLeftToNextConnection(qos)) {
            accepted();
            return;
        }
        const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
        this.#receivedMessages += 1;
        const number = this.#receivedMessages;
        this.#unacceptedMessage = number;
        this.#listener.messageReceived({ topic, payload: bytes, qos, duplicate, retain, oversizedBytes }, () => {
            if (this.#unacceptedMessage !== number) return;
            this.#unacceptedMessage = 0;
            if (this.#phase === "ended") return;
            if (qos === 2) this.#session.noteReceived(messageId);
            // Here MQTT.js writes the PUBACK, or the PUBREC, and goes on reading.
            accepted();
        });
    }

    /** After our DISCONNECT no acknowledgement leaves any more: a message that a durable session sends again would come twice. */
    #isLeftToNextConnection(qos: Qos): boolean {
        return this.#phase === "parting" && qos > 0 && !this.#cleanSession;
    }

    #end(): void {
        if (this.#phase === "ended") return;
        this.#phase = "ended";
        this.#early = undefined;
        this.#session.connectionEnded(this.#incomplete);
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

interface MqttTransportDeps {
    readonly session: MqttSession;
    readonly rawStream: RawStream;
}

/** What of a received packet is looked at. */
interface PacketShape {
    readonly cmd: string;
    readonly messageId?: number | undefined;
    /** Bytes after the fixed header. */
    readonly length?: number | undefined;
    /** The return codes of a SUBACK. */
    readonly granted?: unknown;
}

/**
 * What is wrong with a packet that MQTT.js lets through, in a sentence; undefined when nothing is. It reads a missing packet id as
 * -1, or from the packet that follows, which would acknowledge something else.
 */
function packetFault({ cmd, messageId, length, granted }: PacketShape): string | undefined {
    const isCut = packetsOfAnId.has(cmd) && length !== undefined && length < 2;
    if (isCut || (messageId !== undefined && messageId < 1)) return translate("connection.noPacketId", { packet: cmd.toUpperCase() });
    if (cmd !== "suback" || !Array.isArray(granted) || granted.length === 1) return undefined;
    return translate("connection.returnCodes", { count: granted.length });
}

const packetsOfAnId: ReadonlySet<string> = new Set(["puback", "pubrec", "pubrel", "pubcomp", "suback", "unsuback"]);

/** Whether an error comes from the operating system or from TLS, as opposed to MQTT. */
function isSystemError(error: Error): boolean {
    return "code" in error && typeof error.code === "string";
}
