import type { Duplex } from "node:stream";
import { type IClientOptions, type IPublishPacket, MqttClient, type Packet, Store } from "mqtt";
import type { MessageIds } from "./mqtt-session";
import type { TransportOptions } from "./transport";

const neverMs = 2 ** 31 - 1;

/**
 * An MQTT.js client on a stream that does no more than encode, decode and acknowledge. It never reconnects, resends, resubscribes or
 * queues, and it remembers nothing.
 */
export function createMqttClient(stream: Duplex, options: TransportOptions, ids: MessageIds, listener: IncomingListener): MqttClient {
    const client = new MqttClient(() => stream, clientOptions(options, ids, listener));
    client.handleMessage = (packet, accepted) => listener.received(packet, accepted);
    return client;
}

/** Receives the messages that a client gets. */
export interface IncomingListener {
    /** A message came. Once it is accepted, MQTT.js sends PUBACK or, with QoS 2, PUBREC, and reads on. */
    received(packet: IPublishPacket, accepted: () => void): void;
    /** The server sent PUBREL: it will not send the message of QoS 2 under this id again. */
    released(messageId: number): void;
}

function clientOptions(options: TransportOptions, ids: MessageIds, listener: IncomingListener): IClientOptions {
    const { clientId, userName, password, keepAliveS, cleanSession, will } = options;
    return {
        clientId,
        ...(userName === undefined ? {} : { username: userName }),
        ...(password === undefined ? {} : { password }),
        ...(will === undefined ? {} : { will: { ...will, payload: Buffer.from(will.payload), retain: false } }),
        clean: cleanSession,
        keepalive: keepAliveS,
        protocolVersion: 4,
        reconnectPeriod: 0,
        connectTimeout: neverMs,
        resubscribe: false,
        queueQoSZero: false,
        incomingStore: new IncomingQos2(listener),
        messageIdProvider: ids,
        // Each call of the default logger formats its arguments; silent it still costs 2 µs a publish.
        log: () => {},
        // The connection has its own keep-alive, which knows back-pressure from silence.
        timerVariant: { set: () => 0, clear: () => {} },
        reschedulePings: false,
    };
}

/**
 * Where MQTT.js would keep a message of QoS 2 from its PUBLISH until its PUBREL. Here it is handed over at once, before the PUBREC: method B
 * of MQTT 3.1.1, figure 4.3. A message that is kept would be lost with the process after the server has let go of it.
 */
class IncomingQos2 extends Store {
    readonly #listener: IncomingListener;

    constructor(listener: IncomingListener) {
        super();
        this.#listener = listener;
    }

    override put(packet: Packet, accepted: () => void): this {
        if (packet.cmd === "publish") this.#listener.received(packet, accepted);
        return this;
    }

    /** Asked at the PUBREL. Without a message MQTT.js only answers with PUBCOMP. */
    override get({ messageId }: Pick<Packet, "messageId">, found: (error: Error) => void): this {
        if (messageId !== undefined) this.#listener.released(messageId);
        found(new Error("The message was handed over when it came"));
        return this;
    }

    override del(_packet: Pick<Packet, "messageId">, removed: () => void): this {
        removed();
        return this;
    }
}
