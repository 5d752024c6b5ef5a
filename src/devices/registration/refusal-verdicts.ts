import type { Holds } from "./holds";
import type { PendingDevice } from "./pending-device";
import { endsKnown, isFinal, isNotAuthorised, isTooMany } from "./refusal-codes";
import type { RegistrationOutcomes } from "./registration-outcomes";
import type { RegistrationParts } from "./registration-parts";
import type { Refusal, RefusalVerdict } from "./registration-types";
import type { Suspects } from "./suspects";

/** What a notification means for the device that it names, and for the refused message. */
export class RefusalVerdicts {
    readonly #parts: RegistrationParts;
    readonly #holds: Holds;
    readonly #suspects: Suspects;
    readonly #outcomes: RegistrationOutcomes;

    constructor(parts: RegistrationParts, holds: Holds, suspects: Suspects, outcomes: RegistrationOutcomes) {
        this.#parts = parts;
        this.#holds = holds;
        this.#suspects = suspects;
        this.#outcomes = outcomes;
    }

    /** A notification about the device came in. */
    judge(device: string, refusal: Refusal): RefusalVerdict {
        const { table } = this.#parts;
        if (table.isFlowing(device)) return this.judgeFlowing(device, refusal);
        const pending = table.pending(device);
        if (!pending) return { willRetry: false };
        const isAboutCheck = (pending.check?.kind === "subscribe") === (refusal.request === "subscribe");
        if (pending.stage === "sent" && isAboutCheck) return note(pending, refusal);
        if (pending.stage === "confirming" && isAboutCheck) return this.#outcomes.refuse(pending, refusal);
        return this.#judgeLate(pending, refusal);
    }

    /** The platform refused something of a device that was flowing, so it dropped what followed as well. */
    judgeFlowing(device: string, refusal: Refusal): RefusalVerdict {
        const { listener, quota, table } = this.#parts;
        const { rc } = refusal;
        if (!endsKnown(rc)) return { willRetry: false };
        if (!refusal.registration && !isTooMany(rc)) {
            table.remove(device);
            listener.stateChanged(device, { phase: "new" });
            return { willRetry: false };
        }
        if (isTooMany(rc)) quota.refused(undefined);
        const { until } = this.#holds.hold(table.open(device), isTooMany(rc) ? "connection-limit" : "refused", refusal);
        const isLost = isNotAuthorised(rc);
        return { willRetry: !isLost, heldUntil: until, recalls: isLost ? "others" : "all" };
    }

    /** A notification came after the check was taken for suspect, or for another request: here is the reason. */
    #judgeLate(pending: PendingDevice, refusal: Refusal): RefusalVerdict {
        const { stage, isWanted } = pending;
        if ((!refusal.registration && !isTooMany(refusal.rc)) || (stage !== "queued" && stage !== "resting")) return { willRetry: false };
        this.#suspects.clear(pending);
        return { willRetry: isWanted, heldUntil: this.#holds.hold(pending, "refused", refusal).until };
    }
}

/** A refusal that comes before the acknowledgement is carried out with it: then the check is given up, or put back. */
function note(pending: PendingDevice, refusal: Refusal): RefusalVerdict {
    pending.noteRefusal(refusal);
    const isLost =
        isFinal(refusal.rc) || pending.check?.kind === "direct" || (isNotAuthorised(refusal.rc) && pending.checkedOn !== undefined);
    return isLost ? { willRetry: false, isDropped: true } : { willRetry: true };
}
