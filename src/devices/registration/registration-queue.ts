import { Fifo } from "./fifo";
import type { PendingDevice } from "./pending-device";

/**
 * Who may be contacted next: the slots for registrations that are under way, the queue for them, and the queue of those
 * that must be tried alone. While one of the latter waits or is under way, no other registration attempt is started.
 */
export class RegistrationQueue {
    #limit: number;
    /** Those that have a slot: granted or sent, in that order. */
    readonly #slots = new Set<PendingDevice>();
    readonly #waiting = new Fifo<PendingDevice>();
    readonly #unconfirmed = new Fifo<PendingDevice>();
    #exclusive: PendingDevice | undefined;

    constructor(limit: number) {
        this.#limit = limit;
    }

    /** How many registrations may be under way at once. */
    get limit(): number {
        return this.#limit;
    }

    /** The devices that have a slot, the earliest first. */
    get slots(): ReadonlySet<PendingDevice> {
        return this.#slots;
    }

    /** How many slots are held by registrations that the platform does not answer. */
    get unansweredCount(): number {
        let count = 0;
        for (const pending of this.#slots) if (pending.unanswered) count++;
        return count;
    }

    /** The device that is being tried alone, if any. */
    get exclusive(): PendingDevice | undefined {
        return this.#exclusive;
    }

    /** Whether anyone is queued. */
    get isQueued(): boolean {
        return this.#nextUnconfirmed !== undefined || this.#nextWaiting !== undefined;
    }

    /** Whether this device may have a slot at once, without passing anyone who waits. */
    isFreeFor(pending: { readonly exclusive: boolean }): boolean {
        if (this.#slots.size >= this.#limit || this.#exclusive || this.#nextUnconfirmed) return false;
        return pending.exclusive || this.#nextWaiting === undefined;
    }

    /** Gives the device a slot. */
    grant(pending: PendingDevice): void {
        this.#slots.add(pending);
        if (pending.exclusive) this.#exclusive = pending;
    }

    /** The platform has answered, or the attempt will not be sent: the slot is free. */
    releaseSlot(pending: PendingDevice): void {
        this.#slots.delete(pending);
    }

    /** The outcome of the attempt is known: if it was tried alone, others may follow. */
    ended(pending: PendingDevice): void {
        this.#slots.delete(pending);
        this.endExclusive(pending);
    }

    /** The device keeps its slot, but others need not wait for its outcome. */
    endExclusive(pending: PendingDevice): void {
        if (this.#exclusive === pending) this.#exclusive = undefined;
    }

    /** Queues the device, by its stage for a slot or to be tried alone. */
    enqueue(pending: PendingDevice, where: "front" | "back"): void {
        const queue = pending.stage === "unconfirmed" ? this.#unconfirmed : this.#waiting;
        if (where === "front") queue.unshift(pending);
        else queue.push(pending);
    }

    /** Takes the next device that may have a slot now, if there is one. */
    next(): PendingDevice | undefined {
        if (this.#slots.size >= this.#limit || this.#exclusive) return undefined;
        if (this.#nextUnconfirmed) return this.#unconfirmed.shift();
        return this.#nextWaiting && this.#waiting.shift();
    }

    /**
     * How many registrations the platform still had pending when it answered this one. It answers in order, except where it
     * has to ask its registry, so what was sent earlier and is not answered was pending.
     */
    otherPending(pending: PendingDevice): number {
        let count = 0;
        for (const other of this.#slots) if (other.stage === "sent" && other.sequence < pending.sequence) count++;
        return count;
    }

    /** The platform takes fewer at once than we thought. */
    lowerLimit(limit: number): void {
        this.#limit = Math.max(1, Math.min(this.#limit, limit));
    }

    get #nextWaiting(): PendingDevice | undefined {
        return firstAt(this.#waiting, "waiting");
    }

    get #nextUnconfirmed(): PendingDevice | undefined {
        return firstAt(this.#unconfirmed, "unconfirmed");
    }
}

/** The first of the queue that is still at the stage in which it was queued; drops those before it, which have left it. */
function firstAt(queue: Fifo<PendingDevice>, stage: PendingDevice["stage"]): PendingDevice | undefined {
    for (let pending = queue.peek(); pending; pending = queue.peek()) {
        if (pending.stage === stage) return pending;
        queue.shift();
    }
    return undefined;
}
