import type { Holds } from "./holds";
import { Investigation } from "./investigation";
import { confirmationMs, type PendingDevice } from "./pending-device";
import type { RegistrationParts } from "./registration-parts";
import type { StrayInterval } from "./stray-pings";

/** A suspect without anything to send for so long may not send for days. */
const quietMs = 60_000;

/**
 * The devices of which the platform may have dropped something silently: it is in back-off for one of them, and the only sign
 * is a stray ping, which names none. They are tried in groups with nothing else, and alone within a group that drew another one.
 */
export class Suspects {
    readonly #parts: RegistrationParts;
    readonly #holds: Holds;
    readonly #suspects = new Set<PendingDevice>();

    constructor(parts: RegistrationParts, holds: Holds) {
        this.#parts = parts;
        this.#holds = holds;
    }

    /**
     * How many are being tried, or are about to be. One that has sent nothing for a minute is not: whatever it sends next is a check all the
     * same, and shows whether something of it was dropped.
     */
    get count(): number {
        const quietSinceMs = this.#parts.clock.monotonicMs() - quietMs;
        let count = 0;
        for (const { stage, suspicion } of this.#suspects) {
            const isAboutToBe = (suspicion?.investigation?.strays.lastMs ?? 0) > quietSinceMs;
            if (stage !== "resting" || isAboutToBe) count += 1;
        }
        return count;
    }

    /**
     * More stray pings than notifications came in: at least one of the checks then under way was dropped, and nothing shows
     * which, unless only one was tried.
     */
    unexplained(strays: StrayInterval): void {
        const { listener, queue } = this.#parts;
        const sent = [...queue.places].filter(({ stage, check }) => stage === "sent" && check && check.sentMs <= strays.lastMs);
        const answered = [...queue.confirming].filter(({ check }) => check && isWithin(check, strays));
        if (sent.length + answered.length === 0) {
            listener.unexplainedDrop(strays);
            return;
        }
        const investigation = new Investigation(strays);
        for (const pending of sent) pending.noteStrayPing(investigation);
        const [first] = answered;
        if (first && answered.length === 1 && queue.isAlone(first)) this.#convict(first);
        else for (const pending of answered) this.suspect(pending, investigation, answered.length <= queue.limit);
    }

    /** Messages of devices that were flowing may have been dropped: what each of them sends next is a check. Returns these devices. */
    suspectFlowing(devices: Iterable<string>, strays: StrayInterval): string[] {
        const { table } = this.#parts;
        const investigation = new Investigation(strays);
        const suspects = [...devices].filter((device) => table.isFlowing(device));
        for (const device of suspects) {
            const pending = table.open(device);
            investigation.suspect();
            this.#suspects.add(pending);
            pending.suspect({ isAlone: false, wasFlowing: true, investigation });
        }
        return suspects;
    }

    /** Keeps the check, and has the device tried with other suspects or alone. */
    suspect(pending: PendingDevice, investigation: Investigation, isAlone: boolean): void {
        const { queue } = this.#parts;
        const { check, suspicion } = pending;
        queue.ended(pending);
        if (!suspicion) investigation.suspect();
        this.#suspects.add(pending);
        pending.suspect(suspicion ? { ...suspicion, isAlone: isAlone || suspicion.isTrialOfHold === true } : { isAlone, investigation });
        if (check?.client) pending.addClient(check.client);
        if (pending.isWanted) queue.enqueue(pending, check?.kind ?? "event");
        check?.client?.requeue(pending.device);
    }

    /** The device has passed its check, or another reason was found: nothing of it was dropped before. */
    clear(pending: PendingDevice): void {
        const { listener } = this.#parts;
        const { device, suspicion } = pending;
        pending.clearSuspicion();
        if (!suspicion || !this.#suspects.delete(pending)) return;
        const { investigation, wasFlowing } = suspicion;
        if (wasFlowing) listener.cleared(device);
        // None of the checks was it: something that was flowing must have been.
        if (investigation?.clear() && !wasFlowing) listener.unexplainedDrop(investigation.strays);
    }

    /** The device was tried alone, and something was dropped. */
    #convict(pending: PendingDevice): void {
        const { listener } = this.#parts;
        const { suspicion, device } = pending;
        if (suspicion?.isTrialOfHold) {
            this.#holds.endTrial(pending);
            return;
        }
        this.#suspects.delete(pending);
        suspicion?.investigation?.convict();
        const { until } = this.#holds.hold(pending, "swallowed");
        if (suspicion?.wasFlowing) listener.convicted(device, until);
    }
}

/** Whether a check may be what the stray pings were about. */
function isWithin({ acknowledgedMs, isRejected, sentMs }: NonNullable<PendingDevice["check"]>, strays: StrayInterval): boolean {
    return !isRejected && sentMs <= strays.lastMs && acknowledgedMs >= strays.firstMs - confirmationMs;
}
