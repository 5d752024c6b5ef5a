import type { Duplex } from "node:stream";
import { generate, type IConnectPacket, type IPublishPacket, type Packet, parser, type QoS } from "mqtt-packet";
import { type Clock, systemClock } from "../../../src/clock";
import { BrokerScript, type Reaction, type ReceivedPacket, type Rule } from "./broker-script";
import { BrokerSession } from "./broker-session";

/**
 * An MQTT 3.1.1 broker that behaves well unless its script says otherwise. It speaks over any stream; `ListeningBroker` binds it to a TCP port.
 * It records every packet, keeps durable sessions, and sends what a test publishes.
 */
export class ScriptedBroker {
    readonly script: BrokerScript;
    /** Every packet, in the order of arrival, with what was done about it. */
    readonly received: (ReceivedPacket & { readonly reaction: Reaction })[] = [];
    /** The publishes that were accepted without closing the connection, in the order of arrival; each of QoS 2 once. */
    readonly taken: IPublishPacket[] = [];
    /** How many connections were opened so far. */
    connectionCount = 0;
    readonly #clock: Clock;
    readonly #connections = new Set<BrokerConnection>();
    readonly #sessions = new Map<string, BrokerSession>();

    constructor({ clock = systemClock, rules = [] }: ScriptedBrokerOptions = {}) {
        this.#clock = clock;
        this.script = new BrokerScript(rules);
    }

    /** Speaks MQTT with the client at the other end of a stream. */
    attach(stream: Duplex): BrokerConnection {
        this.connectionCount += 1;
        const connection = new BrokerConnection(stream, this.connectionCount);
        this.#connections.add(connection);
        const packets = parser();
        packets.on("packet", (packet) => this.#received(connection, packet));
        packets.on("error", () => connection.close());
        stream.on("data", (chunk: Buffer) => {
            if (connection.isOpen) packets.parse(chunk);
        });
        stream.on("error", () => undefined);
        stream.on("close", () => this.#ended(connection));
        return connection;
    }

    /** The connections that are open, the oldest first. */
    get connections(): BrokerConnection[] {
        return [...this.#connections].filter(({ isOpen }) => isOpen);
    }

    session(clientId: string): BrokerSession | undefined {
        return this.#sessions.get(clientId);
    }

    /** Forgets every session, as a broker without persistence does when it is started again. Open connections keep theirs until they end. */
    forgetSessions(): void {
        this.#sessions.clear();
    }

    /** Forgets what was received so far. */
    clearRecord(): void {
        this.received.length = 0;
        this.taken.length = 0;
    }

    /** How many packets of a kind were received. */
    count(cmd: Packet["cmd"]): number {
        return this.received.filter(({ packet }) => packet.cmd === cmd).length;
    }

    /**
     * Sends a message to each session that has subscribed to its topic. One of QoS 1 or 2 waits for a durable session that is not
     * connected, and is sent again with DUP on its next connection when it was not completed.
     */
    publish(topic: string, payload: string | Buffer, { qos = 0, retain = false, dup = false }: PublishOptions = {}): void {
        for (const session of this.#sessions.values()) {
            const granted = session.qosFor(topic);
            if (granted === undefined) continue;
            const connection = this.#connectionOf(session);
            const effective = qos < granted ? qos : granted;
            if (!connection && effective === 0) continue;
            const packet = session.queue({ cmd: "publish", topic, payload, qos: effective, retain, dup });
            void connection?.send(packet);
        }
    }

    /** Closes every connection, without a word. */
    disconnectAll(): void {
        for (const connection of this.#connections) connection.close();
    }

    #connectionOf(session: BrokerSession): BrokerConnection | undefined {
        return this.connections.find((connection) => connection.session === session);
    }

    #received(connection: BrokerConnection, packet: Packet): void {
        if (!connection.isOpen) return;
        const received = { packet, bytes: wireBytes(packet), connection: connection.number, timeMs: this.#clock.monotonicMs() };
        const reaction = this.script.decide(received);
        this.received.push({ ...received, reaction });
        this.#after(reaction.afterMs, () => {
            this.#answer(connection, packet, reaction);
            if (reaction.closeAfterMs !== undefined) this.#after(reaction.closeAfterMs, () => connection.end());
        });
    }

    /** Acts at once where there is no delay, so that answers keep the order of their packets. */
    #after(delayMs: number | undefined, action: () => void): void {
        if (delayMs) this.#clock.setTimer(delayMs, action);
        else action();
    }

