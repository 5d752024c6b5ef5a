import type { LastPackets, SentPacket } from "../../connection/sent-packet";

const missingTooOften = 3;
const maxTopics = 1_000;

/** Counts on how many connections in a row an event was not acknowledged while the server answered others. */
export class MissingAcknowledgements {
    readonly #counts = new Map<string, number>();
    /** Of the present connection: the first packet of each topic stands for all. */
    readonly #missing = new Map<string, SentPacket>();

    /** An event was not acknowledged, although the server answers. */
    note(packet: SentPacket): void {
        if (!this.#missing.has(packet.name)) this.#missing.set(packet.name, packet);
    }

    /** The connection ended. Returns the packets whose acknowledgement has been missing too often now. */
    connectionEnded({ missing, recent }: LastPackets): SentPacket[] {
        for (const { name } of recent) this.forget(name);
        for (const packet of missing) this.note(packet);
        const tooOften: SentPacket[] = [];
        for (const packet of this.#missing.values()) {
            const count = (this.#counts.get(packet.name) ?? 0) + 1;
            if (count >= missingTooOften) tooOften.push(packet);
            if (this.#counts.size < maxTopics || this.#counts.has(packet.name)) this.#counts.set(packet.name, count);
        }
        this.#missing.clear();
        return tooOften;
    }

    /** It was acknowledged. */
    forget(topic: string): void {
        this.#counts.delete(topic);
        this.#missing.delete(topic);
    }
}
