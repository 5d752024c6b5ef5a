import type { Clock } from "../../clock";
import { EntryList } from "../queue/entry-list";
import type { OutboxEntry } from "../queue/outbox-entry";
import { AcknowledgementTime } from "./acknowledgement-time";
import { ByteWindow } from "./byte-window";

/**
 * The events that are sent and not acknowledged, in the order of sending, and how long the platform takes to acknowledge. Acknowledged ones
 * that may still have to be sent again are kept besides; they take no room.
 */
export class InFlightWindow {
    readonly acknowledgementTime = new AcknowledgementTime();
    readonly #clock: Clock;
    readonly #maxInFlight: number;
    readonly #bytes: ByteWindow;
    readonly #inFlight = new EntryList();
    readonly #acknowledged = new EntryList();
    #transmissions = 0;

    constructor(options: { clock: Clock; maxInFlight: number }) {
        this.#clock = options.clock;
        this.#maxInFlight = options.maxInFlight;
        this.#bytes = new ByteWindow(options.clock);
    }

    get length(): number {
        return this.#inFlight.length;
    }

    get hasRoom(): boolean {
        return this.#inFlight.length < this.#maxInFlight;
    }

    /** How long the next event has to wait because the link is busy, in milliseconds, if nothing is acknowledged meanwhile. */
    get waitMs(): number {
        return this.#bytes.waitMs;
    }

    /** The event goes out; returns the number of this transmission. The acknowledgement of a check may be withheld: it does not count. */
    sent(entry: OutboxEntry, isCheck: boolean): number {
        const transmission = ++this.#transmissions;
        entry.sent(transmission, isCheck, isCheck ? 0 : this.#bytes.sent(entry.bytes + entry.topic.length));
        this.#inFlight.push(entry);
        if (!this.acknowledgementTime.isTiming) this.acknowledgementTime.sent(transmission, this.#clock.monotonicMs());
        return transmission;
    }

    /** Whether nothing is in flight, and the outcome of everything acknowledged is known. */
    get isQuiet(): boolean {
        if (this.#inFlight.length > 0) return false;
        for (const entry of this.#acknowledged) if (entry.isOpen) return false;
        return true;
    }

    /** The transmission under way was acknowledged; `isOpen`: its outcome is not known yet. */
    acknowledged(entry: OutboxEntry, isOpen: boolean): void {
        const { transmission } = entry;
        if (this.acknowledgementTime.isTimed(transmission)) this.acknowledgementTime.acknowledged(this.#clock.monotonicMs());
        else this.acknowledgementTime.overtaken(transmission);
        this.#bytes.acknowledged(entry.sentUpTo);
        this.#inFlight.remove(entry);
        entry.acknowledged(isOpen);
        this.#acknowledged.push(entry);
    }

    /** The connection ended: nothing that is in flight will be acknowledged. */
    linkDown(): void {
        this.acknowledgementTime.forget();
        this.#bytes.linkDown();
    }

    /** Everything that is in flight, or acknowledged and not settled. */
    *[Symbol.iterator](): Generator<OutboxEntry> {
        yield* this.#acknowledged;
        yield* this.#inFlight;
    }
}