    #answer(connection: BrokerConnection, packet: Packet, { answer, closeAfterMs }: Reaction): void {
        if (answer === "none" || !connection.isOpen) return;
        if (answer === "good") this.#accept(connection, packet, closeAfterMs === undefined);
        else if ("bytes" in answer) void connection.send(answer.bytes);
        else answerWithCode(connection, packet, answer.code);
    }

    #accept(connection: BrokerConnection, packet: Packet, isTaken: boolean): void {
        const { session } = connection;
        const { messageId = 0 } = packet;
        switch (packet.cmd) {
            case "connect":
                this.#connect(connection, packet);
                break;
            case "subscribe":
                for (const subscription of packet.subscriptions) session?.subscribe(subscription);
                void connection.send({ cmd: "suback", messageId, granted: packet.subscriptions.map(({ qos }) => qos) });
                break;
            case "unsubscribe":
                for (const filter of packet.unsubscriptions) session?.subscriptions.delete(filter);
                void connection.send({ cmd: "unsuback", messageId, granted: [] });
                break;
            case "publish": {
                const isNew = packet.qos < 2 || session?.tookQos2(messageId) !== false;
                if (isNew && isTaken) this.taken.push(packet);
                if (packet.qos > 0) void connection.send({ cmd: packet.qos === 1 ? "puback" : "pubrec", messageId });
                break;
            }
            case "pubrel":
                session?.forgetQos2(messageId);
                void connection.send({ cmd: "pubcomp", messageId });
                break;
            case "pubrec":
                if (session?.released(messageId)) void connection.send({ cmd: "pubrel", messageId });
                break;
            case "puback":
            case "pubcomp":
                session?.completed(messageId);
                break;
            case "pingreq":
                void connection.send({ cmd: "pingresp" });
                break;
            case "disconnect":
                connection.end();
                break;
        }
    }

    #connect(connection: BrokerConnection, { clientId, clean }: IConnectPacket): void {
        const earlier = this.#sessions.get(clientId);
        // A second connection of a client takes the place of the first.
        if (earlier) this.#connectionOf(earlier)?.close();
        const present = !clean && earlier?.isDurable ? earlier : undefined;
        const session = present ?? new BrokerSession(clientId, clean === false);
        this.#sessions.set(clientId, session);
        connection.session = session;
        const packets: Packet[] = [{ cmd: "connack", returnCode: 0, sessionPresent: present !== undefined }, ...session.resent()];
        // In one chunk: a broker need not wait before it sends what a durable session has missed.
        void connection.send(Buffer.concat(packets.map((packet) => generate(packet))));
    }

    #ended(connection: BrokerConnection): void {
        this.#connections.delete(connection);
        const { session } = connection;
        if (session && !session.isDurable && this.#sessions.get(session.clientId) === session) this.#sessions.delete(session.clientId);
    }
}

/** One connection to a scripted broker. */
export class BrokerConnection {
    /** From 1, in the order in which connections were opened. */
    readonly number: number;
    /** Of the client that was accepted. */
    session: BrokerSession | undefined;
    readonly #stream: Duplex;

    constructor(stream: Duplex, number: number) {
        this.#stream = stream;
        this.number = number;
    }

    get isOpen(): boolean {
        return !this.#stream.destroyed && this.#stream.writable;
    }

    /** Sends a packet, or bytes as they are. Resolves when the stream has taken them or the connection has ended. */
    send(content: Packet | Buffer): Promise<void> {
        return new Promise((resolve) => {
            if (!this.isOpen) resolve();
            else this.#stream.write(Buffer.isBuffer(content) ? content : generate(content), () => resolve());
        });
    }

    /** Closes the connection after everything that was sent. */
    end(): void {
        if (this.isOpen) this.#stream.end(() => this.#stream.destroy());
    }

    /** Closes the connection at once. */
    close(): void {
        this.#stream.destroy();
    }
}

export interface ScriptedBrokerOptions {
    /** For answers that take their time. */
    readonly clock?: Clock;
    readonly rules?: readonly Rule[];
}

export interface PublishOptions {
    readonly qos?: QoS;
    readonly retain?: boolean;
    readonly dup?: boolean;
}

function answerWithCode(connection: BrokerConnection, packet: Packet, code: number): void {
    if (packet.cmd === "connect") {
        void connection.send(Buffer.of(0x20, 2, 0, code));
        // MQTT 3.1.1, section 3.2.2.3: a server that refuses a client closes the connection.
        if (code !== 0) connection.end();
    } else if (packet.cmd === "subscribe") {
        void connection.send({ cmd: "suback", messageId: packet.messageId ?? 0, granted: packet.subscriptions.map(() => code) });
    } else {
        throw new Error(`The answer to a ${packet.cmd} has no return code.`);
    }
}

/** The size of a packet, the fixed header included. */
function wireBytes({ length = 0 }: Packet): number {
    const lengthBytes = length < 128 ? 1 : length < 16_384 ? 2 : length < 2_097_152 ? 3 : 4;
    return 1 + lengthBytes + length;
}
