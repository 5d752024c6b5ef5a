import { dropError, type Holds, wake } from "./holds";
import type { Investigation } from "./investigation";
import { confirmationMs, type PendingDevice } from "./pending-device";
import { isFinal, isNotAuthorised, isTooMany } from "./refusal-codes";
import type { RegistrationParts } from "./registration-parts";
import type { HoldReason, Refusal, RefusalVerdict } from "./registration-types";
import type { StrayPings } from "./stray-pings";
import type { Suspects } from "./suspects";

/** The platform's own limit of pending registrations where nobody raised it: with fewer pending, one cannot be too many. */
const smallestPendingLimit = 10;

/** How checks end: confirmed, refused, left unanswered, given back, or cut off with the connection. */
export class RegistrationOutcomes {
    readonly #parts: RegistrationParts;
    readonly #strayPings: StrayPings;
    readonly #holds: Holds;
    readonly #suspects: Suspects;
    readonly #unanswered = new Set<PendingDevice>();

    constructor(parts: RegistrationParts, strayPings: StrayPings, holds: Holds, suspects: Suspects) {
        this.#parts = parts;
        this.#strayPings = strayPings;
        this.#holds = holds;
        this.#suspects = suspects;
    }

    /** How many devices the platform has left unanswered. */
    get unansweredCount(): number {
        return this.#unanswered.size;
    }

    /** The platform has answered: unless it said more before, the confirmation time begins. */
    acknowledged(pending: PendingDevice, isRejected: boolean): void {
        const { queue } = this.#parts;
        pending.acknowledge(queue.otherPending(pending), isRejected);
        queue.answered(pending);
        this.#unanswered.delete(pending);
        const { refusal, investigation } = pending.check ?? {};
        if (refusal) this.refuse(pending, refusal);
        else if (investigation && this.#isRecent(investigation)) this.#suspects.suspect(pending, investigation, true);
    }

    /** The confirmation time is over. */
    confirmationOver(pending: PendingDevice): void {
        const { clock } = this.#parts;
        const { dueMs, firstMs } = this.#strayPings;
        const { acknowledgedMs = 0, isRejected } = pending.check ?? {};
        if (dueMs !== undefined && firstMs !== undefined && firstMs <= acknowledgedMs + confirmationMs) {
            pending.decideIn(Math.max(dueMs - clock.monotonicMs(), 0));
        } else if (isRejected) {
            this.#reject(pending);
        } else {
            this.#confirm(pending);
        }
    }

    /** The platform refused a check that it has acknowledged. */
    refuse(pending: PendingDevice, refusal: Refusal): RefusalVerdict {
        this.#suspects.clear(pending);
        // A known device that is no longer allowed is refused for good what it sends; a new one may be allowed in time.
        if (isFinal(refusal.rc) || (isNotAuthorised(refusal.rc) && pending.checkedOn !== undefined)) {
            this.#drop(pending, refusal);
            return { willRetry: false, isDropped: true };
        }
        const isDirect = pending.check?.kind === "direct";
        const reason = isTooMany(refusal.rc) ? this.#reasonForTooMany(pending) : "refused";
        const heldUntil = this.#holds.hold(pending, reason, refusal).until;
        return isDirect ? { willRetry: false, heldUntil, isDropped: true } : { willRetry: true, heldUntil };
    }

    /** The device is not in back-off, or it would have been answered by now: it is no suspect any more, and others follow. */
    endExclusive(pending: PendingDevice): void {
        const { suspicion } = pending;
        this.#parts.queue.endExclusive(pending);
        pending.endExclusive();
        this.#suspects.clear(pending);
        if (suspicion?.isTrialOfHold) this.#holds.trialPassed();
    }

    /** The connection ended before the outcome of the check was known. */
    interrupt(pending: PendingDevice): void {
        const { held, queue } = this.#parts;
        const { stage, check, suspicion } = pending;
        if (stage === "sent" || stage === "unanswered") pending.noteCutOff();
        if (check?.refusal) {
            this.refuse(pending, check.refusal);
        } else if (suspicion?.isTrialOfHold) {
            this.#holds.endTrial(pending);
        } else if (check?.investigation && this.#isRecent(check.investigation)) {
            this.#suspects.suspect(pending, check.investigation, true);
        } else {
            held.remove(pending);
            queue.ended(pending);
            pending.rest();
            this.#requeue(pending, check, "front");
        }
    }

    /** The place was not used for long: it goes to another device, and this one waits again. */
    unused(pending: PendingDevice): void {
        const { held, policy, queue } = this.#parts;
        const { check, silence, suspicion } = pending;
        if (suspicion?.isTrialOfHold) {
            this.#holds.endTrial(pending);
            return;
        }
        if (silence?.isOwed) {
            pending.stayUnanswered();
            held.add(pending, policy.retryMs(silence.count));
            if (check?.client) pending.addClient(check.client);
            return;
        }
        queue.ended(pending);
        pending.rest();
        this.#requeue(pending, check, "back");
    }

    /** The platform does not answer, on a connection that was made for the sake of this device: it is tried again later. */
    giveUp(pending: PendingDevice): void {
        const { held, listener, policy, queue } = this.#parts;
        const client = pending.check?.client;
        const isNews = (pending.silence?.count ?? 0) === 0;
        queue.endExclusive(pending);
        this.#unanswered.add(pending);
        pending.giveUp();
        held.add(pending, policy.retryMs(pending.silence?.count ?? 1));
        if (client) pending.addClient(client);
        client?.requeue(pending.device);
        if (isNews) listener.unanswered(pending.device);
    }

    /** The answer has come after all, and the check has been given back meanwhile: the device is checked in the usual way. */
    answeredLate(pending: PendingDevice): void {
        this.#parts.held.remove(pending);
        this.#unanswered.delete(pending);
        pending.answerLate();
        this.rest(pending);
        wake(pending);
    }

    /** Nobody sends the check for which the device has a place. */
    release(pending: PendingDevice): void {
        if (pending.suspicion?.isTrialOfHold) this.#holds.abandonTrial(pending);
        else if (pending.silence?.isOwed) pending.stayUnanswered();
        else this.rest(pending);
    }

    /** Nothing is under way with this device; it is remembered only if there is something to remember. */
    rest(pending: PendingDevice): void {
        const { queue, table } = this.#parts;
        queue.ended(pending);
        pending.rest();
        if (pending.hold || pending.suspicion || pending.silence || pending.isWanted) return;
        if (pending.checkedOn === undefined) table.remove(pending.device);
        else table.setChecked(pending.device, pending.checkedOn);
    }

    /** Nothing is remembered of the device any more. */
    forget(pending: PendingDevice): void {
        const { held } = this.#parts;
        held.remove(pending);
        this.#suspects.clear(pending);
        this.#unanswered.delete(pending);
        pending.rest();
        wake(pending);
    }

    #confirm(pending: PendingDevice): void {
        const { held, listener, queue, quota, table } = this.#parts;
        const { check, checkedOn, device, hold, suspicion } = pending;
        queue.ended(pending);
        pending.rest();
        held.remove(pending);
        table.setChecked(device, quota.connection);
        if (check && check.sequence > quota.limit) queue.freePlaces();
        if (checkedOn === undefined || hold) listener.stateChanged(device, { phase: "known" });
        check?.confirmed?.();
        check?.client?.confirm(device);
        wake(pending);
        this.#suspects.clear(pending);
        if (suspicion?.isTrialOfHold) this.#holds.trialPassed();
    }

