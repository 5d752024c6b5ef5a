import type { Clock } from "../../clock";
import type { ConnectionQuota } from "./connection-quota";
import type { DeviceTable } from "./device-table";
import type { HoldPolicy } from "./hold-policy";
import type { PendingDevice } from "./pending-device";
import { isFinal, isTooMany } from "./refusal-codes";
import type { RegistrationQueue } from "./registration-queue";
import type { Hold, HoldReason, Refusal, RefusalVerdict, RegistrationListener } from "./registration-types";
import type { StrayInterval, StrayPings } from "./stray-pings";

/** The platform's own limit of pending registrations where nobody raised it: fewer beside one cannot be too many. */
const smallestPendingLimit = 10;

interface RegistrationOutcomesDeps {
    readonly clock: Clock;
    readonly listener: RegistrationListener;
    readonly table: DeviceTable;
    readonly queue: RegistrationQueue;
    readonly quota: ConnectionQuota;
    readonly policy: HoldPolicy;
    readonly strayPings: StrayPings;
    /** How long after its acknowledgement a device may still turn out to have failed. */
    readonly confirmationMs: number;
    /** Calls back for the device after a time, unless its stage has changed. */
    readonly setDeadline: (pending: PendingDevice, delayMs: number) => void;
}

/** How registration attempts end: confirmed, refused, dropped without a word, or cut off with the connection. */
export class RegistrationOutcomes {
    readonly #deps: RegistrationOutcomesDeps;
    /** Acknowledged and not yet confirmed. */
    readonly #confirming = new Set<PendingDevice>();

    constructor(deps: RegistrationOutcomesDeps) {
        this.#deps = deps;
    }

    /** The devices that are acknowledged and not yet confirmed. */
    get confirming(): ReadonlySet<PendingDevice> {
        return this.#confirming;
    }

    /** The platform has answered: unless it said more before, the confirmation time begins. */
    acknowledged(pending: PendingDevice): void {
        const { clock, confirmationMs, queue, setDeadline } = this.#deps;
        pending.otherPending = queue.otherPending(pending);
        pending.unanswered = false;
        pending.acknowledgedMs = clock.monotonicMs();
        pending.stage = "acknowledged";
        queue.releaseSlot(pending);
        this.#confirming.add(pending);
        if (pending.refusal) this.refuse(pending, pending.refusal);
        else if (pending.ambiguous) this.#markAmbiguous(pending);
        else setDeadline(pending, confirmationMs);
    }

    /** The confirmation time is over and no notification came. */
    confirmationOver(pending: PendingDevice): void {
        const { clock, confirmationMs, listener, setDeadline, strayPings, table } = this.#deps;
        const { dueMs, firstMs } = strayPings;
        if (dueMs !== undefined && firstMs !== undefined && firstMs <= pending.acknowledgedMs + confirmationMs) {
            setDeadline(pending, Math.max(dueMs - clock.monotonicMs(), 0));
            return;
        }
        if (pending.rejected) {
            this.#reject(pending);
            return;
        }
        this.#end(pending);
        pending.stage = "idle";
        table.setKnown(pending.device);
        listener.stateChanged(pending.device, { phase: "known" });
        if (pending.kind) listener.confirm(pending.device, pending.kind);
        listener.wake(pending.device);
    }

    /** The platform refused an acknowledged device. */
    refuse(pending: PendingDevice, refusal: Refusal): RefusalVerdict {
        if (isFinal(refusal.rc)) {
            this.#drop(pending, refusal);
            return { willRetry: false, isDropped: true };
        }
        const isDirect = pending.kind === "direct";
        const reason = isTooMany(refusal.rc) ? this.#reasonForTooMany(pending) : "refused";
        const heldUntil = this.hold(pending, reason, refusal).until;
        return isDirect ? { willRetry: false, heldUntil, isDropped: true } : { willRetry: true, heldUntil };
    }

