import type { Timer } from "../../clock";
import type { RegistrationParts } from "./registration-parts";
import type { ReconnectReason } from "./registration-types";

const minuteMs = 60_000;
const dayMs = 24 * 60 * minuteMs;
/** Connections ended within a day for the sake of registrations that the line cut off. */
const renewalsPerDay = 6;

/** Sees when only a new connection helps the devices that wait, and asks for it, rarely and once per connection. */
export class ReconnectPlan {
    readonly #parts: RegistrationParts;
    readonly #drained: () => void;
    readonly #intervalMs: Readonly<Record<ReconnectReason, number>>;
    /** Monotonic milliseconds. */
    readonly #lastMs = new Map<ReconnectReason, number>();
    /** When the latest renewals were, the oldest first; monotonic milliseconds. */
    #renewalsMs: readonly number[] = [];
    #isOnline = false;
    #isAsked = false;
    #isDraining = false;
    #timer: Timer | undefined;
    #timerDueMs = Number.POSITIVE_INFINITY;

    /**
     * @param registrationBackoffMs the time between two reconnects because of stuck registrations
     * @param drained called when checks may be sent again
     */
    constructor(parts: RegistrationParts, registrationBackoffMs: number, drained: () => void) {
        this.#parts = parts;
        this.#drained = drained;
        this.#intervalMs = {
            "connection-limit": minuteMs,
            "stuck-registrations": registrationBackoffMs,
            "cut-off-registrations": 3 * minuteMs,
        };
    }

    /** Whether no further check may be sent, because the connection is about to be ended. */
    get isDraining(): boolean {
        return this.#isDraining;
    }

    /** Whether a connection may still be renewed today for registrations that the line cut off. */
    get canRenew(): boolean {
        return this.#renewals().length < renewalsPerDay;
    }

    /** A new connection is there. */
    started(): void {
        this.#isOnline = true;
    }

    /** The connection has ended, for this or another reason. */
    ended(): void {
        this.#isOnline = false;
        this.#isAsked = false;
        this.#isDraining = false;
        this.close();
    }

    /** Something has changed: looks soon whether a reconnect is in order, never inside the question of a client. */
    lookSoon(): void {
        if (this.#isOnline && !this.#isAsked) this.#arm(this.#parts.clock.monotonicMs());
    }

    /** Stops the timer. */
    close(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        this.#timerDueMs = Number.POSITIVE_INFINITY;
    }

    #arm(dueMs: number): void {
        if (dueMs >= this.#timerDueMs) return;
        const { clock } = this.#parts;
        this.#timer?.cancel();
        this.#timerDueMs = dueMs;
        this.#timer = clock.setTimer(dueMs - clock.monotonicMs(), () => {
            this.#timerDueMs = Number.POSITIVE_INFINITY;
            this.#look();
        });
    }

    #look(): void {
        const { clock, listener, queue } = this.#parts;
        const nowMs = clock.monotonicMs();
        const reasons = this.#reasons();
        const reason = reasons.find((each) => this.#dueMs(each) <= nowMs);
        const wasDraining = this.#isDraining;
        this.#isDraining = reason === "connection-limit";
        if (wasDraining && !this.#isDraining) this.#drained();
        if (reason === undefined) {
            for (const each of reasons) this.#arm(this.#dueMs(each));
            return;
        }
        // What is under way at the limit is waited for, so that nothing is sent twice.
        if (this.#isDraining && (queue.confirming.size > 0 || queue.places.size > queue.stuckCount)) return;
        this.#isAsked = true;
        this.#lastMs.set(reason, nowMs);
        if (reason === "cut-off-registrations") this.#renewalsMs = [...this.#renewals(), nowMs];
        for (const pending of queue.places) if (pending.check?.isSilent) pending.renew();
        listener.reconnectWanted(reason);
    }

    #reasons(): ReconnectReason[] {
        const { queue, quota } = this.#parts;
        const stuck = queue.stuckCount;
        const reasons: ReconnectReason[] = [];
        if (this.canRenew && [...queue.places].some(({ check, silence }) => check?.isSilent && silence && !silence.isRenewed))
            reasons.push("cut-off-registrations");
        if (stuck > 0 && stuck * 2 >= queue.limit) reasons.push("stuck-registrations");
        if (quota.isReached && queue.isBlocked) reasons.push("connection-limit");
        return reasons;
    }

    #dueMs(reason: ReconnectReason): number {
        return (this.#lastMs.get(reason) ?? Number.NEGATIVE_INFINITY) + this.#intervalMs[reason];
    }

    #renewals(): readonly number[] {
        const nowMs = this.#parts.clock.monotonicMs();
        return this.#renewalsMs.filter((atMs) => atMs > nowMs - dayMs);
    }
}
