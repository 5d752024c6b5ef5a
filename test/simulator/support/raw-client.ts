import { connect as dial, type Socket } from "node:net";
import { generate, type IConnectPacket, type IPublishPacket, type Packet, parser, type QoS } from "mqtt-packet";

/** The malformed PINGRESP that no MQTT library lets through. */
export interface StrayPing {
    cmd: "stray";
    messageId?: undefined;
}

export type Received = Packet | StrayPing;

export type ConnectFields = Partial<Omit<IConnectPacket, "cmd">>;

const deadlineMs = 60_000;

/** An MQTT client without any comfort: what a test sends is what goes out, what comes in is all there. */
export class RawClient {
    readonly #socket: Socket;
    readonly #parser = parser();
    readonly #waiting = new Set<() => void>();
    #buffer = Buffer.alloc(0);
    #lastId = 0;
    readonly received: Received[] = [];
    closed = false;

    private constructor(socket: Socket) {
        this.#socket = socket;
        this.#parser.on("packet", (packet) => this.#push(packet));
        socket.on("data", (chunk) => this.#read(typeof chunk === "string" ? Buffer.from(chunk) : chunk));
        socket.on("error", () => undefined);
        socket.on("close", () => {
            this.closed = true;
            this.#wake();
        });
    }

    /** Opens a socket and sends nothing. */
    static open(port: number): Promise<RawClient> {
        return new Promise((resolve, reject) => {
            const socket = dial({ port, host: "127.0.0.1" }, () => resolve(new RawClient(socket)));
            socket.once("error", reject);
            socket.setNoDelay(true);
        });
    }

    /** Opens a socket, sends CONNECT and waits for CONNACK 0. */
    static async connect(port: number, clientId: string, fields: ConnectFields = {}): Promise<RawClient> {
        const client = await RawClient.open(port);
        const code = await client.hello(clientId, fields);
        if (code !== 0) throw new Error(`${code === "closed" ? "Closed without a CONNACK" : `CONNACK ${code}`} for ${clientId}`);
        return client;
    }

    /** Sends CONNECT; resolves to the CONNACK code, or "closed" when the socket ended without one. */
    async hello(clientId: string, fields: ConnectFields = {}): Promise<number | "closed"> {
        const user =
            clientId.startsWith("g:") || clientId.startsWith("d:") ? { username: "use-token-auth", password: Buffer.from("t") } : {};
        this.send({ cmd: "connect", protocolId: "MQTT", protocolVersion: 4, clientId, clean: true, keepalive: 0, ...user, ...fields });
        const answer = await this.#take((packet) => packet.cmd === "connack", true);
        return answer?.cmd === "connack" ? (answer.returnCode ?? -1) : "closed";
    }

    send(packet: Packet): void {
        this.#socket.write(generate(packet));
    }

    sendBytes(bytes: Buffer): void {
        this.#socket.write(bytes);
    }

    nextId(): number {
        this.#lastId++;
        return this.#lastId;
    }

    /** SUBSCRIBE with all filters in one packet; resolves to the codes of the SUBACK. */
    async subscribe(filters: string | string[], qos: QoS = 1): Promise<unknown[]> {
        const messageId = this.nextId();
        const subscriptions = [filters].flat().map((topic) => ({ topic, qos }));
        this.send({ cmd: "subscribe", messageId, subscriptions });
        const packet = await this.next((each) => each.cmd === "suback" && each.messageId === messageId);
        return packet.cmd === "suback" ? [...packet.granted] : [];
    }

    async unsubscribe(filter: string): Promise<void> {
        const messageId = this.nextId();
        this.send({ cmd: "unsubscribe", messageId, unsubscriptions: [filter] });
        await this.next((each) => each.cmd === "unsuback" && each.messageId === messageId);
    }

    /** Sends a PUBLISH and returns its packet id. */
    publishOnly(topic: string, payload: string | Buffer = "{}", qos: QoS = 1, fields: Partial<IPublishPacket> = {}): number {
        const messageId = this.nextId();
        this.send({ cmd: "publish", topic, payload, qos, messageId, dup: false, retain: false, ...fields });
        return messageId;
    }

    /** Sends a PUBLISH and waits until it is fully acknowledged. */
    async publish(topic: string, payload: string | Buffer = "{}", qos: QoS = 1, fields: Partial<IPublishPacket> = {}): Promise<void> {
        const messageId = this.publishOnly(topic, payload, qos, fields);
        if (qos === 1) await this.next((each) => each.cmd === "puback" && each.messageId === messageId);
        if (qos === 2) {
            await this.next((each) => each.cmd === "pubrec" && each.messageId === messageId);
            this.send({ cmd: "pubrel", messageId });
            await this.next((each) => each.cmd === "pubcomp" && each.messageId === messageId);
        }
    }

    /** Waits for a packet and takes it out of `received`; rejects when the socket closes or nothing comes. */
    async next(matches: (packet: Received) => boolean): Promise<Received> {
        const packet = await this.#take(matches, false);
        if (!packet) throw new Error("The connection was closed.");
        return packet;
    }

    /** The next message; acknowledged when it has QoS 1. */
    async message(): Promise<IPublishPacket> {
        const packet = await this.next((each) => each.cmd === "publish");
        if (packet.cmd !== "publish") throw new Error("not a publish");
        if (packet.qos === 1) this.send({ cmd: "puback", messageId: packet.messageId ?? 0 });
        return packet;
    }

    /** Everything the simulator sent before it answered a PINGREQ. */
    async settle(): Promise<Received[]> {
        this.send({ cmd: "pingreq" });
        await this.next((each) => each.cmd === "pingresp");
        return this.received.splice(0);
    }

    async whenClosed(): Promise<void> {
        await this.#until(() => this.closed);
    }

    /** Waits until a condition on what was received holds. */
    async until(condition: () => boolean): Promise<void> {
        await this.#until(condition);
    }

    disconnect(): void {
        this.send({ cmd: "disconnect" });
        this.#socket.end();
    }

    destroy(): void {
        this.#socket.destroy();
    }

    /** Stops reading, as a client that hangs. */
    pause(): void {
        this.#socket.pause();
    }

    resume(): void {
        this.#socket.resume();
    }

    async #take(matches: (packet: Received) => boolean, orClosed: boolean): Promise<Received | undefined> {
        await this.#until(() => this.closed || this.received.some(matches));
        const index = this.received.findIndex(matches);
        if (index >= 0) return this.received.splice(index, 1)[0];
        if (orClosed) return undefined;
        throw new Error("The connection was closed.");
    }

