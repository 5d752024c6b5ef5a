import { Fifo } from "./fifo";
import type { Contact } from "./pending-device";

/**
 * Who may be contacted next: the slots for registrations that are under way, the queue for them, and the queue of those
 * that must be tried alone. While one of the latter waits or is under way, no other first contact is started.
 */
export class ContactLine {
    #limit: number;
    /** Those that have a slot: granted or sent, in that order. */
    readonly #slots = new Set<Contact>();
    readonly #waiting = new Fifo<Contact>();
    readonly #unconfirmed = new Fifo<Contact>();
    #alone: Contact | undefined;

    constructor(limit: number) {
        this.#limit = limit;
    }

    /** How many registrations may be under way at once. */
    get limit(): number {
        return this.#limit;
    }

    /** The contacts that have a slot, the earliest first. */
    get slots(): ReadonlySet<Contact> {
        return this.#slots;
    }

    /** How many slots are held by registrations that the platform does not answer. */
    get stuckCount(): number {
        let count = 0;
        for (const contact of this.#slots) if (contact.stuck) count++;
        return count;
    }

    /** The contact that is being tried alone, if any. */
    get alone(): Contact | undefined {
        return this.#alone;
    }

    /** Whether anyone is queued. */
    get isQueued(): boolean {
        return this.#nextUnconfirmed !== undefined || this.#nextWaiting !== undefined;
    }

    /** Whether this contact may have a slot at once, without passing anyone who waits. */
    isFreeFor(contact: { readonly alone: boolean }): boolean {
        if (this.#slots.size >= this.#limit || this.#alone || this.#nextUnconfirmed) return false;
        return contact.alone || this.#nextWaiting === undefined;
    }

    /** Gives the contact a slot. */
    grant(contact: Contact): void {
        this.#slots.add(contact);
        if (contact.alone) this.#alone = contact;
    }

    /** The platform has answered, or the contact will not be sent: the slot is free. */
    releaseSlot(contact: Contact): void {
        this.#slots.delete(contact);
    }

    /** The outcome of the contact is known: if it was tried alone, others may follow. */
    ended(contact: Contact): void {
        this.#slots.delete(contact);
        this.endAlone(contact);
    }

    /** The contact keeps its slot, but others need not wait for its outcome. */
    endAlone(contact: Contact): void {
        if (this.#alone === contact) this.#alone = undefined;
    }

    /** Queues the contact, by its stage for a slot or to be tried alone. */
    enqueue(contact: Contact, where: "front" | "back"): void {
        const queue = contact.stage === "unconfirmed" ? this.#unconfirmed : this.#waiting;
        if (where === "front") queue.unshift(contact);
        else queue.push(contact);
    }

    /** Takes the next contact that may have a slot now, if there is one. */
    next(): Contact | undefined {
        if (this.#slots.size >= this.#limit || this.#alone) return undefined;
        if (this.#nextUnconfirmed) return this.#unconfirmed.shift();
        return this.#nextWaiting && this.#waiting.shift();
    }

    /**
     * How many registrations the platform still had pending when it answered this one. It answers in order, except where it
     * has to ask its registry, so what was sent earlier and is not answered was pending.
     */
    pendingBeside(contact: Contact): number {
        let count = 0;
        for (const other of this.#slots) if (other.stage === "sent" && other.ordinal < contact.ordinal) count++;
        return count;
    }

    /** The platform takes fewer at once than we thought. */
    lowerLimit(limit: number): void {
        this.#limit = Math.max(1, Math.min(this.#limit, limit));
    }

    get #nextWaiting(): Contact | undefined {
        return firstAt(this.#waiting, "waiting");
    }

    get #nextUnconfirmed(): Contact | undefined {
        return firstAt(this.#unconfirmed, "unconfirmed");
    }
}

/** The first of the queue that is still at the stage in which it was queued; drops those before it, which have left it. */
function firstAt(queue: Fifo<Contact>, stage: Contact["stage"]): Contact | undefined {
    for (let contact = queue.peek(); contact; contact = queue.peek()) {
        if (contact.stage === stage) return contact;
        queue.shift();
    }
    return undefined;
}
