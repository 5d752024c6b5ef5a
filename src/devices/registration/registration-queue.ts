import type { ConnectionQuota } from "./connection-quota";
import { Fifo } from "./fifo";
import type { PendingDevice } from "./pending-device";
import type { RegistrationKind } from "./registration-types";

/** Each kind that waits gets at least one of this number of places. */
const shareOfKind = 8;

/**
 * Which device is checked next. The number of unanswered checks is limited: each has a place. Places go, in this order, to
 * devices for which the connection was renewed, to events of high priority, to filters, to other events, to device
 * management, and to devices that the platform has left unanswered; each kind that waits gets at least one place in eight.
 * Suspects come before all others and exclude them while they are tried.
 */
export class RegistrationQueue {
    #limit: number;
    /** The devices that have a place, the earliest first. */
    readonly #places = new Set<PendingDevice>();
    readonly #lines: readonly Line[] = ranks.map(() => new Line());
    readonly #suspects = new Fifo<PendingDevice>();
    readonly #alone = new Fifo<PendingDevice>();
    /** The devices whose check is acknowledged and not yet confirmed. */
    readonly #confirming = new Set<PendingDevice>();
    /** The suspects under way. */
    readonly #exclusive = new Set<PendingDevice>();
    readonly #quota: ConnectionQuota;
    #keepsPlaces = false;
    /** How long the platform takes to answer a check, smoothed. */
    #answerMs = 0;

    /** @param quota says which devices may not be checked on this connection any more */
    constructor(limit: number, quota: ConnectionQuota) {
        this.#limit = limit;
        this.#quota = quota;
    }

    /** How many checks may be unanswered at once. */
    get limit(): number {
        return this.#limit;
    }

    get places(): ReadonlySet<PendingDevice> {
        return this.#places;
    }

    /** The devices whose check is acknowledged and not yet confirmed. */
    get confirming(): ReadonlySet<PendingDevice> {
        return this.#confirming;
    }

