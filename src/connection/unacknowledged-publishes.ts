import type { Qos } from "../protocol/qos";
import type { MqttSession } from "./mqtt-session";

/** The publishes of one connection that wait for their acknowledgement: PUBACK, with QoS 2 PUBCOMP. Each holds a packet id of the session. */
export class UnacknowledgedPublishes {
    readonly #session: MqttSession;
    /** What is called at the acknowledgement, by packet id. */
    readonly #waiting = new Map<number, () => void>();
    /** Ids of QoS 2 publishes that the server has not completed. */
    readonly #incomplete = new Set<number>();

    constructor(session: MqttSession) {
        this.#session = session;
    }

    /** Those of QoS 2 that the server has not completed. */
    get incomplete(): Iterable<number> {
        return this.#incomplete;
    }

    /** A publish is about to be written; returns its packet id, or null when all 65 535 wait for an acknowledgement. */
    add(qos: Qos, settled: () => void): number | null {
        const packetId = this.#session.ids.allocate();
        if (packetId === null) return null;
        this.#waiting.set(packetId, settled);
        if (qos === 2) this.#incomplete.add(packetId);
        return packetId;
    }

    has(packetId: number): boolean {
        return this.#waiting.has(packetId);
    }

    /** The server acknowledged a publish. An acknowledgement for which nothing waits, such as a repeated one, changes nothing. */
    acknowledged(packetId: number): void {
        const settled = this.#waiting.get(packetId);
        if (!settled) {
            this.#incomplete.delete(packetId);
            this.#session.completed(packetId);
            return;
        }
        this.#waiting.delete(packetId);
        this.#incomplete.delete(packetId);
        this.#session.ids.deallocate(packetId);
        settled();
    }
}
