import type { DeviceTable } from "./device-table";
import type { PendingDevice } from "./pending-device";
import { endsKnown, isFinal } from "./refusal-codes";
import type { RegistrationOutcomes } from "./registration-outcomes";
import type { Refusal, RefusalVerdict, RegistrationListener } from "./registration-types";

interface RefusalVerdictsDeps {
    readonly listener: RegistrationListener;
    readonly table: DeviceTable;
    readonly outcomes: RegistrationOutcomes;
}

/** What a notification means for the device that it names, and what becomes of that which was refused. */
export class RefusalVerdicts {
    readonly #deps: RefusalVerdictsDeps;

    constructor(deps: RefusalVerdictsDeps) {
        this.#deps = deps;
    }

    /** A notification about the device came in. */
    judge(device: string, refusal: Refusal): RefusalVerdict {
        const { outcomes, table } = this.#deps;
        if (table.isKnown(device)) return this.#judgeKnown(device, refusal);
        const pending = table.pending(device);
        if (!pending) return { willRetry: false };
        const isAboutAttempt = (pending.kind === "subscribe") === (refusal.request === "subscribe");
        if (pending.stage === "sent" && isAboutAttempt) return note(pending, refusal);
        const isOfAttempt = pending.stage === "acknowledged" && isAboutAttempt;
        return isOfAttempt ? outcomes.refuse(pending, refusal) : this.#judgeLate(pending, refusal);
    }

    /** The platform refused something of a device that was known. What was refused is settled, so this is final for it. */
    #judgeKnown(device: string, refusal: Refusal): RefusalVerdict {
        const { listener, outcomes, table } = this.#deps;
        if (!endsKnown(refusal.rc) || !table.remove(device)) return { willRetry: false };
        if (!refusal.registration) {
            listener.stateChanged(device, { phase: "new" });
            return { willRetry: false };
        }
        // The platform is in back-off now and would drop what follows, so what it has not acknowledged yet is kept back too.
        const { until } = outcomes.hold(table.meet(device), "refused", refusal);
        listener.recall(device);
        return { willRetry: false, heldUntil: until, endsKnown: true };
    }

    /** A notification came after the device was taken for unconfirmed, or for another request: here is the reason. */
    #judgeLate(pending: PendingDevice, refusal: Refusal): RefusalVerdict {
        const isKept = pending.stage === "unconfirmed" || pending.stage === "waiting";
        if (!refusal.registration || (!isKept && pending.stage !== "idle")) return { willRetry: false };
        return { willRetry: isKept, heldUntil: this.#deps.outcomes.hold(pending, "refused", refusal).until };
    }
}

/** A refusal that comes before the acknowledgement is carried out with it: then the device is given up, or put back. */
function note(pending: PendingDevice, refusal: Refusal): RefusalVerdict {
    pending.refusal = refusal;
    const isGivenUp = isFinal(refusal.rc) || pending.kind === "direct";
    return isGivenUp ? { willRetry: false, isDropped: true } : { willRetry: true };
}