    /**
     * A SUBSCRIBE failed without a notification: the device may be in back-off, or the server may not allow this filter. Events
     * are not held for that, their own outcome will show; the subscription is tried again later.
     */
    #reject(pending: PendingDevice): void {
        const { held, policy } = this.#parts;
        const { client } = pending.check ?? {};
        const others = pending.takeClients();
        if (client) pending.addClient(client);
        this.rest(pending);
        held.add(pending, policy.holdMs(1));
        client?.requeue(pending.device);
        for (const other of others) other.wake(pending.device);
    }

    #drop(pending: PendingDevice, refusal: Refusal): void {
        const { device, check } = pending;
        const client = check?.client;
        if (client) pending.withdraw(client);
        if (refusal.registration) {
            this.#holds.hold(pending, "refused", refusal);
        } else {
            if (isNotAuthorised(refusal.rc)) pending.forgetAcceptance();
            this.rest(pending);
        }
        client?.drop(device, dropError(refusal, device));
        wake(pending);
    }

    /** The client waits again; if its check was under way, it gets it back. */
    #requeue(pending: PendingDevice, check: PendingDevice["check"], where: "front" | "back"): void {
        if (check?.client) pending.addClient(check.client);
        if (pending.isWanted) this.#parts.queue.enqueue(pending, check?.kind ?? pending.kind, where);
        if (check && check.sequence > 0) check.client?.requeue(pending.device);
    }

    /** Whether a check that is answered now may be what stray pings were about: they come with the acknowledgement. */
    #isRecent({ strays }: Investigation): boolean {
        const { clock, queue } = this.#parts;
        return clock.monotonicMs() <= strays.lastMs + queue.exclusiveMs;
    }

    #reasonForTooMany(pending: PendingDevice): HoldReason {
        const { queue, quota } = this.#parts;
        const { otherPending = 0, number } = pending.check ?? {};
        if (otherPending >= smallestPendingLimit) {
            queue.lowerLimit(otherPending);
            return "refused";
        }
        quota.refused(number);
        return "connection-limit";
    }
}
