import type { Duplex } from "node:stream";
import * as mqtt from "mqtt";
import { type IClientOptions, type IPublishPacket, MqttClient, type Packet } from "mqtt";
import type { Qos } from "../protocol/qos";
import { assertMqttInternals } from "./mqtt-internals";
import type { MessageIds } from "./mqtt-session";
import type { TransportOptions } from "./transport";

const neverMs = 2 ** 31 - 1;

/**
 * Checks that the installed MQTT.js has what is used here.
 * @throws GW_CONFIG
 */
export function assertMqttClient(): void {
    assertMqttInternals(mqtt);
}

/**
 * An MQTT.js client on a stream that does no more than encode and decode. It never reconnects, resends, resubscribes, queues or acknowledges
 * a message, and it remembers nothing. At a PUBREL it only answers with PUBCOMP.
 */
export function createMqttClient(stream: Duplex, options: TransportOptions, ids: MessageIds, listener: PacketListener): MqttClient {
    const client = new MqttClient(() => stream, clientOptions(options, ids));
    let qos: Qos = 0;
    client.on("packetreceive", (packet) => {
        listener.packetReceived(packet);
        if (packet.cmd !== "publish") return;
        qos = packet.qos;
        // A message of QoS 0 is handed over when it comes, and MQTT.js neither keeps nor acknowledges it.
        packet.qos = 0;
    });
    client.handleMessage = (packet, readOn) => listener.messageReceived(packet, qos, readOn);
    return client;
}

/** Gets what a client receives. */
export interface PacketListener {
    /** Called for each packet before MQTT.js handles it, in the order in which they came. */
    packetReceived(packet: Packet): void;
    /** A message came, right after its packet. Nothing more is read until `readOn` is called. */
    messageReceived(packet: IPublishPacket, qos: Qos, readOn: () => void): void;
}

function clientOptions(options: TransportOptions, ids: MessageIds): IClientOptions {
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
        messageIdProvider: ids,
        // Each call of the default logger formats its arguments; silent it still costs 2 µs a publish.
        log: () => {},
        // The connection has its own keep-alive, which knows back-pressure from silence.
        timerVariant: { set: () => 0, clear: () => {} },
        reschedulePings: false,
    };
}
