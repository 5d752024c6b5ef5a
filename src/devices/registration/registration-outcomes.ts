import type { Clock } from "../../clock";
import type { ConnectionQuota } from "./connection-quota";
import type { DeviceTable } from "./device-table";
import type { HoldPolicy } from "./hold-policy";
import type { Contact } from "./pending-device";
import { isFinal, isTooMany } from "./refusal-codes";
import type { ContactLine } from "./registration-queue";
import type { Hold, HoldReason, Refusal, RefusalVerdict, RegistrationEffects } from "./registration-types";
import type { StrayInterval, StrayPings } from "./stray-pings";

/** The platform's own limit of pending registrations where nobody raised it: fewer beside one cannot be too many. */
const smallestPendingLimit = 10;

interface Parts {
    readonly clock: Clock;
    readonly effects: RegistrationEffects;
    readonly table: DeviceTable;
    readonly line: ContactLine;
    readonly quota: ConnectionQuota;
    readonly policy: HoldPolicy;
    readonly strayPings: StrayPings;
    /** How long after its acknowledgement a contact may still turn out to have failed. */
    readonly confirmationMs: number;
    /** Calls back for the contact after a time, unless its stage has changed. */
    readonly setDeadline: (contact: Contact, delayMs: number) => void;
}

/** How first contacts end: confirmed, refused, dropped without a word, or cut off with the connection. */
export class ContactOutcomes {
    readonly #parts: Parts;
    /** Acknowledged and not yet confirmed. */
    readonly #confirming = new Set<Contact>();

    constructor(parts: Parts) {
        this.#parts = parts;
    }

    /** The contacts that are acknowledged and not yet confirmed. */
    get confirming(): ReadonlySet<Contact> {
        return this.#confirming;
    }

    /** The platform has answered: unless it said more before, the confirmation time begins. */
    acknowledged(contact: Contact): void {
        const { clock, confirmationMs, line, setDeadline } = this.#parts;
        contact.pendingBeside = line.pendingBeside(contact);
        contact.stuck = false;
        contact.acknowledgedMs = clock.monotonicMs();
        contact.stage = "acknowledged";
        line.releaseSlot(contact);
        this.#confirming.add(contact);
        if (contact.refusal) this.refuse(contact, contact.refusal);
        else if (contact.doubtful) this.#doubt(contact);
        else setDeadline(contact, confirmationMs);
    }

    /** The confirmation time is over and no notification came. */
    confirmationOver(contact: Contact): void {
        const { clock, confirmationMs, effects, setDeadline, strayPings, table } = this.#parts;
        const { dueMs, firstMs } = strayPings;
        if (dueMs !== undefined && firstMs !== undefined && firstMs <= contact.acknowledgedMs + confirmationMs) {
            setDeadline(contact, Math.max(dueMs - clock.monotonicMs(), 0));
            return;
        }
        if (contact.rejected) {
            this.#reject(contact);
            return;
        }
        this.#end(contact);
        contact.stage = "idle";
        table.setKnown(contact.device);
        effects.stateChanged(contact.device, { phase: "known" });
        if (contact.kind) effects.contactConfirmed(contact.device, contact.kind);
        effects.wake(contact.device);
    }

    /** The platform refused an acknowledged contact. */
    refuse(contact: Contact, refusal: Refusal): RefusalVerdict {
        if (isFinal(refusal.rc)) {
            this.#drop(contact, refusal);
            return { willRetry: false, isDropped: true };
        }
        const isDirect = contact.kind === "direct";
        const reason = isTooMany(refusal.rc) ? this.#reasonForTooMany(contact) : "refused";
        const heldUntil = this.hold(contact, reason, refusal).until;
        return isDirect ? { willRetry: false, heldUntil, isDropped: true } : { willRetry: true, heldUntil };
    }

    /**
     * More stray packets than notifications came in: at least one of the contacts then in flight was dropped, and it cannot be
     * told which, unless only one was tried.
     */
    unexplained(strays: StrayInterval): void {
        const { confirmationMs, effects, line } = this.#parts;
        const sent = [...line.slots].filter((contact) => contact.stage === "sent" && contact.sentMs <= strays.lastMs);
        const answered = [...this.#confirming].filter(
            ({ acknowledgedMs, rejected, sentMs }) =>
                !rejected && sentMs <= strays.lastMs && acknowledgedMs >= strays.firstMs - confirmationMs,
        );
        if (sent.length + answered.length === 0) effects.unexplainedDrop();
        for (const contact of sent) contact.doubtful = true;
        for (const contact of answered) {
            if (contact === line.alone && answered.length === 1) this.hold(contact, "swallowed");
            else this.#doubt(contact);
        }
    }

