import type { Responder } from "./responder";

/**
 * One device that is kept managed:
 *
 * | phase       | since                              | its next request is sent automatically                                      |
 * |-------------|------------------------------------|-----------------------------------------------------------------------------|
 * | `waiting`   | it showed up                       | at once; after a failure a minute later, then at growing intervals          |
 * | `managed`   | the platform accepted its request  | before its lifetime ends                                                    |
 * | `rejected`  | the platform rejected its request  | not on this connection                                                      |
 * | `unmanaged` | a flow took it out of management   | never, until a flow manages it again                                        |
 *
 * Besides, every device but an unmanaged one is due on each new connection, and when the configuration asks for another request.
 * While a request waits for its turn or its answer, nothing else is due. All times are monotonic milliseconds, and `random` is a
 * number from 0 to 1 that spreads what many devices would do at once.
 */
export class ManagedDevice {
    #phase: "waiting" | "managed" | "rejected" | "unmanaged" = "waiting";
    #owner: Responder | undefined;
    /** Whether a request waits for its turn or its answer, on the connection of `#askedOn`. */
    #isAsking = false;
    /** The number of the connection on which it asked last. */
    #askedOn: number | undefined;
    /** What it asked last, to notice a changed configuration. */
    #asked: string | undefined;
    /** The code that was reported last, so that a device rejected on each connection is reported once. */
    #reportedRc: number | undefined;
    /** When to send the next request; undefined = at no time. */
    #dueMs: number | undefined;
    /** When the lifetime ends that the platform knows. */
    #lifetimeEndMs: number | undefined;
    #retryMs = firstRetryMs;

    get phase(): "waiting" | "managed" | "rejected" | "unmanaged" {
        return this.#phase;
    }

    /** The responder that keeps it managed. */
    get owner(): Responder | undefined {
        return this.#owner;
    }

    /** The code that the platform gave last for a device that it does not manage. */
    get reportedRc(): number | undefined {
        return this.#reportedRc;
    }

    /** Whether its next request is due. */
    isDue(nowMs: number): boolean {
        return this.#dueMs !== undefined && this.#dueMs <= nowMs;
    }

    /** Whether its lifetime ended without a renewal. */
    isDormant(nowMs: number): boolean {
        return this.#lifetimeEndMs !== undefined && this.#lifetimeEndMs <= nowMs;
    }

    /** Whether a request that this connection has not brought is due: its first one, or another one than the last. */
    isOutdated(request: string, connectionNumber: number): boolean {
        return this.#phase !== "unmanaged" && (this.#askedOn !== connectionNumber || this.#asked !== request);
    }

    /** Another responder keeps it managed from now on, or none. */
    assign(owner: Responder | undefined): void {
        this.#owner = owner;
    }

    /** A request is to wait for its turn. False if one waits for its turn or its answer already. */
    ask(connectionNumber: number): boolean {
        if (this.#isAsking && this.#askedOn === connectionNumber) return false;
        this.#isAsking = true;
        this.#askedOn = connectionNumber;
        this.#dueMs = undefined;
        return true;
    }

    /** Its request is sent. */
    sent(request: string): void {
        this.#asked = request;
    }

    /** Its request has its outcome, or is not sent after all. */
    ended(): void {
        this.#isAsking = false;
    }

    /** The platform manages it for `lifetimeS` seconds, 0 = indefinitely. */
    accepted(lifetimeS: number, nowMs: number, random: () => number): void {
        const lifetimeMs = lifetimeS * 1000;
        this.#phase = "managed";
        this.#reportedRc = undefined;
        this.#retryMs = firstRetryMs;
        this.#lifetimeEndMs = lifetimeMs > 0 ? nowMs + lifetimeMs : undefined;
        this.#dueMs = lifetimeMs > 0 ? nowMs + lifetimeMs * (1 - random() / 10) - renewalMarginMs : undefined;
    }

    /** The platform rejected its request for good. Returns whether this code was not reported before. */
    rejected(rc: number): boolean {
        this.#phase = "rejected";
        this.#dueMs = undefined;
        return this.#isNews(rc);
    }

    /** Its request failed. Returns whether this code, if the platform gave one, was not reported before. */
    postponed(rc: number | undefined, nowMs: number, random: () => number): boolean {
        this.#dueMs = nowMs + this.#retryMs * (1 + random() / 10);
        this.#retryMs = Math.min(this.#retryMs * 2, longestRetryMs);
        return rc !== undefined && this.#isNews(rc);
    }

    /** The platform accepted a request of a flow: what would be sent automatically is settled by it on this connection. */
    acceptedFromFlow(request: string | undefined, connectionNumber: number): void {
        this.#asked = request;
        this.#askedOn = connectionNumber;
        this.#isAsking = false;
    }

    /** A flow took it out of management. */
    unmanaged(): void {
        this.#phase = "unmanaged";
        this.#dueMs = undefined;
        this.#lifetimeEndMs = undefined;
    }

    /** It was asked to restart: a renewal would report the restart as finished, so it waits until shortly before the lifetime ends. */
    restarting(): void {
        if (this.#lifetimeEndMs !== undefined) this.#dueMs = this.#lifetimeEndMs - restartMarginMs;
    }

    #isNews(rc: number): boolean {
        if (this.#reportedRc === rc) return false;
        this.#reportedRc = rc;
        return true;
    }
}

const firstRetryMs = 60_000;
const longestRetryMs = 3_600_000;
/** A lifetime is renewed this long before its end, and up to a tenth of it earlier, so that many devices spread. */
const renewalMarginMs = 120_000;
/** A device that is restarting is renewed no earlier than this before its lifetime ends. */
const restartMarginMs = 30_000;
