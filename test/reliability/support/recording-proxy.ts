import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { createServer as createTlsServer, type Server as TlsServer } from "node:tls";
import { type Packet, parser } from "mqtt-packet";
import type { Credential } from "../../support/doubles/certificates";
import { portOf } from "../../support/ports";

interface Connection {
    readonly number: number;
    readonly client: Socket;
    readonly broker: Socket;
    /** Publishes of the gateway without an acknowledgement yet, by packet id. */
    readonly events: Map<number, SeenPublish>;
    /** Payloads of the broker's publishes, by packet id. */
    readonly commands: Map<number, string>;
}

/** One publish of the gateway as it went by. */
export interface SeenPublish {
    readonly connection: number;
    readonly payload: string;
    isAcknowledged: boolean;
    /** Whether the acknowledgement went by before a DISCONNECT of the gateway, which waits for those that are due, but not indefinitely. */
    isAcknowledgedInTime: boolean;
}

/**
 * Stands before a broker and notes what a gateway publishes, and what either side acknowledges. What is noted as acknowledged by the
 * broker is what it has taken over, whether the gateway learns of it or not. With a certificate it speaks TLS to the gateway.
 */
export class RecordingProxy {
    published: SeenPublish[] = [];
    /** How often the broker acknowledged each payload. */
    readonly acknowledged = new Map<string, number>();
    /** When the gateway acknowledged each command first (milliseconds since the epoch), by its payload. */
    readonly acknowledgedCommands = new Map<string, number>();
    /** Connections that the gateway ended by a DISCONNECT. */
    readonly endedInGoodOrder = new Set<number>();
    /** CONNECTs that the broker accepted, and SUBSCRIBEs that it answered. */
    accepted = 0;
    subscribed = 0;
    /** The longest time between two acknowledgements of events, since `forget`. */
    longestPauseMs = 0;
    readonly #server: Server;
    readonly #tls: TlsServer | undefined;
    readonly #connections = new Set<Connection>();
    readonly #target: () => number;
    #opened = 0;
    #lastAcknowledgementMs: number | undefined;

    private constructor(target: () => number, credential: Credential | undefined) {
        this.#target = target;
        const accept = (client: Socket) => this.#accept(client);
        this.#tls = credential && createTlsServer(credential, accept);
        this.#server = this.#tls ?? createServer(accept);
    }

    static async start(target: () => number, credential?: Credential): Promise<RecordingProxy> {
        const proxy = new RecordingProxy(target, credential);
        proxy.#server.listen(0, "127.0.0.1");
        await once(proxy.#server, "listening");
        return proxy;
    }

    get port(): number {
        return portOf(this.#server);
    }

    /** Publishes without an acknowledgement on the connections that are open. */
    get inFlight(): number {
        return [...this.#connections].reduce((sum, connection) => sum + connection.events.size, 0);
    }

    /** Identifies itself by another certificate on new connections. */
    useCertificate(credential: Credential): void {
        this.#tls?.setSecureContext(credential);
    }

    /** Starts with empty notes again. */
    forget(): void {
        this.published = [];
        this.acknowledged.clear();
        this.acknowledgedCommands.clear();
        this.endedInGoodOrder.clear();
        this.longestPauseMs = 0;
        this.#lastAcknowledgementMs = undefined;
    }

    async stop(): Promise<void> {
        this.#server.close();
        for (const { client, broker } of this.#connections) {
            client.destroy();
            broker.destroy();
        }
        await once(this.#server, "close");
    }

    #accept(client: Socket): void {
        const broker = createConnection({ port: this.#target(), host: "127.0.0.1", noDelay: true });
        const connection: Connection = { number: ++this.#opened, client, broker, events: new Map(), commands: new Map() };
        this.#connections.add(connection);
        forward(client, broker, (packet) => this.#fromGateway(connection, packet));
        forward(broker, client, (packet) => this.#fromBroker(connection, packet));
        for (const socket of [client, broker]) {
            socket.on("error", () => {});
            socket.on("close", () => {
                client.destroy();
                broker.destroy();
                this.#connections.delete(connection);
            });
        }
    }

    #fromGateway(connection: Connection, packet: Packet): void {
        const { number, events, commands } = connection;
        if (packet.cmd === "disconnect") this.endedInGoodOrder.add(number);
        if (packet.cmd === "puback" && packet.messageId !== undefined) {
            const command = commands.get(packet.messageId);
            if (command !== undefined && !this.acknowledgedCommands.has(command)) {
                this.acknowledgedCommands.set(command, performance.timeOrigin + performance.now());
            }
        }
        if (packet.cmd !== "publish") return;
        const publish = { connection: number, payload: String(packet.payload), isAcknowledged: false, isAcknowledgedInTime: false };
        this.published.push(publish);
        if (packet.messageId !== undefined) events.set(packet.messageId, publish);
    }

    #fromBroker({ number, events, commands }: Connection, packet: Packet): void {
        if (packet.cmd === "connack" && packet.returnCode === 0) this.accepted += 1;
        if (packet.cmd === "suback") this.subscribed += 1;
        if (packet.cmd === "publish" && packet.messageId !== undefined) commands.set(packet.messageId, String(packet.payload));
        if (packet.cmd !== "puback" || packet.messageId === undefined) return;
        const publish = events.get(packet.messageId);
        if (!publish) return;
        events.delete(packet.messageId);
        publish.isAcknowledged = true;
        publish.isAcknowledgedInTime = !this.endedInGoodOrder.has(number);
        this.acknowledged.set(publish.payload, (this.acknowledged.get(publish.payload) ?? 0) + 1);
        const nowMs = performance.now();
        this.longestPauseMs = Math.max(this.longestPauseMs, nowMs - (this.#lastAcknowledgementMs ?? nowMs));
        this.#lastAcknowledgementMs = nowMs;
    }
}

function forward(from: Socket, to: Socket, seen: (packet: Packet) => void): void {
    const packets = parser({ protocolVersion: 4 });
    packets.on("packet", seen);
    from.on("data", (chunk: Buffer) => {
        packets.parse(chunk);
        to.write(chunk);
    });
}
