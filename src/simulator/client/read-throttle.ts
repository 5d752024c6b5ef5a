import type { QuotaOptions } from "../options";
import type { Timers } from "../timers";
import { Quota } from "./quota";

/** What can be read or not read for a while. */
export interface Readable {
    pause(): void;
    resume(): void;
}

/**
 * Back-pressure on one client: it is not read while it is over its quota or while too many of its messages are unanswered.
 * Nothing it sends is refused or lost by that.
 */
export class Inflow {
    readonly #line: Readable;
    readonly #maxUnanswered: number;
    readonly #quota: Quota;
    readonly #holds = new Set<"quota" | "unanswered">();
    #unanswered = 0;

    constructor(line: Readable, maxUnanswered: number, quota: Required<QuotaOptions>, timers: Timers) {
        this.#line = line;
        this.#maxUnanswered = maxUnanswered;
        this.#quota = new Quota(quota, timers, (held) => this.#hold("quota", held));
    }

    /** Whether the client is not being read at the moment. */
    get held(): boolean {
        return this.#holds.size > 0;
    }

    /** Whether everything that came in has its answer. */
    get allAnswered(): boolean {
        return this.#unanswered === 0;
    }

    /** A message came in whose answer is due. */
    expect(payloadBytes: number): void {
        this.#quota.spend(payloadBytes);
        this.#unanswered++;
        if (this.#unanswered >= this.#maxUnanswered) this.#hold("unanswered", true);
    }

    /** An answer was given. */
    answered(): void {
        this.#unanswered--;
        if (this.#unanswered < this.#maxUnanswered) this.#hold("unanswered", false);
    }

    dispose(): void {
        this.#quota.dispose();
    }

    #hold(reason: "quota" | "unanswered", held: boolean): void {
        if (held === this.#holds.has(reason)) return;
        if (held) this.#holds.add(reason);
        else this.#holds.delete(reason);
        if (this.#holds.size > 0) this.#line.pause();
        else this.#line.resume();
    }
}
