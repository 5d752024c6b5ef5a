import type { Clock, Timer } from "../../clock";
import type { ServerSubscription } from "./server-subscriptions";

/** Messages that the server has accepted for the old filter before it granted the new one are delivered within this time. */
const takeOverMs = 250;

/** The filters that were granted and take over from others, until everything that was on its way by the old ones is there. */
export class TakeOvers {
    readonly #clock: Clock;
    readonly #over: (entries: readonly ServerSubscription[]) => void;
    /** When each was granted, the earliest first; monotonic milliseconds. */
    readonly #grantedMs = new Map<ServerSubscription, number>();
    #timer: Timer | undefined;

    /** @param over called with the filters that have taken over */
    constructor(clock: Clock, over: (entries: readonly ServerSubscription[]) => void) {
        this.#clock = clock;
        this.#over = over;
    }

    /** The filter was granted. */
    begin(entry: ServerSubscription): void {
        this.#grantedMs.set(entry, this.#clock.monotonicMs());
        this.#timer ??= this.#clock.setTimer(takeOverMs, () => this.#look());
    }

    /** The connection ended: the old filters stay where they are noted. */
    clear(): void {
        this.#grantedMs.clear();
        this.#timer?.cancel();
        this.#timer = undefined;
    }

    #look(): void {
        const nowMs = this.#clock.monotonicMs();
        const over: ServerSubscription[] = [];
        this.#timer = undefined;
        for (const [entry, grantedMs] of this.#grantedMs) {
            const leftMs = grantedMs + takeOverMs - nowMs;
            if (leftMs > 0) {
                this.#timer = this.#clock.setTimer(leftMs, () => this.#look());
                break;
            }
            this.#grantedMs.delete(entry);
            over.push(entry);
        }
        this.#over(over);
    }
}
