import type { Duplex } from "node:stream";
import { type IClientOptions, MqttClient, type Packet, Store } from "mqtt";
import type { MqttSession } from "./mqtt-session";
import type { TransportOptions } from "./transport";

const neverMs = 2 ** 31 - 1;

/**
 * An MQTT.js client on a stream that does no more than encode, decode and acknowledge: it never reconnects, resends, resubscribes
 * or queues, and what it has to remember is in the session.
 */
export function createMqttClient(stream: Duplex, options: TransportOptions, session: MqttSession<Packet>): MqttClient {
    return new MqttClient(() => stream, clientOptions(options, session));
}

function clientOptions(options: TransportOptions, session: MqttSession<Packet>): IClientOptions {
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
        incomingStore: new SessionStore(session),
        messageIdProvider: session.ids,
        // Each call of the default logger formats its arguments; silent it still costs 2 µs a publish.
        log: () => {},
        // The connection has its own keep-alive, which knows back-pressure from silence.
        timerVariant: { set: () => 0, clear: () => {} },
        reschedulePings: false,
    };
}

/** Where MQTT.js keeps what was received with QoS 2 until the server releases it. */
class SessionStore extends Store {
    readonly #session: MqttSession<Packet>;

    constructor(session: MqttSession<Packet>) {
        super();
        this.#session = session;
    }

    override put(packet: Packet, stored: () => void): this {
        this.#session.store(packet);
        stored();
        return this;
    }

    override get(packet: Pick<Packet, "messageId">, found: (error?: Error, packet?: Packet) => void): this {
        return this.#answer(this.#session.stored(packet.messageId), found);
    }

    override del(packet: Pick<Packet, "messageId">, removed: (error?: Error, packet?: Packet) => void): this {
        return this.#answer(this.#session.drop(packet.messageId), removed);
    }

    #answer(packet: Packet | undefined, answer: (error?: Error, packet?: Packet) => void): this {
        if (packet) answer(undefined, packet);
        else answer(new Error("No message is held under this id"));
        return this;
    }
}