    #until(condition: () => boolean): Promise<void> {
        if (condition()) return Promise.resolve();
        return new Promise((resolve, reject) => {
            const timer = setTimeout(() => {
                this.#waiting.delete(check);
                reject(new Error(`Nothing fitting arrived; received: ${JSON.stringify(this.received.slice(-5))}`));
            }, deadlineMs);
            const check = (): void => {
                if (!condition()) return;
                clearTimeout(timer);
                this.#waiting.delete(check);
                resolve();
            };
            this.#waiting.add(check);
        });
    }

    #push(packet: Received): void {
        this.received.push(packet);
        this.#wake();
    }

    #wake(): void {
        for (const check of [...this.#waiting]) check();
    }

    #read(chunk: Buffer): void {
        this.#buffer = Buffer.concat([this.#buffer, chunk]);
        for (let size = frameBytes(this.#buffer); size !== undefined && size <= this.#buffer.length; size = frameBytes(this.#buffer)) {
            const frame = this.#buffer.subarray(0, size);
            this.#buffer = this.#buffer.subarray(size);
            if (frame[0] === 0xde && frame.length === 2) this.#push({ cmd: "stray" });
            else this.#parser.parse(frame);
        }
    }
}

function frameBytes(buffer: Buffer): number | undefined {
    let length = 0;
    for (let index = 1; index < Math.min(buffer.length, 5); index++) {
        const byte = buffer[index] ?? 0;
        length += (byte & 0x7f) * 128 ** (index - 1);
        if ((byte & 0x80) === 0) return 1 + index + length;
    }
    return undefined;
}
