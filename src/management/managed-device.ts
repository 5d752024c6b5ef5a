const firstRetryMs = 60_000;
const longestRetryMs = 3_600_000;
/** A lifetime is renewed this long before its end, and up to a tenth of it earlier, so that many devices spread. */
const renewalMarginMs = 120_000;
/** A device that is restarting is renewed only so shortly before its lifetime ends: a manage request tells that the restart is over. */
const restartMarginMs = 30_000;

/**
 * One device that is kept managed: where it stands, and when its next request is due. All times are monotonic milliseconds; `random` is
 * a number from 0 to 1.
 */
export class ManagedDevice {
    /** Whether a request waits for its turn or its answer. */
    isQueued = false;
    /** What the platform accepted last, to notice a changed configuration. */
    accepted: string | undefined;
    /** The code that was reported last, so that a device rejected on each connect is reported once. */
    reportedRc: number | undefined;
    #phase: "waiting" | "managed" | "rejected" | "unmanaged" = "waiting";
    /** When to send the next request; undefined = not by itself. */
    #dueMs: number | undefined;
    /** When the lifetime that the platform was told ends. */
    #lifetimeEndMs: number | undefined;
    #retryMs = firstRetryMs;

    get phase(): "waiting" | "managed" | "rejected" | "unmanaged" {
        return this.#phase;
    }

    /** Whether its next request is due. */
    isDue(nowMs: number): boolean {
        return this.#dueMs !== undefined && this.#dueMs <= nowMs;
    }

    /** Whether its lifetime ended without a renewal. */
    isDormant(nowMs: number): boolean {
        return this.#lifetimeEndMs !== undefined && this.#lifetimeEndMs <= nowMs;
    }

    /** Its request waits for its turn: nothing else is due until the outcome is known. */
    queued(): void {
        this.isQueued = true;
        this.#dueMs = undefined;
    }

    /** The platform manages it for so many seconds; 0 = for ever. */
    managed(lifetimeS: number, nowMs: number, random: () => number): void {
        const lifetimeMs = lifetimeS * 1000;
        this.#phase = "managed";
        this.#retryMs = firstRetryMs;
        this.#lifetimeEndMs = lifetimeMs > 0 ? nowMs + lifetimeMs : undefined;
        this.#dueMs = lifetimeMs > 0 ? nowMs + lifetimeMs * (1 - random() / 10) - renewalMarginMs : undefined;
    }

    /** A flow took it out of management. */
    unmanaged(): void {
        this.#phase = "unmanaged";
        this.#dueMs = undefined;
        this.#lifetimeEndMs = undefined;
    }

    /** The platform does not want to manage it: asked again only on the next connect, or when the configuration changed. */
    rejected(): void {
        this.#phase = "rejected";
        this.#dueMs = undefined;
    }

    /** It could not be managed now: asked again after a minute, then at growing intervals up to an hour. */
    retryLater(nowMs: number, random: () => number): void {
        this.#dueMs = nowMs + this.#retryMs * (1 + random() / 10);
        this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
    }

    /** It was asked to restart: a renewal must not tell the platform that it has, unless its lifetime ends. */
    restarting(): void {
        if (this.#lifetimeEndMs !== undefined) this.#dueMs = this.#lifetimeEndMs - restartMarginMs;
    }
}
