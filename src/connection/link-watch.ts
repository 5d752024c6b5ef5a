import type { LinkTraffic } from "./link";

const shortestSilenceMs = 20_000;
const longestAcknowledgementMs = 5 * 60_000;
const longestTickMs = 1_000;
const pingBytes = 2;

/**
 * Distinguishes a dead link from a slow or a quiet one. Stalled: an acknowledgement (or the answer to a ping) is due, and for
 * max(20 s, half the keep-alive) nothing came in and not a byte went out. A server that has stopped reading because of a
 * quota still answers or still drains. A registration attempt whose acknowledgement the platform withholds is not due. While this side
 * reads nothing, nothing is missing.
 */
export class LinkWatch {
    /** How often to evaluate, in milliseconds. */
    readonly tickMs: number;
    readonly #silenceMs: number;
    readonly #pingAfterMs: number;
    #receivedBytes = 0;
    #sentBytes = 0;
    #lastReceivedMs: number;
    #lastSentMs: number;
    #lastPingMs: number;
    #pingUnanswered = false;
    #incomingPacket = 0;
    /** When one and the same packet was last coming in, or reading was held: acknowledgements wait behind it. */
    #lastBlockedMs = Number.NEGATIVE_INFINITY;

    /** @param nowMs monotonic time at which the link became usable */
    constructor(keepAliveS: number, traffic: LinkTraffic, nowMs: number) {
        const keepAliveMs = keepAliveS * 1_000;
        this.tickMs = Math.min(longestTickMs, keepAliveMs / 4);
        this.#silenceMs = Math.max(shortestSilenceMs, keepAliveMs / 2);
        this.#pingAfterMs = keepAliveMs * 0.75 - this.tickMs;
        this.#receivedBytes = traffic.receivedBytes;
        this.#sentBytes = traffic.sentBytes;
        this.#lastReceivedMs = nowMs;
        this.#lastSentMs = nowMs;
        this.#lastPingMs = nowMs;
    }

    /** Monotonic time of the last progress in either direction, as far as it was seen. */
    get lastProgressMs(): number {
        return Math.max(this.#lastReceivedMs, this.#lastSentMs);
    }

    /** Evaluates the link; the caller sends the ping that a verdict asks for. */
    evaluate(facts: LinkFacts): LinkVerdict {
        this.#noteProgress(facts);
        const { nowMs, oldestDueMs, isReadingHeld } = facts;
        const { lastProgressMs } = this;
        const dueSilenceMs = oldestDueMs === undefined ? 0 : nowMs - Math.max(lastProgressMs, oldestDueMs);
        if (!isReadingHeld) {
            const pingSilenceMs = this.#pingUnanswered ? nowMs - Math.max(lastProgressMs, this.#lastPingMs) : 0;
            if (Math.max(dueSilenceMs, pingSilenceMs) >= this.#silenceMs) return "stalled";
            const dueMs = oldestDueMs === undefined ? 0 : nowMs - Math.max(oldestDueMs, this.#lastBlockedMs);
            if (dueMs >= longestAcknowledgementMs) return "acknowledgement missing";
            if (this.#pingUnanswered) return "fine";
        }
        const keepAliveDue = nowMs - Math.max(this.#lastSentMs, this.#lastPingMs) >= this.#pingAfterMs;
        // Asks a silent server for a sign of life, so that one missing acknowledgement is not taken for a dead link.
        const probeDue = dueSilenceMs >= this.#silenceMs / 2;
        if (!keepAliveDue && !probeDue) return "fine";
        this.#pingSent(nowMs);
        return "ping";
    }

    #noteProgress({ nowMs, traffic, isReadingHeld }: LinkFacts): void {
        if (traffic.receivedBytes !== this.#receivedBytes || isReadingHeld) {
            this.#receivedBytes = traffic.receivedBytes;
            this.#lastReceivedMs = nowMs;
            this.#pingUnanswered = false;
        }
        if (traffic.sentBytes > this.#sentBytes) {
            this.#sentBytes = traffic.sentBytes;
            this.#lastSentMs = nowMs;
        }
        const isSamePacket = traffic.incomingPacket !== 0 && traffic.incomingPacket === this.#incomingPacket;
        if (isSamePacket || isReadingHeld) this.#lastBlockedMs = nowMs;
        this.#incomingPacket = traffic.incomingPacket;
    }

    #pingSent(nowMs: number): void {
        this.#lastPingMs = nowMs;
        this.#pingUnanswered = true;
        // A ping that leaves is no progress: on a dead link it would put off the verdict indefinitely.
        this.#sentBytes += pingBytes;
    }
}

/** What the watch needs to know each time. */
export interface LinkFacts {
    readonly nowMs: number;
    readonly traffic: LinkTraffic;
    /** When the oldest publish was sent whose acknowledgement is due; absent when none is. */
    readonly oldestDueMs: number | undefined;
    /** The gateway itself reads nothing for now. */
    readonly isReadingHeld: boolean;
}

/** What is to be done about the link. */
export type LinkVerdict = "fine" | "ping" | "stalled" | "acknowledgement missing";
