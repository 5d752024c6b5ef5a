import type { Qos } from "../protocol/qos";
import type { LastPackets, SentPacket } from "./sent-packet";

/** Times are taken once a second, so that what counts as the last second may be up to two. */
const recentMs = 2_000;
const maxRecent = 1_000;
/** An acknowledgement is missing when it is this late and later ones came. */
const missingMs = 10_000;

/**
 * The packets of one connection: those that wait for their acknowledgement, in the order of sending, and those of its last second, which
 * may be the reason for its end.
 */
export class SentPackets {
    readonly #due = new Set<Pending>();
    /** The server may withhold their acknowledgement for as long as it likes: registration attempts and tests. */
    readonly #withheld = new Set<Pending>();
    /** The subscriptions that wait for their answer. */
    readonly #filters = new Set<SentPacket>();
    /** The latest that were acknowledged, or written without needing that. A ring: the oldest is overwritten. */
    readonly #recent: { readonly packet: SentPacket; readonly settledMs: number }[] = [];
    readonly #answeredFilters = new Map<string, number>();
    #nextRecent = 0;
    #nowMs = 0;
    #sentCount = 0;
    #lastAcknowledged = 0;
    #acknowledgedCount = 0;

    /** Publishes that wait for their acknowledgement. */
    get count(): number {
        return this.#due.size + this.#withheld.size;
    }

    /** Those of them whose acknowledgement is due. */
    get dueCount(): number {
        return this.#due.size;
    }

    /** How many publishes were acknowledged so far. */
    get acknowledgedCount(): number {
        return this.#acknowledgedCount;
    }

    /** When the oldest publish was sent whose acknowledgement is due. */
    get oldestDueMs(): number | undefined {
        for (const pending of this.#due) return pending.sentMs;
        return undefined;
    }

    /** Sets the monotonic time for what follows. Once a second will do: asking the clock for each publish would cost more than it is worth. */
    advance(nowMs: number): void {
        this.#nowMs = nowMs;
    }

    /** Adds a publish; the function returned is to be called when its acknowledgement comes, or at once where none comes. */
    add(packet: SentPacket, settled: Settled, mayBeWithheld: boolean): () => void {
        const set = mayBeWithheld ? this.#withheld : this.#due;
        this.#sentCount += 1;
        const pending = { packet, settled, sentMs: this.#nowMs, number: this.#sentCount };
        set.add(pending);
        return () => {
            if (!set.delete(pending)) return;
            if (packet.qos > 0) {
                this.#acknowledgedCount += 1;
                this.#lastAcknowledged = Math.max(this.#lastAcknowledged, pending.number);
            }
            this.#settled(packet);
            settled();
        };
    }

    /** Adds a subscription; the function returned is to be called when it is answered. */
    addFilter(filter: string, qos: Qos): () => void {
        const packet: SentPacket = { kind: "filter", name: filter, device: undefined, qos, bytes: 0 };
        this.#filters.add(packet);
        return () => {
            this.#filters.delete(packet);
            this.#answeredFilters.set(filter, this.#nowMs);
            this.#settled(packet);
        };
    }

    /** The filters that were answered more than a second before that. */
    answeredFilters(lastSignMs: number): string[] {
        return [...this.#answeredFilters].filter(([, answeredMs]) => answeredMs < lastSignMs - recentMs).map(([filter]) => filter);
    }

    /** What was on the wire at the end of the connection, or within a second before its last sign of life. */
    last(lastSignMs: number): LastPackets {
        const pending = [...this.#due, ...this.#withheld].sort((one, other) => one.number - other.number);
        const oldestFirst = [...this.#recent.slice(this.#nextRecent), ...this.#recent.slice(0, this.#nextRecent)];
        const isMissing = ({ number, sentMs }: Pending) => number < this.#lastAcknowledged && sentMs <= lastSignMs - missingMs;
        return {
            unacknowledged: [...this.#filters, ...pending.map(({ packet }) => packet)],
            recent: oldestFirst.filter(({ settledMs }) => settledMs >= lastSignMs - recentMs).map(({ packet }) => packet),
            missing: pending.filter((entry) => entry.packet.kind === "event" && isMissing(entry)).map(({ packet }) => packet),
        };
    }

    /** The connection ended: all that wait fail. */
    failAll(error: Error): void {
        const all = [...this.#due, ...this.#withheld];
        this.#due.clear();
        this.#withheld.clear();
        for (const pending of all) pending.settled(error);
    }

    #settled(packet: SentPacket): void {
        this.#recent[this.#nextRecent] = { packet, settledMs: this.#nowMs };
        this.#nextRecent = (this.#nextRecent + 1) % maxRecent;
    }
}

/** Called once: without an error when acknowledged, with one when the connection ended first. */
export type Settled = (error?: Error) => void;

interface Pending {
    readonly packet: SentPacket;
    readonly settled: Settled;
    readonly sentMs: number;
    readonly number: number;
}
