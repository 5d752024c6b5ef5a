import type { Clock } from "../../clock";
import { EntryList } from "../queue/entry-list";
import type { OutboxEntry } from "../queue/outbox-entry";
import { AcknowledgementTime } from "./acknowledgement-time";

/** The events that are sent and not acknowledged, in the order of sending, and how long the platform takes to acknowledge. */
export class InFlightWindow {
    readonly acknowledgementTime = new AcknowledgementTime();
    readonly #clock: Clock;
    readonly #maxInFlight: number;
    readonly #entries = new EntryList();
    #transmissions = 0;

    constructor(options: { clock: Clock; maxInFlight: number }) {
        this.#clock = options.clock;
        this.#maxInFlight = options.maxInFlight;
    }

    get length(): number {
        return this.#entries.length;
    }

    get hasRoom(): boolean {
        return this.#entries.length < this.#maxInFlight;
    }

    /** The event sent last. */
    get last(): OutboxEntry | undefined {
        return this.#entries.last;
    }

    /** The event goes out; returns the number of this transmission. */
    sent(entry: OutboxEntry): number {
        const transmission = ++this.#transmissions;
        entry.transmission = transmission;
        this.#entries.push(entry);
        if (!this.acknowledgementTime.isTiming) this.acknowledgementTime.sent(transmission, this.#clock.monotonicMs());
        return transmission;
    }

    /** A transmission was acknowledged; false when it is not the one under way, so that its acknowledgement means nothing any more. */
    acknowledged(entry: OutboxEntry, transmission: number): boolean {
        if (entry.transmission !== transmission) return false;
        if (this.acknowledgementTime.isTimed(transmission)) this.acknowledgementTime.acknowledged(this.#clock.monotonicMs());
        else this.acknowledgementTime.overtaken(transmission);
        entry.transmission = 0;
        this.#entries.remove(entry);
        return true;
    }

    /** The connection ended: nothing that is in flight will be acknowledged. */
    linkDown(): void {
        this.acknowledgementTime.forget();
    }

    [Symbol.iterator](): Generator<OutboxEntry> {
        return this.#entries[Symbol.iterator]();
    }
}
