import type { Clock } from "../../clock";
import type { ConnectionQuota } from "./connection-quota";
import type { Contact } from "./pending-device";
import { ReconnectNeed } from "./reconnect-need";
import type { ContactOutcomes } from "./registration-outcomes";
import type { ContactLine } from "./registration-queue";
import type { ContactKind, RegistrationEffects } from "./registration-types";
import { SlotWatch } from "./slot-watch";

interface Options {
    readonly clock: Clock;
    readonly effects: RegistrationEffects;
    readonly line: ContactLine;
    readonly quota: ConnectionQuota;
    readonly outcomes: ContactOutcomes;
    readonly registrationBackoffMs: number;
    /** Calls `slotsDue` or `reconnectDue` after this time. */
    readonly later: (delayMs: number, due: "slots" | "reconnect") => void;
}

/** Gives the slots to first contacts, in the order in which they asked, and sees when only a new connection helps. */
export class ContactScheduler {
    readonly #options: Options;
    readonly #slotWatch: SlotWatch;
    readonly #reconnectNeed: ReconnectNeed;
    #isOnline = false;
    #isServing = false;

    constructor(options: Options) {
        const { clock, effects, later, line, registrationBackoffMs } = options;
        this.#options = options;
        this.#slotWatch = new SlotWatch({
            clock,
            line,
            later: (delayMs) => later(delayMs, "slots"),
            unused: (contact) => this.release(contact),
        });
        this.#reconnectNeed = new ReconnectNeed({
            clock,
            registrationBackoffMs,
            wanted: (reason) => effects.reconnectWanted(reason),
            later: (delayMs) => later(delayMs, "reconnect"),
        });
    }

    /** May this be sent as the contact's first contact? If not, it is queued and will be woken. */
    ask(contact: Contact, kind: ContactKind): "contact" | "wait" {
        if (contact.stage === "granted") return this.#askGranted(contact, kind);
        if (contact.stage !== "idle") return "wait";
        if (this.isFreeFor(contact)) {
            this.#grant(contact);
            this.#use(contact, kind);
            return "contact";
        }
        contact.stage = contact.alone ? "unconfirmed" : "waiting";
        this.#options.line.enqueue(contact, "back");
        this.#considerReconnect();
        return "wait";
    }

    /** Whether a slot is free for a contact at which nothing is under way. */
    isFreeFor(contact: { readonly alone: boolean }): boolean {
        return this.#mayContact && this.#options.line.isFreeFor(contact);
    }

    /** What was granted has been sent. */
    sent(contact: Contact): void {
        contact.stage = "sent";
        contact.ordinal = this.#options.quota.count();
        contact.sentMs = this.#options.clock.monotonicMs();
        this.#slotWatch.begin(contact);
    }

    /** Takes back what was granted and is not used. */
    release(contact: Contact): void {
        this.#options.line.ended(contact);
        this.#options.outcomes.rest(contact);
        // Something else of the device may have waited for its outcome.
        this.#options.effects.wake(contact.device);
        this.serve();
    }

    /** Gives the free slots to those in the line. */
    serve(): void {
        // An effect may call back in here: the loop that is running goes on and sees what has changed.
        if (this.#isServing) return;
        this.#isServing = true;
        try {
            while (this.#mayContact) {
                const contact = this.#options.line.next();
                if (!contact) break;
                this.#grant(contact);
                this.#options.effects.wake(contact.device);
            }
        } finally {
            this.#isServing = false;
        }
        this.#considerReconnect();
    }

    /** A connection is ready for publishes. */
    started(): void {
        this.#isOnline = true;
        this.serve();
    }

    /** The connection has ended, and with it every contact whose outcome is not known. */
    ended(): void {
        const { line, outcomes, quota } = this.#options;
        this.#isOnline = false;
        this.#reconnectNeed.ended();
        quota.restart();
        // From the latest to the earliest, since each goes to the front of the line.
        for (const contact of [...outcomes.confirming, ...line.slots].reverse()) outcomes.interrupt(contact);
    }

    /** The slots are to be looked at. */
    slotsDue(): void {
        this.#slotWatch.look();
    }

    /** A reconnect that had to wait may be due. */
    reconnectDue(): void {
        this.#reconnectNeed.planReached();
    }

    get #mayContact(): boolean {
        return this.#isOnline && !this.#options.quota.isReached;
    }

    #askGranted(contact: Contact, kind: ContactKind): "contact" | "wait" {
        if (!this.#mayContact) {
            this.#options.outcomes.interrupt(contact);
            return "wait";
        }
        if (contact.kind === undefined) this.#use(contact, kind);
        return contact.kind === kind ? "contact" : "wait";
    }

    #grant(contact: Contact): void {
        contact.beginAttempt();
        contact.stage = "granted";
        this.#options.line.grant(contact);
        this.#slotWatch.begin(contact);
    }

    #use(contact: Contact, kind: ContactKind): void {
        contact.kind = kind;
        this.#slotWatch.begin(contact);
    }

    #considerReconnect(): void {
        if (!this.#isOnline) return;
        const { line, outcomes, quota } = this.#options;
        const stuck = line.stuckCount;
        if (stuck > 0 && stuck * 2 >= line.limit) {
            this.#reconnectNeed.consider("stuck-registrations");
        } else if (quota.isReached && line.isQueued) {
            const isEmpty = outcomes.confirming.size === 0 && line.slots.size === stuck;
            if (isEmpty) this.#reconnectNeed.consider("connection-limit");
        }
    }
}
