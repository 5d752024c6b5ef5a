import { once } from "node:events";
import { createConnection, createServer, type Server, type Socket } from "node:net";
import { type Packet, parser } from "mqtt-packet";

interface Connection {
    readonly number: number;
    readonly client: Socket;
    readonly broker: Socket;
    /** Payloads of publishes without an acknowledgement yet, by packet id. */
    readonly unacknowledged: Map<number, string>;
}

/** One publish as it went by. */
export interface SeenPublish {
    readonly connection: number;
    readonly payload: string;
}

/**
 * Stands between a gateway and its broker, notes what is published and acknowledged, and can cut or stop the line. What is noted as
 * acknowledged is what the broker has taken over, whether the gateway learns of it or not.
 */
export class RecordingProxy {
    readonly published: SeenPublish[] = [];
    /** How often the broker acknowledged each payload. */
    readonly acknowledged = new Map<string, number>();
    readonly #server: Server;
    readonly #connections = new Set<Connection>();
    readonly #target: () => number;
    #isBlackHole = false;
    #opened = 0;

    private constructor(target: () => number) {
        this.#target = target;
        this.#server = createServer((client) => this.#accept(client));
    }

    static async start(target: () => number): Promise<RecordingProxy> {
        const proxy = new RecordingProxy(target);
        proxy.#server.listen(0, "127.0.0.1");
        await once(proxy.#server, "listening");
        return proxy;
    }

    get port(): number {
        const address = this.#server.address();
        return typeof address === "object" && address !== null ? address.port : 0;
    }

    /** Publishes without an acknowledgement on the connections that are open. */
    get inFlight(): number {
        return [...this.#connections].reduce((sum, connection) => sum + connection.unacknowledged.size, 0);
    }

    /** Resets every connection, so that what is on the way is lost. */
    reset(): void {
        for (const { client, broker } of this.#connections) {
            client.resetAndDestroy();
            broker.resetAndDestroy();
        }
    }

    /** While on, everything either side sends disappears, on connections old and new. */
    set isBlackHole(isOn: boolean) {
        this.#isBlackHole = isOn;
    }

    async stop(): Promise<void> {
        this.#server.close();
        this.reset();
        await once(this.#server, "close");
    }

    #accept(client: Socket): void {
        const broker = createConnection(this.#target(), "127.0.0.1");
        const connection: Connection = { number: ++this.#opened, client, broker, unacknowledged: new Map() };
        this.#connections.add(connection);
        this.#forward(client, broker, (packet) => {
            if (packet.cmd !== "publish") return;
            const payload = String(packet.payload);
            this.published.push({ connection: connection.number, payload });
            if (packet.messageId !== undefined) connection.unacknowledged.set(packet.messageId, payload);
        });
        this.#forward(broker, client, (packet) => {
            if (packet.cmd !== "puback" || packet.messageId === undefined) return;
            const payload = connection.unacknowledged.get(packet.messageId);
            connection.unacknowledged.delete(packet.messageId);
            if (payload !== undefined) this.acknowledged.set(payload, (this.acknowledged.get(payload) ?? 0) + 1);
        });
        for (const socket of [client, broker]) {
            socket.on("error", () => {});
            socket.on("close", () => {
                client.destroy();
                broker.destroy();
                this.#connections.delete(connection);
            });
        }
    }

    #forward(from: Socket, to: Socket, seen: (packet: Packet) => void): void {
        const packets = parser({ protocolVersion: 4 });
        packets.on("packet", seen);
        from.on("data", (chunk: Buffer) => {
            if (this.#isBlackHole) return;
            packets.parse(chunk);
            to.write(chunk);
        });
    }
}
