import type { Clock, Timer } from "../../clock";
import { RateLimiter } from "../../rate-limiter";
import { maxReturns, type UndeliveredEvent } from "../event";
import { RecordSet } from "./record-set";
import type { UndeliveredRecord } from "./undelivered-record";

/** One message for each event, but not more of them than a flow can take. */
const perSecond = 1000;
/** In one turn of the event loop. */
const atOnce = 100;
/** Between two turns, so that the rest of the process gets its own. */
const turnMs = 20;
/** A message counts as handed over when the flows have had it for this time. */
const confirmMs = 1000;
const confirmGroupMs = 100;
/** Nobody was there to take it. */
const retryMs = 1000;
/** What was raised and may have to be raised again. */
const maxRaisedBytes = 8_388_608;

/**
 * Brings undelivered events to the Catch nodes, one message each, paced. An event is handed over when the flows have run for one more second
 * since; where they stop before, it is raised again by the next ones.
 */
export class HandOver {
    readonly #options: HandOverOptions;
    readonly #rate: RateLimiter;
    #line = new RecordSet();
    /** Raised, with whether a Catch node got it, in the order of raising. */
    readonly #raised = new Map<UndeliveredRecord, boolean>();
    #raisedBytes = 0;
    #isRunning = false;
    #isRaising = false;
    /** Events that may be raised beyond the rate. */
    #extra = 0;
    #timer: Timer | undefined;
    #confirmTimer: Timer | undefined;

    constructor(options: HandOverOptions) {
        this.#options = options;
        this.#rate = new RateLimiter({ perSecond, burst: atOnce }, options.clock.monotonicMs());
    }

    /** Events in memory that wait to be raised, in order. */
    get line(): Pick<RecordSet, "size" | "bytes"> & Iterable<UndeliveredRecord> {
        return this.#line;
    }

    /** Events that were raised a moment ago. */
    get raised(): Iterable<UndeliveredRecord> {
        return this.#raised.keys();
    }

    get raisedCount(): number {
        return this.#raised.size;
    }

    /** Adds an event behind all others. */
    push(record: UndeliveredRecord): void {
        record.lineUp();
        this.#line.add(record);
    }

    /** Takes an event out that is not raised yet. */
    remove(record: UndeliveredRecord): void {
        this.#line.delete(record);
    }

    /** One event more than the rate allows may go, if any may. */
    hurry(): void {
        if (this.#isRunning) this.#extra += 1;
    }

    /** The flows run. */
    resume(): void {
        this.#isRunning = true;
        this.pump();
    }

    /** The flows stop: what they got a moment ago may be lost in them. */
    pause(): void {
        this.#isRunning = false;
        this.#cancelTimers();
        this.#line = new RecordSet([...this.#raised.keys(), ...this.#line]);
        this.#raised.clear();
        this.#raisedBytes = 0;
    }

    /** Raises what may be raised now. */
    pump(): void {
        if (!this.#isRunning || this.#isRaising) return;
        this.#isRaising = true;
        let hasTaker = true;
        try {
            for (let count = 0; count < atOnce && hasTaker; count++) {
                const [record] = this.#line;
                if (!record || this.#raisedBytes > maxRaisedBytes || !this.#mayRaise()) break;
                hasTaker = this.#raise(record);
            }
        } finally {
            this.#isRaising = false;
        }
        this.#options.raised();
        this.#pumpLater(hasTaker ? 0 : retryMs);
    }

    #mayRaise(): boolean {
        if (this.#rate.take(this.#options.clock.monotonicMs())) return true;
        if (this.#extra === 0) return false;
        this.#extra -= 1;
        return true;
    }

    /** False when nobody was there to take it. */
    #raise(record: UndeliveredRecord): boolean {
        const isCaught = this.#offer(record);
        if (isCaught === undefined) return false;
        this.remove(record);
        record.raised(this.#options.clock.monotonicMs());
        this.#raised.set(record, isCaught);
        this.#raisedBytes += record.event.bytes;
        this.#confirmTimer ??= this.#options.clock.setTimer(confirmMs, () => this.#confirm());
        return true;
    }

    #offer(record: UndeliveredRecord): boolean | undefined {
        const { listener } = this.#options;
        const isLooping = record.event.returns >= maxReturns;
        if (isLooping) listener.returnedTooOften(record);
        const completion = record.takeCompletion();
        if (!completion) return isLooping ? false : listener.undelivered(record);
        if (completion.undelivered) return completion.undelivered(record);
        completion.failed(record.error);
        return false;
    }

    #confirm(): void {
        const { clock, confirmed } = this.#options;
        const nowMs = clock.monotonicMs();
        this.#confirmTimer = undefined;
        for (const [record, isCaught] of this.#raised) {
            const leftMs = (record.raisedMs ?? nowMs) + confirmMs - nowMs;
            if (leftMs > 0) {
                this.#confirmTimer = clock.setTimer(Math.max(leftMs, confirmGroupMs), () => this.#confirm());
                break;
            }
            this.#raised.delete(record);
            this.#raisedBytes -= record.event.bytes;
            record.confirmed(isCaught);
            confirmed(record);
        }
        if (!this.#timer) this.pump();
    }

    #pumpLater(atLeastMs: number): void {
        const { clock } = this.#options;
        if (!this.#isRunning || this.#line.size === 0 || this.#raisedBytes > maxRaisedBytes) return;
        const delayMs = this.#extra > 0 ? 0 : Math.max(this.#rate.delayMs(clock.monotonicMs()), turnMs);
        this.#timer?.cancel();
        this.#timer = clock.setTimer(Math.max(delayMs, atLeastMs), () => {
            this.#timer = undefined;
            this.pump();
        });
    }

    #cancelTimers(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        this.#confirmTimer?.cancel();
        this.#confirmTimer = undefined;
    }
}

/** Who gets the undelivered events. Must not throw. */
export interface UndeliveredListener {
    /** Brings an event to the Catch nodes; returns whether one got it, and undefined when nobody is there who could bring it. */
    undelivered(event: UndeliveredEvent): boolean | undefined;
    /** Catch nodes have sent the event back so often that it is not brought to them any more. */
    returnedTooOften(event: UndeliveredEvent): void;
}

/** What the hand-over works with. */
export interface HandOverOptions {
    readonly clock: Clock;
    readonly listener: UndeliveredListener;
    /** Some events were raised: there may be room for more. */
    raised(): void;
    /** The event has been handed over. */
    confirmed(record: UndeliveredRecord): void;
}
