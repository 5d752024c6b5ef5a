import type { QuotaOptions } from "../options";
import type { Timers } from "../timers";

/** A budget per second. When it is spent the client is not read until it has recovered: delayed, never refused. */
export class Quota {
    readonly #messagesPerMs: number;
    readonly #bytesPerMs: number;
    readonly #timers: Timers;
    readonly #hold: (held: boolean) => void;
    #freeAtMs = 0;
    #cancel: (() => void) | undefined;

    constructor(quota: Required<QuotaOptions>, timers: Timers, hold: (held: boolean) => void) {
        this.#messagesPerMs = quota.messagesPerSecond / 1000;
        this.#bytesPerMs = quota.bytesPerSecond / 1000;
        this.#timers = timers;
        this.#hold = hold;
    }

    /** Takes note of one message. */
    spend(bytes: number): void {
        if (this.#messagesPerMs === 0 && this.#bytesPerMs === 0) return;
        const costMs = Math.max(this.#messagesPerMs > 0 ? 1 / this.#messagesPerMs : 0, this.#bytesPerMs > 0 ? bytes / this.#bytesPerMs : 0);
        const now = performance.now();
        // A second's worth may be spent at once; what goes beyond is waited for.
        this.#freeAtMs = Math.max(this.#freeAtMs, now - 1000) + costMs;
        const waitMs = this.#freeAtMs - now;
        if (waitMs <= 0 || this.#cancel) return;
        this.#hold(true);
        this.#cancel = this.#timers.after(waitMs, () => {
            this.#cancel = undefined;
            this.#hold(false);
        });
    }

    dispose(): void {
        this.#cancel?.();
    }
}
