import type { Clock, Timer } from "../../clock";
import { Recent } from "../../recent-items";

/** The numbers that a chart shows. */
export interface HistorySample {
    /** Wall clock, milliseconds. */
    readonly at: number;
    readonly isOnline: boolean;
    readonly queued: number;
    /** Totals, whose differences are rates. */
    readonly eventsReceived: number;
    readonly eventsPublished: number;
}

const everyMs = 5_000;
const samples = 720;

/** Remembers an hour of a gateway, so that a chart shows what happened before somebody looked. */
export class GatewayHistory {
    readonly #clock: Clock;
    readonly #read: () => HistorySample;
    readonly #samples = new Recent<HistorySample>(samples);
    #timer: Timer | undefined;

    constructor(clock: Clock, read: () => HistorySample) {
        this.#clock = clock;
        this.#read = read;
    }

    /** Takes a sample now and every five seconds, until `close`. */
    start(): void {
        this.#samples.add(this.#read());
        this.#timer = this.#clock.setTimer(everyMs, () => this.start());
    }

    /** At most an hour of samples, the oldest first. */
    get items(): readonly HistorySample[] {
        return this.#samples.items;
    }

    close(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
    }
}
