import type { Clock } from "../../clock";
import type { ReconnectReason } from "./registration-types";

const minuteMs = 60_000;

interface ReconnectNeedDeps {
    readonly clock: Clock;
    /** The time between two reconnects because of stuck registrations. */
    readonly registrationBackoffMs: number;
    /** Asks for the reconnect. */
    readonly wanted: (reason: ReconnectReason) => void;
    /** Calls `consider` again after this time. */
    readonly schedule: (delayMs: number) => void;
}

/** Keeps reconnects for the sake of registrations rare, and asks once for each. */
export class ReconnectNeed {
    readonly #options: ReconnectNeedDeps;
    readonly #intervalMs: Readonly<Record<ReconnectReason, number>>;
    readonly #lastMs = new Map<ReconnectReason, number>();
    readonly #planned = new Set<ReconnectReason>();
    #isAsked = false;

    constructor(options: ReconnectNeedDeps) {
        this.#options = options;
        this.#intervalMs = { "connection-limit": minuteMs, "stuck-registrations": options.registrationBackoffMs };
    }

    /** There is reason to reconnect: asks for it now, or plans to look again when that is due. */
    consider(reason: ReconnectReason): void {
        const { clock, schedule, wanted } = this.#options;
        if (this.#isAsked || this.#planned.has(reason)) return;
        const nowMs = clock.monotonicMs();
        const dueMs = (this.#lastMs.get(reason) ?? Number.NEGATIVE_INFINITY) + this.#intervalMs[reason];
        if (dueMs > nowMs) {
            this.#planned.add(reason);
            schedule(dueMs - nowMs);
            return;
        }
        this.#isAsked = true;
        this.#lastMs.set(reason, nowMs);
        wanted(reason);
    }

    /** A planned look is due. */
    planReached(): void {
        this.#planned.clear();
    }

    /** The connection has ended, for this or another reason. */
    ended(): void {
        this.#isAsked = false;
    }
}
