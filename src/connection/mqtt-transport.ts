import type { IPublishPacket, MqttClient, Packet } from "mqtt";
import { writeToStream } from "mqtt-packet";
import { translate } from "../i18n";
import type { Qos } from "../protocol/qos";
import { dial, type RawStream } from "./dial";
import { LinkStream } from "./link-stream";
import { createMqttClient } from "./mqtt-client";
import { MqttSession } from "./mqtt-session";
import type {
    DialProgress,
    SubscribeAnswer,
    Transport,
    TransportEnd,
    TransportFactory,
    TransportListener,
    TransportOptions,
} from "./transport";

const disconnectPacket = Buffer.from([0xe0, 0x00]);

/**
 * Makes connections with MQTT.js, a new client for each attempt. One factory serves one client id: it carries what a durable
 * session remembers from one connection to the next.
 */
export function mqttTransportFactory(random: () => number = Math.random): TransportFactory {
    const session = new MqttSession<Packet>(random);
    return (options, listener) => new MqttTransport(options, listener, session);
}

class MqttTransport implements Transport {
    readonly traffic: LinkStream;
    readonly #listener: TransportListener;
    readonly #session: MqttSession<Packet>;
    readonly #rawStream: RawStream;
    readonly #client: MqttClient;
    /** Ids of QoS 2 publishes the server has not completed. */
    readonly #incomplete = new Set<number>();
    #writable = true;
    #refusal = 0;
    #failure: unknown;
    #violation: string | undefined;
    #phase: "connecting" | "connected" | "ended" = "connecting";
    /** A message that came before MQTT.js reported the connection: a durable session may send at once. */
    #early: (() => void) | undefined;

    constructor(options: TransportOptions, listener: TransportListener, session: MqttSession<Packet>) {
        this.#listener = listener;
        this.#session = session;
        this.#rawStream = dial(options);
        const failed = (error: Error) => this.#failed(error);
        this.traffic = new LinkStream(
            this.#rawStream.stream,
            () => listener.strayPing(),
            (detail) => this.#violated(detail),
            failed,
        );
        this.traffic.on("drain", () => this.#drained());
        this.#client = createMqttClient(this.traffic, options, session);
        this.#client.handleMessage = (packet, done) => this.#received(packet, done);
        this.#client.on("packetreceive", (packet) => this.#inspect(packet));
        this.#client.on("connect", ({ sessionPresent }) => this.#connected(sessionPresent));
        // The stream tells its errors itself; the rest is what MQTT.js could not read or did not expect.
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

    publish(topic: string, payload: string | Buffer, qos: Qos, settled: () => void): void {
        const messageId = qos === 0 ? 0 : this.#session.ids.allocate();
        if (messageId === null) {
            // All 65 535 ids wait for an acknowledgement: this connection is of no more use, the next one is.
            this.destroy();
            return;
        }
        if (qos > 0) this.#expectAcknowledgement(messageId, qos, settled);
        // Past `client.publish`, which clones each message for a store that would send it again.
        this.#note(writeToStream({ cmd: "publish", topic, payload, qos, messageId, dup: false, retain: false }, this.traffic));
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
        // Not `client.end`, which waits for every acknowledgement first: the platform may withhold one for ever.
        this.traffic.write(disconnectPacket);
        this.traffic.end();
    }

    destroy(): void {
        this.traffic.destroy();
    }

    #expectAcknowledgement(messageId: number, qos: Qos, settled: () => void): void {
        if (qos === 2) this.#incomplete.add(messageId);
        const acknowledged = (error: Error | null | undefined) => {
            if (error) return;
            if (qos === 2) this.#incomplete.delete(messageId);
            settled();
        };
        this.#client.outgoing[messageId] = { volatile: false, cmd: "publish", cb: acknowledged };
    }

    #note(writable: boolean): void {
        this.#writable = writable;
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

    #inspect(packet: Packet): void {
        const fault = packetFault(packet);
        if (fault !== undefined) this.#violated(fault);
        if (packet.cmd !== "connack" || this.#phase !== "connecting") return;
        this.#refusal = packet.returnCode ?? 0;
        if (this.#refusal === 0 && !packet.sessionPresent) this.#session.reset();
    }

    #connected(sessionPresent: boolean): void {
        if (this.#phase !== "connecting") return;
        this.#phase = "connected";
        this.#failure = undefined;
        for (const messageId of this.#session.unreleased) this.#release(messageId);
        this.#listener.connected(sessionPresent);
        const early = this.#early;
        this.#early = undefined;
        early?.();
    }

    /** Completes a QoS 2 publish of an earlier connection; its message is published again under another id. */
    #release(messageId: number): void {
        const released = () => this.#session.released(messageId);
        this.#client.outgoing[messageId] = { volatile: false, cmd: "pubrel", cb: (error) => error || released() };
        writeToStream({ cmd: "pubrel", messageId }, this.traffic);
    }

    #received(packet: IPublishPacket, done: () => void): void {
        const { topic, payload, qos, dup: duplicate, retain } = packet;
        const bytes = typeof payload === "string" ? Buffer.from(payload) : payload;
        const accepted = () => {
            if (this.#phase !== "ended") done();
        };
        const deliver = () => this.#listener.messageReceived({ topic, payload: bytes, qos, duplicate, retain }, accepted);
        if (this.#phase === "connected") deliver();
        else this.#early = deliver;
    }

    #end(): void {
        if (this.#phase === "ended") return;
        this.#phase = "ended";
        this.#early = undefined;
        this.#session.connectionEnded(this.#incomplete);
        this.#listener.ended(this.#reasonOfEnd());
    }

    #reasonOfEnd(): TransportEnd {
        const { stage, certificate, proxy } = this.#rawStream;
        if (this.#refusal !== 0) return { kind: "refused", returnCode: this.#refusal };
        if (this.#violation !== undefined) return { kind: "violated", detail: this.#violation };
        if (this.#failure === undefined) return { kind: "closed", stage };
        return { kind: "failed", stage, error: this.#failure, certificate, proxy };
    }
}

/** Whether an error comes from the operating system or from TLS, as opposed to MQTT. */
function isSystemError(error: Error): boolean {
    return "code" in error && typeof error.code === "string";
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
