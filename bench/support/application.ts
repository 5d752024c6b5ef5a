import { once } from "node:events";
import net from "node:net";
import { generate, type Packet, parser } from "mqtt-packet";
import { waitFor } from "../../test/support/wait-for";
import { machineMs } from "./feeder";

/** Messages that an application publishes. */
export interface Publishing {
    readonly messages: number;
    readonly topicOf: (index: number) => string;
    readonly payloadOf: (index: number) => string;
    /** Messages a second; as fast as the broker takes them when absent. */
    readonly ratePerS?: number;
}

/** Messages that the broker has not acknowledged yet, at most. */
const window = 100;
let applications = 0;

/**
 * The application behind the broker: receives events and sends commands. It does as little as possible, because it shares the
 * machine with what is measured.
 */
export class Application {
    readonly #socket: net.Socket;
    #publishId = 0;
    #unacknowledged = 0;
    #isConnected = false;
    #isSubscribed = false;
    #acknowledged: () => void = () => undefined;
    /** When each message since `expect` came, on the machine's monotonic clock. */
    receivedAtMs = new Float64Array(0);
    #received = 0;
    /** Looks at each message; for what a measurement wants to know beside the time. */
    onMessage: ((topic: string, payload: Buffer) => void) | undefined;

    private constructor(port: number) {
        this.#socket = net.connect(port, "127.0.0.1").setNoDelay(true);
        // The broker ends before the application does.
        this.#socket.on("error", () => undefined);
        const packets = parser({ protocolVersion: 4 });
        packets.on("packet", (packet: Packet) => this.#packet(packet));
        this.#socket.on("data", (chunk) => packets.parse(chunk));
    }

    /** Connects, and subscribes the filter with QoS 0. */
    static async start(port: number, filter: string): Promise<Application> {
        const application = new Application(port);
        await once(application.#socket, "connect");
        application.#send({
            cmd: "connect",
            clientId: `a:bench:${process.pid}-${++applications}`,
            protocolId: "MQTT",
            protocolVersion: 4,
            keepalive: 0,
            clean: true,
        });
        await waitFor(() => application.#isConnected, "the application to connect");
        application.#send({ cmd: "subscribe", messageId: 1, subscriptions: [{ topic: filter, qos: 0 }] });
        await waitFor(() => application.#isSubscribed, "the application to subscribe");
        return application;
    }

    /** Messages received since `expect`. */
    get received(): number {
        return this.#received;
    }

    /** Counts from now on. */
    expect(messages: number): void {
        this.receivedAtMs = new Float64Array(messages);
        this.#received = 0;
    }

    /** Resolves once all messages have come. */
    async allReceived(): Promise<void> {
        await waitFor(
            () => this.#received >= this.receivedAtMs.length,
            `${this.receivedAtMs.length} messages (${this.#received} have come)`,
            30_000,
        );
    }

    /** Publishes messages with QoS 1; resolves when the broker has all of them, with the time at which each was sent. */
    publish({ messages, topicOf, payloadOf, ratePerS = Number.POSITIVE_INFINITY }: Publishing): Promise<Float64Array> {
        const sentAtMs = new Float64Array(messages);
        const startMs = machineMs();
        return new Promise((resolve) => {
            let sent = 0;
            const isDue = () => ratePerS === Number.POSITIVE_INFINITY || ((machineMs() - startMs) * ratePerS) / 1000 >= sent;
            const next = (): void => {
                while (sent < messages && this.#unacknowledged < window && isDue()) {
                    sentAtMs[sent] = machineMs();
                    this.#publish(topicOf(sent), payloadOf(sent));
                    sent += 1;
                }
                if (sent === messages && this.#unacknowledged === 0) {
                    clearInterval(timer);
                    resolve(sentAtMs);
                }
            };
            const timer = setInterval(next, 1);
            this.#acknowledged = next;
            next();
        });
    }

    /** Sends one message with QoS 1. */
    #publish(topic: string, payload: string): void {
        this.#unacknowledged += 1;
        this.#publishId = (this.#publishId % 65_535) + 1;
        this.#send({ cmd: "publish", topic, payload, qos: 1, messageId: this.#publishId, dup: false, retain: false });
    }

    stop(): void {
        this.#socket.destroy();
    }

    #send(packet: Packet): void {
        this.#socket.write(generate(packet));
    }

    #packet(packet: Packet): void {
        switch (packet.cmd) {
            case "publish":
                if (this.#received < this.receivedAtMs.length) this.receivedAtMs[this.#received] = machineMs();
                this.#received += 1;
                this.onMessage?.(packet.topic, Buffer.from(packet.payload));
                break;
            case "puback":
                this.#unacknowledged -= 1;
                this.#acknowledged();
                break;
            case "connack":
                this.#isConnected = packet.returnCode === 0;
                break;
            case "suback":
                this.#isSubscribed = true;
        }
    }
}
