import type { Clock, Timer } from "../clock";
import { ByteRateLimiter } from "../rate-limiter";
import type { SentPacket } from "./sent-packet";

/** Keeps the bytes of PUBLISH packets below a rate, over all connections to a server: also what is sent again counts. */
export class PublishRate {
    readonly #clock: Clock;
    readonly #limiter: ByteRateLimiter;
    readonly #paid: () => void;
    #timer: Timer | undefined;

    /** @param paid called when something may be sent again */
    constructor(bytesPerS: number, clock: Clock, paid: () => void) {
        this.#clock = clock;
        this.#limiter = new ByteRateLimiter(bytesPerS, clock.monotonicMs());
        this.#paid = paid;
    }

    /** Whether nothing may be sent now that can wait. */
    get isUsedUp(): boolean {
        return this.#limiter.delayMs(this.#clock.monotonicMs()) > 0;
    }

    /** A packet is sent. */
    sent(packet: SentPacket): void {
        this.#limiter.sent(packetBytes(packet), this.#clock.monotonicMs());
        this.#wait();
    }

    /** Reports nothing more, until something is sent. */
    stop(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
    }

    #wait(): void {
        const delayMs = this.#limiter.delayMs(this.#clock.monotonicMs());
        if (delayMs === 0 || this.#timer) return;
        this.#timer = this.#clock.setTimer(delayMs, () => {
            this.#timer = undefined;
            // Meanwhile something may have been sent that could not wait.
            if (this.isUsedUp) this.#wait();
            else this.#paid();
        });
    }
}

/** Size of a PUBLISH packet on the wire: type, remaining length, topic, packet id and payload. */
function packetBytes({ name, qos, bytes }: SentPacket): number {
    const remaining = 2 + Buffer.byteLength(name) + (qos === 0 ? 0 : 2) + bytes;
    const lengthBytes = remaining < 128 ? 1 : remaining < 16_384 ? 2 : remaining < 2_097_152 ? 3 : 4;
    return 1 + lengthBytes + remaining;
}
