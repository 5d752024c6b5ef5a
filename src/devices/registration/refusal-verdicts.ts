import type { DeviceTable } from "./device-table";
import type { Contact } from "./pending-device";
import { endsKnown, isFinal } from "./refusal-codes";
import type { ContactOutcomes } from "./registration-outcomes";
import type { Refusal, RefusalVerdict, RegistrationEffects } from "./registration-types";

interface Parts {
    readonly effects: RegistrationEffects;
    readonly table: DeviceTable;
    readonly outcomes: ContactOutcomes;
}

/** What a notification means for the device that it names, and what becomes of that which was refused. */
export class RefusalVerdicts {
    readonly #parts: Parts;

    constructor(parts: Parts) {
        this.#parts = parts;
    }

    /** A notification about the device came in. */
    judge(device: string, refusal: Refusal): RefusalVerdict {
        const { outcomes, table } = this.#parts;
        if (table.isKnown(device)) return this.#judgeKnown(device, refusal);
        const contact = table.contact(device);
        if (!contact) return { willRetry: false };
        const isAboutContact = (contact.kind === "subscribe") === (refusal.request === "subscribe");
        if (contact.stage === "sent" && isAboutContact) return note(contact, refusal);
        const isOfContact = contact.stage === "acknowledged" && isAboutContact;
        return isOfContact ? outcomes.refuse(contact, refusal) : this.#judgeLate(contact, refusal);
    }

    /** The platform refused something of a device that was known. What was refused is settled, so this is final for it. */
    #judgeKnown(device: string, refusal: Refusal): RefusalVerdict {
        const { effects, outcomes, table } = this.#parts;
        if (!endsKnown(refusal.rc) || !table.remove(device)) return { willRetry: false };
        if (!refusal.registration) {
            effects.stateChanged(device, { phase: "new" });
            return { willRetry: false };
        }
        // The platform is in back-off now and would drop what follows, so what it has not acknowledged yet is kept back too.
        const { until } = outcomes.hold(table.meet(device), "refused", refusal);
        effects.knownRefused(device);
        return { willRetry: false, heldUntil: until, endsKnown: true };
    }

    /** A notification came after the contact was taken for unconfirmed, or for another request: here is the reason. */
    #judgeLate(contact: Contact, refusal: Refusal): RefusalVerdict {
        const isKept = contact.stage === "unconfirmed" || contact.stage === "waiting";
        if (!refusal.registration || (!isKept && contact.stage !== "idle")) return { willRetry: false };
        return { willRetry: isKept, heldUntil: this.#parts.outcomes.hold(contact, "refused", refusal).until };
    }
}

/** A refusal that comes before the acknowledgement is carried out with it: then the contact is given up, or put back. */
function note(contact: Contact, refusal: Refusal): RefusalVerdict {
    contact.refusal = refusal;
    const isGivenUp = isFinal(refusal.rc) || contact.kind === "direct";
    return isGivenUp ? { willRetry: false, isDropped: true } : { willRetry: true };
}