    /**
     * More stray packets than notifications came in: at least one of the devices then in flight was dropped, and it cannot be
     * told which, unless only one was tried.
     */
    unexplained(strays: StrayInterval): void {
        const { confirmationMs, listener, queue } = this.#deps;
        const sent = [...queue.slots].filter((pending) => pending.stage === "sent" && pending.sentMs <= strays.lastMs);
        const answered = [...this.#confirming].filter(
            ({ acknowledgedMs, rejected, sentMs }) =>
                !rejected && sentMs <= strays.lastMs && acknowledgedMs >= strays.firstMs - confirmationMs,
        );
        if (sent.length + answered.length === 0) listener.unexplainedDrop();
        for (const pending of sent) pending.ambiguous = true;
        for (const pending of answered) {
            if (pending === queue.exclusive && answered.length === 1) this.hold(pending, "swallowed");
            else this.#markAmbiguous(pending);
        }
    }

    /** The connection ended before the device's outcome was known. */
    interrupt(pending: PendingDevice): void {
        const { listener, queue } = this.#deps;
        const { refusal } = pending;
        if (refusal && isFinal(refusal.rc)) {
            this.#drop(pending, refusal);
        } else if (refusal || pending.unanswered) {
            this.hold(pending, refusal ? "refused" : "unanswered", refusal);
        } else if (pending.ambiguous) {
            this.#markAmbiguous(pending);
        } else {
            const sentKind = pending.isInFlight ? pending.kind : undefined;
            this.#end(pending);
            pending.kind = undefined;
            pending.stage = pending.exclusive ? "unconfirmed" : "waiting";
            queue.enqueue(pending, "front");
            if (sentKind) listener.requeue(pending.device, sentKind);
        }
    }

    /** Holds the device; what was being sent, if anything, goes back to its queue. */
    hold(pending: PendingDevice, reason: HoldReason, refusal?: Refusal): Hold {
        const { clock, listener, policy, setDeadline, table } = this.#deps;
        const failures = (pending.hold?.failures ?? 0) + (reason === "connection-limit" && pending.hold ? 0 : 1);
        const durationMs = policy.holdMs(failures);
        const hold: Hold = {
            reason,
            until: clock.now() + durationMs,
            failures,
            ...(refusal && { rc: refusal.rc, text: refusal.text }),
        };
        const { kind } = pending;
        this.#end(pending);
        pending.kind = undefined;
        table.hold(pending, hold);
        setDeadline(pending, durationMs);
        listener.stateChanged(pending.device, pending.state);
        if (kind === "direct" && refusal) listener.drop(pending.device, kind, refusal);
        else if (kind) listener.requeue(pending.device, kind);
        return hold;
    }

    /** Nothing is under way with this device; it is remembered only if there is something to remember. */
    rest(pending: PendingDevice): void {
        pending.stage = "idle";
        if (!pending.hold && !pending.exclusive) this.#deps.table.remove(pending.device);
    }

    /** Keeps the event and puts the device in the line of those that are tried alone. */
    #markAmbiguous(pending: PendingDevice): void {
        const { listener, queue } = this.#deps;
        const { kind } = pending;
        this.#end(pending);
        pending.kind = undefined;
        pending.exclusive = true;
        pending.stage = "unconfirmed";
        queue.enqueue(pending, "back");
        if (kind) listener.requeue(pending.device, kind);
    }

    /**
     * A SUBSCRIBE failed without a word: the device may be in back-off, or the server may not allow this filter. Events are
     * not held for that, their own outcome will tell; the subscription is tried again later.
     */
    #reject(pending: PendingDevice): void {
        const { listener, policy, setDeadline } = this.#deps;
        const { kind } = pending;
        this.#end(pending);
        pending.kind = undefined;
        this.rest(pending);
        setDeadline(pending, policy.holdMs(1));
        listener.wake(pending.device);
        if (kind) listener.requeue(pending.device, kind);
    }

    #drop(pending: PendingDevice, refusal: Refusal): void {
        const { listener } = this.#deps;
        const { kind } = pending;
        this.#end(pending);
        if (refusal.registration) {
            pending.kind = undefined;
            this.hold(pending, "refused", refusal);
        } else {
            this.rest(pending);
        }
        if (kind) listener.drop(pending.device, kind, refusal);
        listener.wake(pending.device);
    }

    #reasonForTooMany(pending: PendingDevice): HoldReason {
        const { queue, quota } = this.#deps;
        if (pending.otherPending >= smallestPendingLimit) {
            queue.lowerLimit(pending.otherPending);
            return "refused";
        }
        quota.refused(pending.sequence);
        return "connection-limit";
    }

    #end(pending: PendingDevice): void {
        this.#deps.queue.ended(pending);
        this.#confirming.delete(pending);
    }
}
