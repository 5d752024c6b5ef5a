import { once } from "node:events";
import { createServer, type Server, type Socket } from "node:net";
import { generate, type Packet, parser } from "mqtt-packet";
import { portOf } from "../../support/port-of";

/** What a hostile broker does with one packet of a client; true = that was all, false = answer it as a good broker would. */
export type PacketHandler = (client: HostileClient, packet: Packet) => boolean;

/** One connection to a hostile broker. */
export class HostileClient {
    readonly #socket: Socket;

    constructor(socket: Socket) {
        this.#socket = socket;
    }

    get isOpen(): boolean {
        return !this.#socket.destroyed && this.#socket.writable;
    }

    /** Sends bytes as they are; resolves when the operating system has taken them or the connection is gone. */
    send(bytes: Buffer): Promise<void> {
        return new Promise((resolve) => {
            if (!this.isOpen) resolve();
            else this.#socket.write(bytes, () => resolve());
        });
    }

    /** Sends a well-formed packet. */
    sendPacket(packet: Packet): Promise<void> {
        return this.send(generate(packet));
    }

    close(): void {
        this.#socket.destroy();
    }
}

/** A server that speaks MQTT as well as it likes: it answers like a good broker, except where the test says otherwise. */
export class HostileBroker {
    readonly #server: Server;
    readonly #clients = new Set<HostileClient>();
    /** Every packet received, without its payload. */
    readonly received: Packet[] = [];
    connects = 0;
    port = 0;

    private constructor(server: Server) {
        this.#server = server;
    }

    static async start(handle: PacketHandler = () => false): Promise<HostileBroker> {
        const server = createServer();
        const broker = new HostileBroker(server);
        server.on("connection", (socket) => broker.#accept(socket, handle));
        server.listen(0, "127.0.0.1");
        await once(server, "listening");
        broker.port = portOf(server);
        return broker;
    }

    /** How many packets of a kind were received. */
    count(command: Packet["cmd"]): number {
        return this.received.filter(({ cmd }) => cmd === command).length;
    }

    /** Every connection that is open. */
    get clients(): HostileClient[] {
        return [...this.#clients];
    }

    async close(): Promise<void> {
        for (const client of this.#clients) client.close();
        this.#server.close();
        await once(this.#server, "close");
    }

    #accept(socket: Socket, handle: PacketHandler): void {
        const client = new HostileClient(socket);
        const packets = parser();
        this.#clients.add(client);
        this.connects++;
        packets.on("packet", (packet) => {
            this.received.push(packet);
            if (!handle(client, packet)) answer(client, packet);
        });
        packets.on("error", () => client.close());
        socket.on("data", (chunk) => packets.parse(Buffer.from(chunk)));
        socket.on("error", () => undefined);
        socket.on("close", () => this.#clients.delete(client));
    }
}

function answer(client: HostileClient, packet: Packet): void {
    const send = (reply: Packet) => void client.sendPacket(reply);
    const { messageId = 0 } = packet;
    switch (packet.cmd) {
        case "connect":
            send({ cmd: "connack", returnCode: 0, sessionPresent: false });
            break;
        case "subscribe":
            send({ cmd: "suback", messageId, granted: packet.subscriptions.map(({ qos }) => qos) });
            break;
        case "unsubscribe":
            send({ cmd: "unsuback", messageId, granted: [] });
            break;
        case "publish":
            if (packet.qos === 1) send({ cmd: "puback", messageId });
            if (packet.qos === 2) send({ cmd: "pubrec", messageId });
            break;
        case "pubrel":
            send({ cmd: "pubcomp", messageId });
            break;
        case "pingreq":
            send({ cmd: "pingresp" });
            break;
    }
}
