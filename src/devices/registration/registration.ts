import type { Clock } from "../../clock";
import { ConnectionQuota } from "./connection-quota";
import { Deadlines } from "./deadlines";
import { DeviceTable } from "./device-table";
import { HoldPolicy } from "./hold-policy";
import type { Contact } from "./pending-device";
import { RefusalVerdicts } from "./refusal-verdicts";
import { ContactOutcomes } from "./registration-outcomes";
import { ContactLine } from "./registration-queue";
import { ContactScheduler } from "./registration-scheduler";
import type {
    ContactKind,
    Hold,
    Refusal,
    RefusalVerdict,
    RegistrationAnswer,
    RegistrationEffects,
    RegistrationOptions,
    RegistrationState,
} from "./registration-types";
import { StrayPings } from "./stray-pings";
import { StrayWatch } from "./stray-watch";

/** Notifications and stray packets follow their acknowledgement, and each other, within a few milliseconds. */
const confirmationMs = 100;
const strayGapMs = 50;

type Due = { readonly contact: Contact; readonly version: number } | "stray-ping" | "slots" | "reconnect";

/**
 * Decides for each device whether it may be sent to, so that the platform registers new ones without losing their events. Protocol,
 * section Registration of devices.
 *
 * The first thing sent to a device that is not known is its first contact; it takes a slot until the platform acknowledges
 * it or the connection ends. It has succeeded when, in addition, 100 ms pass without a notification or a stray packet. A
 * device that the platform refused is held and tried again later. Known devices cost one look-up. All devices are named by
 * their key; all calls come from one thread and may be made from inside an effect.
 */
export class Registration {
    readonly #clock: Clock;
    readonly #effects: RegistrationEffects;
    readonly #policy: HoldPolicy;
    readonly #table: DeviceTable;
    readonly #line: ContactLine;
    readonly #strayPings = new StrayPings(strayGapMs);
    readonly #strayWatch: StrayWatch;
    readonly #deadlines: Deadlines<Due>;
    readonly #outcomes: ContactOutcomes;
    readonly #verdicts: RefusalVerdicts;
    readonly #scheduler: ContactScheduler;

