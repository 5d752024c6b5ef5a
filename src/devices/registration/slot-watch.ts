import type { Clock } from "../../clock";
import type { Contact } from "./pending-device";
import type { ContactLine } from "./registration-queue";

/** What was granted a slot and does not ask for it gives it back. */
const unusedGrantMs = 1_000;
/** A registration takes a few seconds at most; one that takes longer may never be answered. */
const stuckMs = 30_000;
/** What is in a back-off is answered at once: a contact that takes longer than this has nothing more to tell by being alone. */
const aloneMs = 1_000;

interface Options {
    readonly clock: Clock;
    readonly line: ContactLine;
    /** Calls `look` after this time. */
    readonly later: (delayMs: number) => void;
    /** The contact was granted a slot and has not used it. */
    readonly unused: (contact: Contact) => void;
}

/** Notices slots that are not used or not answered. One deadline for all slots, since there are few. */
export class SlotWatch {
    readonly #options: Options;
    #plannedMs = Number.POSITIVE_INFINITY;

    constructor(options: Options) {
        this.#options = options;
    }

    /** The contact has a slot, or has used it: its time begins. */
    begin(contact: Contact): void {
        const { clock, line } = this.#options;
        const isUnasked = contact.stage === "granted" && contact.kind === undefined;
        const patienceMs = isUnasked ? unusedGrantMs : contact === line.alone ? aloneMs : stuckMs;
        contact.slotDueMs = clock.monotonicMs() + patienceMs;
        this.#plan(contact.slotDueMs);
    }

    /** A planned look is due. */
    look(): void {
        const { clock, line, unused } = this.#options;
        const nowMs = clock.monotonicMs();
        this.#plannedMs = Number.POSITIVE_INFINITY;
        for (const contact of [...line.slots]) {
            if (contact.slotDueMs > nowMs) this.#plan(contact.slotDueMs);
            else if (contact.stage === "granted") unused(contact);
            else if (contact === line.alone) this.#letOthersFollow(contact);
            else contact.stuck = true;
        }
    }

    #letOthersFollow(contact: Contact): void {
        this.#options.line.endAlone(contact);
        contact.slotDueMs = contact.sentMs + stuckMs;
        this.#plan(contact.slotDueMs);
    }

    #plan(dueMs: number): void {
        if (dueMs >= this.#plannedMs) return;
        this.#plannedMs = dueMs;
        this.#options.later(dueMs - this.#options.clock.monotonicMs());
    }
}
