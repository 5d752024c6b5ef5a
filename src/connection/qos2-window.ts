import type { Qos } from "../protocol/qos";
import type { Settled } from "./sent-packets";

/** Mosquitto completes publishes of QoS 2 beyond its `max_inflight_messages` of 20 and drops them. */
const maxInFlight = 20;

/** Lets at most 20 publishes of QoS 2 be in flight. What cannot be sent now waits, and what follows it as well, so that the order is kept. */
export class Qos2Window {
    readonly #waiting: WaitingPublish[] = [];
    #inFlight = 0;

    /** Publishes that wait. */
    get waitingCount(): number {
        return this.#waiting.length;
    }

    /**
     * Sends a publish of QoS 1 or 2 now or when there is room.
     * @param send gets the callback for its acknowledgement or its failure
     */
    publish(qos: Qos, settled: Settled, send: (settled: Settled) => void): void {
        if (this.#waiting.length > 0 || !this.#hasRoomFor(qos)) this.#waiting.push({ qos, settled, send });
        else this.#send(qos, settled, send);
    }

    /** The connection ended: what waits has not been sent. */
    failAll(error: Error): void {
        for (const { settled } of this.#waiting.splice(0)) settled(error);
    }

    #hasRoomFor(qos: Qos): boolean {
        return qos < 2 || this.#inFlight < maxInFlight;
    }

    #send(qos: Qos, settled: Settled, send: (settled: Settled) => void): void {
        if (qos < 2) {
            send(settled);
            return;
        }
        this.#inFlight += 1;
        send((error) => {
            this.#inFlight -= 1;
            // First what waits: the caller may publish more from inside the callback.
            if (!error) this.#sendWaiting();
            settled(error);
        });
    }

    #sendWaiting(): void {
        for (let [next] = this.#waiting; next && this.#hasRoomFor(next.qos); [next] = this.#waiting) {
            this.#waiting.shift();
            this.#send(next.qos, next.settled, next.send);
        }
    }
}

interface WaitingPublish {
    readonly qos: Qos;
    readonly settled: Settled;
    readonly send: (settled: Settled) => void;
}