    constructor({ clock, effects, gatewayDevice, registrationLimit, registrationBackoffMs }: RegistrationOptions) {
        const quota = new ConnectionQuota();
        const line = new ContactLine(registrationLimit);
        this.#clock = clock;
        this.#effects = effects;
        this.#line = line;
        this.#policy = new HoldPolicy(registrationBackoffMs);
        this.#table = new DeviceTable(gatewayDevice);
        this.#deadlines = new Deadlines(clock, (due) => this.#reached(due));
        this.#strayWatch = new StrayWatch({
            clock,
            strayPings: this.#strayPings,
            at: (dueMs) => this.#deadlines.add(dueMs, "stray-ping"),
        });
        this.#outcomes = new ContactOutcomes({
            clock,
            effects,
            line,
            quota,
            table: this.#table,
            policy: this.#policy,
            strayPings: this.#strayPings,
            confirmationMs,
            setDeadline: (contact, delayMs) => this.#setDeadline(contact, delayMs),
        });
        this.#verdicts = new RefusalVerdicts({ effects, table: this.#table, outcomes: this.#outcomes });
        this.#scheduler = new ContactScheduler({
            clock,
            effects,
            line,
            quota,
            outcomes: this.#outcomes,
            registrationBackoffMs,
            later: (delayMs, due) => this.#later(delayMs, due),
        });
    }

    /** May the next event of this device be sent? */
    ask(device: string): RegistrationAnswer {
        return this.tryContact(device, "event");
    }

    /**
     * As `ask`, for anything that makes the platform register a device. Whoever is told to wait asks again when woken; whoever
     * is told `contact` calls `contactSent`, or `contactAbandoned`, and asking again before that gives the same answer.
     */
    tryContact(device: string, kind: ContactKind): RegistrationAnswer {
        return this.#table.isKnown(device) ? "flow" : this.#scheduler.ask(this.#table.meet(device), kind);
    }

    /** For what is never queued: a first contact of kind `direct` is granted at once, or the device is `held`. */
    tryNow(device: string): "flow" | "contact" | "held" {
        if (this.#table.isKnown(device)) return "flow";
        const present = this.#table.contact(device);
        const isUnused = present?.stage === "granted" && present.kind === undefined;
        if (!isUnused) {
            if (present && present.stage !== "idle") return "held";
            if (!this.#scheduler.isFreeFor(present ?? { alone: false })) return "held";
        }
        return this.#scheduler.ask(this.#table.meet(device), "direct") === "contact" ? "contact" : "held";
    }

    /** What was granted has been handed to the connection. */
    contactSent(device: string): void {
        const contact = this.#contactAt(device, "granted");
        if (contact) this.#scheduler.sent(contact);
    }

    /** What was granted will not be sent, because it expired or was dropped. Without this call its slot is lost for half a minute. */
    contactAbandoned(device: string): void {
        const contact = this.#contactAt(device, "granted");
        if (contact) this.#scheduler.release(contact);
    }

    /** The platform acknowledged the first contact: a PUBACK, or a SUBACK that grants the filter. */
    contactAcknowledged(device: string): void {
        const contact = this.#contactAt(device, "sent");
        if (!contact) return;
        this.#outcomes.acknowledged(contact);
        this.#scheduler.serve();
    }

    /** The platform answered the first contact, a SUBSCRIBE, with a failure. In a back-off no notification follows. */
    contactRejected(device: string): void {
        const contact = this.#contactAt(device, "sent");
        if (contact) contact.rejected = true;
        this.contactAcknowledged(device);
    }

    /** A `DE 00` came in: the platform dropped something because of its device. */
    strayPing(): void {
        this.#strayWatch.strayPing();
    }

    /** A notification came in; `device` is undefined where it names none. Says what becomes of that which was refused. */
    refused(device: string | undefined, refusal: Refusal): RefusalVerdict {
        if (refusal.registration) this.#strayWatch.notification();
        if (device === undefined) return { willRetry: false };
        const verdict = this.#verdicts.judge(device, refusal);
        this.#scheduler.serve();
        return verdict;
    }

    /** A connection is ready for publishes: the notify topic is subscribed. */
    connectionStarted(): void {
        this.#scheduler.started();
    }

    /** The connection has ended: the platform counts anew. First contacts without an outcome go back to the head of their queues. */
    connectionEnded(): void {
        this.#strayPings.clear();
        this.#scheduler.ended();
    }

    /** Where the device stands. */
    stateOf(device: string): RegistrationState {
        return this.#table.stateOf(device);
    }

    /** How many registrations the platform has not answered for long. */
    get stuckCount(): number {
        return this.#line.stuckCount;
    }

    /** How many devices are held. */
    get heldCount(): number {
        return this.#table.heldCount;
    }

    /** Takes over from an earlier run that the platform knows the device. */
    restoreKnown(device: string): void {
        this.#table.setKnown(device);
    }

    /** Takes over a hold from an earlier run. */
    restoreHeld(device: string, hold: Hold): void {
        if (this.#table.stateOf(device).phase !== "new") return;
        const contact = this.#table.meet(device);
        this.#table.hold(contact, hold);
        const leftMs = hold.until - this.#clock.now();
        this.#setDeadline(contact, Math.min(Math.max(leftMs, 0), this.#policy.longestMs));
    }

    /** Ends the hold of a device now: what waits for it asks again. False if it was not held. */
    release(device: string): boolean {
        const contact = this.#table.contact(device);
        const hold = contact?.state.hold;
        if (!contact || !hold) return false;
        contact.hold = { ...hold, until: Math.min(hold.until, this.#clock.now()) };
        contact.stage = "idle";
        this.#effects.stateChanged(device, contact.state);
        this.#effects.wake(device);
        this.#scheduler.serve();
        return true;
    }

    /** Forgets a device whose first contact is not under way: what is sent next is a first contact. False if it was not forgotten. */
    forget(device: string): boolean {
        const contact = this.#table.contact(device);
        if (contact && contact.stage !== "idle" && contact.stage !== "held") return false;
        if (!this.#table.remove(device)) return false;
        if (contact) contact.stage = "idle";
        this.#effects.wake(device);
        return true;
    }

    /** Stops the timer. */
    close(): void {
        this.#deadlines.close();
    }

    #contactAt(device: string, stage: Contact["stage"]): Contact | undefined {
        const contact = this.#table.contact(device);
        return contact?.stage === stage ? contact : undefined;
    }

    #setDeadline(contact: Contact, delayMs: number): void {
        this.#later(delayMs, { contact, version: contact.version });
    }

    #later(delayMs: number, due: Due): void {
        this.#deadlines.add(this.#clock.monotonicMs() + delayMs, due);
    }

    #reached(due: Due): void {
        if (due === "reconnect") {
            this.#scheduler.reconnectDue();
        } else if (due === "slots") {
            this.#scheduler.slotsDue();
        } else if (due === "stray-ping") {
            const strays = this.#strayWatch.look();
            if (strays) this.#outcomes.unexplained(strays);
        } else if (due.version === due.contact.version) {
            this.#stageOver(due.contact);
        }
        this.#scheduler.serve();
    }

    #stageOver(contact: Contact): void {
        if (contact.stage === "acknowledged") {
            this.#outcomes.confirmationOver(contact);
        } else {
            contact.stage = "idle";
            this.#effects.wake(contact.device);
        }
    }
}