    /** The connection ended before the contact's outcome was known. */
    interrupt(contact: Contact): void {
        const { effects, line } = this.#parts;
        const { refusal } = contact;
        if (refusal && isFinal(refusal.rc)) {
            this.#drop(contact, refusal);
        } else if (refusal || contact.stuck) {
            this.hold(contact, refusal ? "refused" : "unanswered", refusal);
        } else if (contact.doubtful) {
            this.#doubt(contact);
        } else {
            const sentKind = contact.isInFlight ? contact.kind : undefined;
            this.#end(contact);
            contact.kind = undefined;
            contact.stage = contact.alone ? "unconfirmed" : "waiting";
            line.enqueue(contact, "front");
            if (sentKind) effects.contactRequeued(contact.device, sentKind);
        }
    }

    /** Holds the device; what was being sent, if anything, goes back to its queue. */
    hold(contact: Contact, reason: HoldReason, refusal?: Refusal): Hold {
        const { clock, effects, policy, setDeadline, table } = this.#parts;
        const failures = (contact.hold?.failures ?? 0) + (reason === "connection-limit" && contact.hold ? 0 : 1);
        const durationMs = policy.holdMs(failures);
        const hold: Hold = {
            reason,
            until: clock.now() + durationMs,
            failures,
            ...(refusal && { rc: refusal.rc, text: refusal.text }),
        };
        const { kind } = contact;
        this.#end(contact);
        contact.kind = undefined;
        table.hold(contact, hold);
        setDeadline(contact, durationMs);
        effects.stateChanged(contact.device, contact.state);
        if (kind === "direct" && refusal) effects.contactDropped(contact.device, kind, refusal);
        else if (kind) effects.contactRequeued(contact.device, kind);
        return hold;
    }

    /** Nothing is under way with this device; it is remembered only if there is something to remember. */
    rest(contact: Contact): void {
        contact.stage = "idle";
        if (!contact.hold && !contact.alone) this.#parts.table.remove(contact.device);
    }

    /** Keeps the event and puts the device in the line of those that are tried alone. */
    #doubt(contact: Contact): void {
        const { effects, line } = this.#parts;
        const { kind } = contact;
        this.#end(contact);
        contact.kind = undefined;
        contact.alone = true;
        contact.stage = "unconfirmed";
        line.enqueue(contact, "back");
        if (kind) effects.contactRequeued(contact.device, kind);
    }

    /**
     * A SUBSCRIBE failed without a word: the device may be in back-off, or the server may not allow this filter. Events are
     * not held for that, their own outcome will tell; the subscription is tried again later.
     */
    #reject(contact: Contact): void {
        const { effects, policy, setDeadline } = this.#parts;
        const { kind } = contact;
        this.#end(contact);
        contact.kind = undefined;
        this.rest(contact);
        setDeadline(contact, policy.holdMs(1));
        effects.wake(contact.device);
        if (kind) effects.contactRequeued(contact.device, kind);
    }

    #drop(contact: Contact, refusal: Refusal): void {
        const { effects } = this.#parts;
        const { kind } = contact;
        this.#end(contact);
        if (refusal.registration) {
            contact.kind = undefined;
            this.hold(contact, "refused", refusal);
        } else {
            this.rest(contact);
        }
        if (kind) effects.contactDropped(contact.device, kind, refusal);
        effects.wake(contact.device);
    }

    #reasonForTooMany(contact: Contact): HoldReason {
        const { line, quota } = this.#parts;
        if (contact.pendingBeside >= smallestPendingLimit) {
            line.lowerLimit(contact.pendingBeside);
            return "refused";
        }
        quota.refused(contact.ordinal);
        return "connection-limit";
    }

    #end(contact: Contact): void {
        this.#parts.line.ended(contact);
        this.#confirming.delete(contact);
    }
}
