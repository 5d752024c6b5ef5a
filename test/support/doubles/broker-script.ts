import type { Packet, PacketCmd, QoS } from "mqtt-packet";

/** What a scripted broker does with each packet: the first rule that matches decides, and without one the packet is accepted. No I/O. */
export class BrokerScript {
    readonly #rules: { readonly rule: Rule; matches: number }[] = [];

    constructor(rules: readonly Rule[] = []) {
        for (const rule of rules) this.add(rule);
    }

    /** Adds a rule behind the others. Returns a function that removes it. */
    add(rule: Rule): () => void {
        const added = { rule, matches: 0 };
        this.#rules.push(added);
        return () => {
            const index = this.#rules.indexOf(added);
            if (index >= 0) this.#rules.splice(index, 1);
        };
    }

    decide(received: ReceivedPacket): Reaction {
        for (const entry of this.#rules) {
            const { rule } = entry;
            if (!matchesRule(received, rule)) continue;
            entry.matches += 1;
            const ordinal = entry.matches - (rule.skip ?? 0);
            if (ordinal < 1 || ordinal > (rule.times ?? Number.POSITIVE_INFINITY)) continue;
            return typeof rule.reaction === "function" ? rule.reaction(received) : rule.reaction;
        }
        return accept;
    }
}

/** A packet as it came in. */
export interface ReceivedPacket {
    readonly packet: Packet;
    /** Size on the wire, the fixed header included. */
    readonly bytes: number;
    /** The number of the connection, from 1. */
    readonly connection: number;
    /** Monotonic milliseconds. */
    readonly timeMs: number;
}

/** Which packets a rule is about, and what to do with them. A property that is absent matches every packet of the kind. */
export interface Rule {
    readonly cmd: PacketCmd;
    /** A topic filter of MQTT that the topic of a PUBLISH matches. */
    readonly topic?: string;
    /** A filter that a SUBSCRIBE or UNSUBSCRIBE asks for, literally. */
    readonly filter?: string;
    /** The QoS of a PUBLISH, or of one filter of a SUBSCRIBE. */
    readonly qos?: QoS;
    /** The least size on the wire. */
    readonly minBytes?: number;
    /** The number of the connection. */
    readonly connection?: number;
    /** Anything else. */
    readonly when?: (received: ReceivedPacket) => boolean;
    /** How many matching packets the rule leaves alone at first. */
    readonly skip?: number;
    /** How many packets the rule then decides; absent means all. */
    readonly times?: number;
    readonly reaction: Reaction | ((received: ReceivedPacket) => Reaction);
}

/** What happens to one packet. */
export interface Reaction {
    /** What a good broker answers, no answer, a return code (CONNECT and SUBSCRIBE only), or bytes as they are. */
    readonly answer: "good" | "none" | { readonly code: number } | { readonly bytes: Buffer };
    /** How long the answer takes; later packets do not wait for it. Absent means that it is sent at once. */
    readonly afterMs?: number;
    /** The broker closes the connection this long after the answer. Absent means that it stays open. */
    readonly closeAfterMs?: number;
}

export const accept: Reaction = { answer: "good" };
export const acceptAndClose: Reaction = { answer: "good", closeAfterMs: 0 };
export const close: Reaction = { answer: "none", closeAfterMs: 0 };
export const neverAnswer: Reaction = { answer: "none" };

export function acceptLate(afterMs: number): Reaction {
    return { answer: "good", afterMs };
}

export function answerCode(code: number): Reaction {
    return { answer: { code } };
}

export function answerBytes(bytes: Buffer): Reaction {
    return { answer: { bytes } };
}

/** Whether a topic matches a filter. MQTT 3.1.1, section 4.7. */
export function matchesFilter(topic: string, filter: string): boolean {
    const levels = topic.split("/");
    const pattern = filter.split("/");
    if (levels[0]?.startsWith("$") && (pattern[0] === "+" || pattern[0] === "#")) return false;
    for (const [index, expected] of pattern.entries()) {
        if (expected === "#") return true;
        if (index >= levels.length || (expected !== "+" && expected !== levels[index])) return false;
    }
    return pattern.length === levels.length;
}

function matchesRule(received: ReceivedPacket, rule: Rule): boolean {
    const { packet, bytes, connection } = received;
    if (packet.cmd !== rule.cmd || bytes < (rule.minBytes ?? 0)) return false;
    if (rule.connection !== undefined && rule.connection !== connection) return false;
    if (rule.topic !== undefined && !(packet.cmd === "publish" && matchesFilter(packet.topic, rule.topic))) return false;
    if (rule.filter !== undefined && !filtersOf(packet).includes(rule.filter)) return false;
    if (rule.qos !== undefined && !qosOf(packet).includes(rule.qos)) return false;
    return rule.when?.(received) ?? true;
}

function filtersOf(packet: Packet): string[] {
    if (packet.cmd === "subscribe") return packet.subscriptions.map(({ topic }) => topic);
    return packet.cmd === "unsubscribe" ? packet.unsubscriptions : [];
}

function qosOf(packet: Packet): QoS[] {
    if (packet.cmd === "subscribe") return packet.subscriptions.map(({ qos }) => qos);
    return packet.cmd === "publish" ? [packet.qos] : [];
}
