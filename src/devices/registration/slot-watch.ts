import type { Clock } from "../../clock";
import type { PendingDevice } from "./pending-device";
import type { RegistrationQueue } from "./registration-queue";

/** What was granted a slot and does not ask for it gives it back. */
const unusedGrantMs = 1_000;
/** A registration takes a few seconds at most; one that takes longer may never be answered. */
const unansweredMs = 30_000;
/** What is in a back-off is answered at once: a device that takes longer than this has nothing more to tell by being alone. */
const exclusiveMs = 1_000;

interface SlotWatchDeps {
    readonly clock: Clock;
    readonly queue: RegistrationQueue;
    /** Calls `check` after this time. */
    readonly schedule: (delayMs: number) => void;
    /** The device was granted a slot and has not used it. */
    readonly unused: (pending: PendingDevice) => void;
}

/** NotificationListeners slots that are not used or not answered. One deadline for all slots, since there are few. */
export class SlotWatch {
    readonly #options: SlotWatchDeps;
    #plannedMs = Number.POSITIVE_INFINITY;

    constructor(options: SlotWatchDeps) {
        this.#options = options;
    }

    /** The device has a slot, or has used it: its time begins. */
    begin(pending: PendingDevice): void {
        const { clock, queue } = this.#options;
        const isUnasked = pending.stage === "granted" && pending.kind === undefined;
        const patienceMs = isUnasked ? unusedGrantMs : pending === queue.exclusive ? exclusiveMs : unansweredMs;
        pending.slotDueMs = clock.monotonicMs() + patienceMs;
        this.#plan(pending.slotDueMs);
    }

    /** A planned look is due. */
    check(): void {
        const { clock, queue, unused } = this.#options;
        const nowMs = clock.monotonicMs();
        this.#plannedMs = Number.POSITIVE_INFINITY;
        for (const pending of [...queue.slots]) {
            if (pending.slotDueMs > nowMs) this.#plan(pending.slotDueMs);
            else if (pending.stage === "granted") unused(pending);
            else if (pending === queue.exclusive) this.#letOthersFollow(pending);
            else pending.unanswered = true;
        }
    }

    #letOthersFollow(pending: PendingDevice): void {
        this.#options.queue.endExclusive(pending);
        pending.slotDueMs = pending.sentMs + unansweredMs;
        this.#plan(pending.slotDueMs);
    }

    #plan(dueMs: number): void {
        if (dueMs >= this.#plannedMs) return;
        this.#plannedMs = dueMs;
        this.#options.schedule(dueMs - this.#options.clock.monotonicMs());
    }
}
