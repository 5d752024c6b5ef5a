import type { QuotaOptions } from "../options";
import type { Timers } from "../timers";

/**
 * Back-pressure on one client: it is not read while it is over its quota or while too many of its messages are unanswered.
 * Its messages are delayed by that, never refused or lost.
 */
export class ReadThrottle {
    readonly #stream: Pausable;
    readonly #maxUnanswered: number;
    readonly #quota: Quota;
    readonly #reasons = new Set<"quota" | "unanswered">();
    #unanswered = 0;

    constructor(stream: Pausable, maxUnanswered: number, quota: Required<QuotaOptions>, timers: Timers) {
        this.#stream = stream;
        this.#maxUnanswered = maxUnanswered;
        this.#quota = new Quota(quota, timers, (isSpent) => this.#throttle("quota", isSpent));
    }

    /** Whether the client is not being read at the moment. */
    get isThrottled(): boolean {
        return this.#reasons.size > 0;
    }

    /** Whether everything that came in has its answer. */
    get allAnswered(): boolean {
        return this.#unanswered === 0;
    }

    /** Counts a message whose answer is due. */
    expect(payloadBytes: number): void {
        this.#quota.spend(payloadBytes);
        this.#unanswered++;
        if (this.#unanswered >= this.#maxUnanswered) this.#throttle("unanswered", true);
    }

    /** Counts an answer. */
    answered(): void {
        this.#unanswered--;
        if (this.#unanswered < this.#maxUnanswered) this.#throttle("unanswered", false);
    }

    dispose(): void {
        this.#quota.dispose();
    }

    #throttle(reason: "quota" | "unanswered", isThrottled: boolean): void {
        if (isThrottled === this.#reasons.has(reason)) return;
        if (isThrottled) this.#reasons.add(reason);
        else this.#reasons.delete(reason);
        if (this.#reasons.size > 0) this.#stream.pause();
        else this.#stream.resume();
    }
}

/** A stream that can be left unread for a while. */
export interface Pausable {
    pause(): void;
    resume(): void;
}

/** A budget per second. When it is spent, the client is not read until the budget has recovered. */
class Quota {
    readonly #messagesPerMs: number;
    readonly #bytesPerMs: number;
    readonly #timers: Timers;
    readonly #spentChanged: (isSpent: boolean) => void;
    #freeAtMs = 0;
    #cancel: (() => void) | undefined;

    constructor(quota: Required<QuotaOptions>, timers: Timers, spentChanged: (isSpent: boolean) => void) {
        this.#messagesPerMs = quota.messagesPerSecond / 1000;
        this.#bytesPerMs = quota.bytesPerSecond / 1000;
        this.#timers = timers;
        this.#spentChanged = spentChanged;
    }

    /** Charges one message. */
    spend(bytes: number): void {
        if (this.#messagesPerMs === 0 && this.#bytesPerMs === 0) return;
        const costMs = Math.max(this.#messagesPerMs > 0 ? 1 / this.#messagesPerMs : 0, this.#bytesPerMs > 0 ? bytes / this.#bytesPerMs : 0);
        const now = this.#timers.monotonicMs();
        // One second's budget may be spent at once; the rest has to recover first.
        this.#freeAtMs = Math.max(this.#freeAtMs, now - 1000) + costMs;
        const waitMs = this.#freeAtMs - now;
        if (waitMs <= 0 || this.#cancel) return;
        this.#spentChanged(true);
        this.#cancel = this.#timers.after(waitMs, () => {
            this.#cancel = undefined;
            this.#spentChanged(false);
        });
    }

    dispose(): void {
        this.#cancel?.();
    }
}
