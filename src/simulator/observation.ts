import type { Packet, PacketCmd } from "mqtt-packet";

const maxPayloadBytes = 4096;
const maxClients = 50_000;

/** The packets received from clients: counts of all, and the latest ones in full. */
export class Observation {
    readonly #logSize: number;
    readonly #now: () => number;
    readonly #counts = new Map<string, PacketCounts>();
    readonly #listeners = new Set<(packet: ReceivedPacket) => void>();
    #log: ReceivedPacket[] = [];

    constructor(logSize: number, now: () => number) {
        this.#logSize = logSize;
        this.#now = now;
    }

    /** The counts of one client; an absent count is zero. */
    counts(clientId: string): PacketCounts {
        return { ...this.#counts.get(clientId) };
    }

    /** The counts of every client. */
    allCounts(): Record<string, PacketCounts> {
        return Object.fromEntries(this.#counts);
    }

    /** How many packets of one kind all clients have sent together. */
    total(command: PacketCmd): number {
        let sum = 0;
        for (const counts of this.#counts.values()) sum += counts[command] ?? 0;
        return sum;
    }

    /** The latest packets, the oldest first; at most `logSize` of the options. */
    packets(): readonly ReceivedPacket[] {
        return this.#logSize === 0 ? [] : this.#log.slice(-this.#logSize);
    }

    /** Calls the listener for every packet from now on. Returns a function that stops it. */
    onPacket(listener: (packet: ReceivedPacket) => void): () => void {
        this.#listeners.add(listener);
        return () => this.#listeners.delete(listener);
    }

    /** Discards the packets and the counts. */
    clear(): void {
        this.#log = [];
        this.#counts.clear();
    }

    /** Counts and keeps a packet. */
    record(clientId: string, packet: Packet): void {
        let counts = this.#counts.get(clientId);
        if (!counts) {
            if (this.#counts.size >= maxClients) this.#counts.clear();
            counts = {};
            this.#counts.set(clientId, counts);
        }
        counts[packet.cmd] = (counts[packet.cmd] ?? 0) + 1;
        if (this.#logSize === 0 && this.#listeners.size === 0) return;
        const received = describe(clientId, packet, this.#now());
        if (this.#logSize > 0) this.#log.push(received);
        if (this.#log.length > this.#logSize * 2) this.#log = this.#log.slice(-this.#logSize);
        for (const listener of this.#listeners) listener(received);
    }
}

/** A packet that a client sent. */
export interface ReceivedPacket {
    /** Milliseconds since the Unix epoch. */
    at: number;
    clientId: string;
    command: PacketCmd;
    /** Of a PUBLISH: its topic; of a SUBSCRIBE or UNSUBSCRIBE: its first filter. */
    topic?: string;
    /** Every filter of a SUBSCRIBE or UNSUBSCRIBE. */
    filters?: string[];
    messageId?: number;
    qos?: number;
    dup?: boolean;
    retain?: boolean;
    /** Of a CONNECT. */
    clean?: boolean;
    /** Of a PUBLISH, cut to 4096 bytes. */
    payload?: Buffer;
    payloadBytes?: number;
}

/** How many packets of each kind a client has sent, over all its connections. */
export type PacketCounts = Partial<Record<PacketCmd, number>>;

function describe(clientId: string, packet: Packet, nowMs: number): ReceivedPacket {
    const received: ReceivedPacket = { at: nowMs, clientId, command: packet.cmd };
    if (packet.messageId !== undefined) received.messageId = packet.messageId;
    if (packet.cmd === "publish") {
        const payload = Buffer.isBuffer(packet.payload) ? packet.payload : Buffer.from(packet.payload);
        received.topic = packet.topic;
        received.qos = packet.qos;
        received.dup = packet.dup;
        received.retain = packet.retain;
        received.payload = Buffer.from(payload.subarray(0, maxPayloadBytes));
        received.payloadBytes = payload.length;
    } else if (packet.cmd === "connect") {
        received.clean = packet.clean ?? true;
    } else if (packet.cmd === "subscribe" || packet.cmd === "unsubscribe") {
        const filters = packet.cmd === "subscribe" ? packet.subscriptions.map(({ topic }) => topic) : packet.unsubscriptions;
        received.filters = filters;
        if (filters[0] !== undefined) received.topic = filters[0];
    }
    return received;
}
