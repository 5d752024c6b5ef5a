import type { GatewayError } from "../../errors";
import { refusalError } from "../refusals/refusal-error";
import type { PendingDevice } from "./pending-device";
import { isTooMany } from "./refusal-codes";
import type { RegistrationParts } from "./registration-parts";
import type { Hold, HoldReason, Refusal } from "./registration-types";

/** Holds back the devices for which the platform is in back-off, and tries them again: at their time, or on a new connection. */
export class Holds {
    readonly #parts: RegistrationParts;
    /** The devices that an earlier connection refused for its limit, until one of them is tried on this one. */
    #trialCandidates = new Set<PendingDevice>();

    constructor(parts: RegistrationParts) {
        this.#parts = parts;
    }

    /** Holds the device; the check under way, if any, goes back to its client. */
    hold(pending: PendingDevice, reason: HoldReason, refusal?: Refusal): Hold {
        const { clock, listener, policy } = this.#parts;
        const failures = (pending.hold?.failures ?? 0) + (reason === "connection-limit" && pending.hold ? 0 : 1);
        const hold: Hold = {
            reason,
            until: clock.now() + policy.holdMs(failures),
            failures,
            ...(refusal && { rc: refusal.rc, text: refusal.text }),
        };
        if (!isTooMany(refusal?.rc ?? 0)) pending.forgetAcceptance();
        const { check, device } = pending;
        this.#begin(pending, hold, policy.holdMs(failures));
        listener.stateChanged(device, pending.state);
        if (check?.kind === "direct" && refusal) check.client?.drop(device, dropError(refusal, device));
        else check?.client?.requeue(device);
        // Management messages fail, filters give way; events ask once more, and wait.
        wake(pending);
        return hold;
    }

    /** Takes over a hold from an earlier run. */
    restore(pending: PendingDevice, hold: Hold): void {
        const { clock, policy } = this.#parts;
        this.#begin(pending, hold, Math.min(Math.max(hold.until - clock.now(), 0), policy.longestMs));
    }

    /** Ends the hold now, although its time has not come. */
    release(pending: PendingDevice): void {
        const { clock, held } = this.#parts;
        held.remove(pending);
        pending.endHold(clock.now());
    }

    /** A new connection is there: one of the devices that the last one refused for its limit is tried at once. */
    connectionStarted(): void {
        const { held } = this.#parts;
        this.#trialCandidates = new Set([...held].filter(isHeldForLimit));
        this.#startTrial();
    }

    /** Tries the device although its hold is not over, if it is held for a limit and the first of those on this connection. */
    tryFor(pending: PendingDevice): boolean {
        if (!this.#trialCandidates.has(pending) || !isHeldForLimit(pending)) return false;
        this.#trialCandidates = new Set();
        pending.tryHold();
        return true;
    }

    /** The trial has shown nothing new: the hold goes on. */
    endTrial(pending: PendingDevice): void {
        const { check, device, hold } = pending;
        if (hold) this.restore(pending, hold);
        if (check && check.sequence > 0) check.client?.requeue(device);
    }

    /** Nothing waits for the device that was to be tried: another one is. */
    abandonTrial(pending: PendingDevice): void {
        const { held } = this.#parts;
        this.endTrial(pending);
        this.#trialCandidates = new Set([...held].filter((each) => each !== pending && isHeldForLimit(each)));
        this.#startTrial();
    }

    /** The trial has succeeded: the new connection takes the others as well. */
    trialPassed(): void {
        const { held } = this.#parts;
        for (const pending of [...held].filter(isHeldForLimit)) {
            this.release(pending);
            wake(pending);
        }
    }

    #startTrial(): void {
        const { queue } = this.#parts;
        for (const pending of this.#trialCandidates) {
            if (!pending.isWanted || !this.tryFor(pending)) continue;
            queue.enqueue(pending, "event");
            return;
        }
    }

    #begin(pending: PendingDevice, hold: Hold, durationMs: number): void {
        const { held, queue, table } = this.#parts;
        const { client } = pending.check ?? {};
        queue.ended(pending);
        if (client) pending.addClient(client);
        pending.holdFor(hold, hold.reason === "swallowed");
        held.add(pending, durationMs);
        table.noteHeld(pending.device);
    }
}

function isHeldForLimit({ stage, hold }: PendingDevice): boolean {
    return stage === "held" && isTooMany(hold?.rc ?? 0);
}

/** Everything that waits for the device asks again. */
export function wake(pending: PendingDevice): void {
    for (const client of pending.takeClients()) client.wake(pending.device);
}

/** The error of a check that will not be sent again. */
export function dropError({ rc, text }: Refusal, device: string): GatewayError {
    return refusalError({ rc, message: text }, device, { willRetry: false });
}
