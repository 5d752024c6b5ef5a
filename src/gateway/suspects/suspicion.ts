import type { LastPackets, SentPacket } from "../../connection/sent-packet";

/** More than a window of events and the subscriptions of most gateways. */
const maxSuspects = 1000;
/** Those that stay suspected when nobody had anything to send under their names: an event that ended the connection was acknowledged. */
const keptSuspects = 8;

/**
 * The names (topics and filters) of the packets that may be the reason for the end of a connection, the most likely first: the oldest
 * unacknowledged one, at which a server stops that closes at once, and the latest acknowledged one, after which a server closes that
 * acknowledges first.
 */
export class Suspicion {
    #names: Map<string, SentPacket> = new Map();

    get isEmpty(): boolean {
        return this.#names.size === 0;
    }

    has({ kind, name }: Pick<SentPacket, "kind" | "name">): boolean {
        return this.#names.has(nameOf(kind, name));
    }

    /** The place of a packet among the suspects, 0 = the most likely; after all of them when it is none. */
    rankOf({ kind, name }: SentPacket): number {
        let rank = 0;
        const wanted = nameOf(kind, name);
        for (const suspect of this.#names.keys()) {
            if (suspect === wanted) return rank;
            rank += 1;
        }
        return rank;
    }

    /** The packets of a connection that ended are more likely than earlier suspects: there may be several culprits. */
    add({ unacknowledged, recent }: Pick<LastPackets, "unacknowledged" | "recent">): void {
        const earlier = this.#names;
        this.#names = new Map();
        const latestFirst = [...recent].reverse();
        for (let index = 0; index < Math.max(unacknowledged.length, latestFirst.length); index++) {
            this.#add(unacknowledged[index]);
            this.#add(latestFirst[index]);
        }
        for (const packet of earlier.values()) this.#add(packet);
    }

    remove({ kind, name }: SentPacket): void {
        this.#names.delete(nameOf(kind, name));
    }

    clear(): void {
        this.#names.clear();
    }

    /** Forgets all but the most likely. */
    shrink(): void {
        this.#names = new Map([...this.#names].slice(0, keptSuspects));
    }

    #add(packet: SentPacket | undefined): void {
        if (!packet || this.#names.size >= maxSuspects) return;
        const name = nameOf(packet.kind, packet.name);
        if (!this.#names.has(name)) this.#names.set(name, packet);
    }
}

/** Events are suspected by topic, whatever their QoS. */
function nameOf(kind: SentPacket["kind"], name: string): string {
    return kind === "filter" ? `filter ${name}` : name;
}