    /** How many places are taken by checks that the platform does not answer. */
    get stuckCount(): number {
        let count = 0;
        for (const pending of this.#places) if (isStuck(pending)) count++;
        return count;
    }

    /** Whether a device waits that may not be checked on this connection. */
    get isBlocked(): boolean {
        const waiting = [this.#alone, this.#suspects, ...this.#lines.map((line) => line.waiting)];
        return waiting.some(({ first }) => first && !this.isAllowed(first)) || this.#lines.some(({ blocked }) => blocked.length > 0);
    }

    /** Whether the device may be checked on this connection. */
    isAllowed({ checkedOn }: PendingDevice): boolean {
        return !this.#quota.isReached || !this.#quota.counts(checkedOn);
    }

    /** Whether others wait until the device has been tried. */
    isExclusive(pending: PendingDevice): boolean {
        return this.#exclusive.has(pending);
    }

    /** Whether the device is the only suspect under way. */
    isAlone(pending: PendingDevice): boolean {
        return this.#exclusive.size === 1 && this.#exclusive.has(pending);
    }

    /** Whether the device may have a place at once, without passing anyone who waits. */
    isFreeFor(pending: PendingDevice): boolean {
        if (this.#places.size >= this.#limit) return false;
        if (pending.suspicion) return this.#isFreeForSuspect(pending.suspicion.isAlone);
        if (this.#exclusive.size > 0 || this.#nextSuspect) return false;
        return !this.#lines.some((line) => this.#head(line) !== undefined);
    }

    /** Queues the device, or moves it up if it waits already and its new kind comes earlier. */
    enqueue(pending: PendingDevice, kind: RegistrationKind, where: "front" | "back" = "back"): void {
        const fifo = this.#fifoFor(pending, kind);
        if (pending.stage === "queued" && !this.#isEarlier(fifo, pending)) return;
        pending.enqueue(where === "front" ? fifo.unshift(pending) : fifo.push(pending), kind);
    }

    /** The next device that may have a place now; it has to be granted. */
    next(): PendingDevice | undefined {
        if (this.#places.size >= this.#limit) return undefined;
        const suspect = this.#nextSuspect;
        if (suspect) return this.#isFreeForSuspect(suspect.suspicion?.isAlone === true) ? suspect : undefined;
        return this.#exclusive.size > 0 ? undefined : this.#nextInLine();
    }

    /** Gives the device a place. */
    grant(pending: PendingDevice): void {
        pending.grant();
        this.#places.add(pending);
        if (pending.suspicion) this.#exclusive.add(pending);
    }

    /**
     * A device in back-off is answered at once. A suspect that is not answered within this time shows nothing more by being
     * tried exclusively.
     */
    get exclusiveMs(): number {
        return Math.min(Math.max(3 * this.#answerMs, 1_000), 10_000);
    }

    /** The platform has answered: the place is free, unless places are kept until the outcome. */
    answered(pending: PendingDevice): void {
        const { acknowledgedMs = 0, sentMs = 0 } = pending.check ?? {};
        this.#answerMs += (acknowledgedMs - sentMs - this.#answerMs) / 5;
        if (!this.#keepsPlaces) this.#places.delete(pending);
        this.#confirming.add(pending);
    }

    /** The outcome of the check is known, or it will not be sent. */
    ended(pending: PendingDevice): void {
        this.#places.delete(pending);
        this.#confirming.delete(pending);
        this.#exclusive.delete(pending);
    }

    /** The device keeps its place, but others need not wait for its outcome. */
    endExclusive(pending: PendingDevice): void {
        this.#exclusive.delete(pending);
    }

    /** Places are kept until the outcome of each check is known, so that no more than those under way can be refused. */
    keepPlaces(): void {
        this.#keepsPlaces = true;
    }

    /** The acknowledgement frees a place again. */
    freePlaces(): void {
        this.#keepsPlaces = false;
        for (const pending of this.#confirming) this.#places.delete(pending);
    }

    /**
     * How many checks the platform still had pending when it answered this one. It answers in order, except where it has to
     * ask its registry, so everything sent earlier and not answered was pending.
     */
    otherPending(pending: PendingDevice): number {
        const sequence = pending.check?.sequence ?? 0;
        let count = 0;
        for (const { stage, check } of this.#places) if (stage === "sent" && check && check.sequence < sequence) count++;
        return count;
    }

    /** The platform takes fewer at once than we thought. */
    lowerLimit(limit: number): void {
        this.#limit = Math.max(1, Math.min(this.#limit, limit));
    }

    /** The suspect that is tried next: those that are tried alone come first. */
    get #nextSuspect(): PendingDevice | undefined {
        for (const { first } of [this.#alone, this.#suspects]) if (first && this.isAllowed(first)) return first;
        return undefined;
    }

    #isFreeForSuspect(isAlone: boolean): boolean {
        if (this.#exclusive.size === 0) return true;
        if (isAlone || this.#exclusive.size >= this.#limit) return false;
        for (const { suspicion } of this.#exclusive) return suspicion?.isAlone === false;
        return true;
    }

    #fifoFor(pending: PendingDevice, kind: RegistrationKind): Fifo<PendingDevice> {
        if (pending.suspicion) return pending.suspicion.isAlone ? this.#alone : this.#suspects;
        const line = this.#lines[ranks.indexOf(rankOf(pending, kind))];
        return line?.waiting ?? this.#suspects;
    }

    #isEarlier(fifo: Fifo<PendingDevice>, pending: PendingDevice): boolean {
        const at = (wanted: Fifo<PendingDevice> | undefined) =>
            this.#lines.findIndex(({ waiting, blocked }) => waiting === wanted || blocked === wanted);
        return at(fifo) < at(pending.place?.fifo);
    }

    #nextInLine(): PendingDevice | undefined {
        let chosen: Line | undefined;
        for (const line of this.#lines) {
            if (!this.#head(line)) continue;
            if (!chosen || (line.passedOver >= shareOfKind - 1 && chosen.passedOver < shareOfKind - 1)) chosen = line;
        }
        if (!chosen) return undefined;
        for (const line of this.#lines) if (this.#head(line)) line.passedOver++;
        chosen.passedOver = 0;
        return this.#head(chosen);
    }

    /** The first device of a line that may be checked; those that may not are put aside until the next connection. */
    #head(line: Line): PendingDevice | undefined {
        for (const fifo of [line.blocked, line.waiting]) {
            for (let pending = fifo.first; pending; pending = fifo.first) {
                if (isLeftUnanswered(pending) && this.#unansweredCount >= Math.max(Math.ceil(this.#limit / 2) - 1, 1)) return undefined;
                if (this.isAllowed(pending)) return pending;
                if (fifo === line.blocked) break;
                pending.enqueue(line.blocked.push(pending), pending.kind);
            }
        }
        return undefined;
    }

    /** Devices that the platform has left unanswered take less than half of the places: otherwise they would cost a reconnect each time. */
    get #unansweredCount(): number {
        let count = 0;
        for (const pending of this.#places) if (isLeftUnanswered(pending)) count++;
        return count;
    }
}

const ranks = ["renewed", "high", "subscribe", "event", "management", "unanswered"] as const;

/** The devices of one kind that wait, and those of them that may not be checked on this connection. */
class Line {
    readonly waiting = new Fifo<PendingDevice>();
    readonly blocked = new Fifo<PendingDevice>();
    /** How many places have gone to other kinds since. */
    passedOver = 0;
}

function rankOf(pending: PendingDevice, kind: RegistrationKind): (typeof ranks)[number] {
    if (isLeftUnanswered(pending)) return "unanswered";
    if (pending.silence?.isRenewed) return "renewed";
    return kind === "direct" ? "event" : kind;
}

function isLeftUnanswered({ silence }: PendingDevice): boolean {
    return silence !== undefined && silence.count > 0;
}

function isStuck({ stage, check }: PendingDevice): boolean {
    return stage === "unanswered" || (stage === "sent" && check?.isSilent === true);
}
