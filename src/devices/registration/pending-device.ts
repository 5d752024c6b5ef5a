import type { Clock, Timer } from "../../clock";
import { type Check, newCheck, type PendingDeviceStage, type Silence } from "./check";
import type { FifoPlace } from "./fifo";
import type { Investigation, Suspicion } from "./investigation";
import { setPatientTimer } from "./patient-timer";
import type { Hold, Refusal, RegistrationClient, RegistrationKind, RegistrationPhase, RegistrationState } from "./registration-types";

/** Notifications and stray pings follow their acknowledgement within a few milliseconds. */
export const confirmationMs = 100;
/** How long a client may leave a place unused. */
const unusedPlaceMs = 1_000;
/** A registration takes a few seconds at most; one that takes longer may never be answered. */
export const silentMs = 30_000;

/**
 * A device that may not simply flow, because it is new, not yet checked on this connection, or refused.
 *
 * | state | means | ends by |
 * |---|---|---|
 * | `resting` | nothing is under way | `enqueue`, `grant`, `hold` |
 * | `queued` | waits for a place | `grant`, `rest`, `hold` |
 * | `granted` | has a place; a client may send the check | `send`, `rest`, `enqueue` |
 * | `sent` | the check is under way; `isSilent` after 30 s | `acknowledge`, `suspect`, `hold`, `giveUp`, `rest` |
 * | `confirming` | acknowledged; succeeds unless a sign comes within 100 ms | `rest`, `suspect`, `hold` |
 * | `held` | the platform is in back-off for it | `rest` |
 * | `unanswered` | the platform does not answer its registration; tried again later | `enqueue`, `grant`, `rest` |
 *
 * A suspect is tried in a group with nothing else, or alone. Times are monotonic milliseconds unless named otherwise.
 */
export class PendingDevice {
    readonly device: string;
    readonly #timers: PendingDeviceTimers;
    #state: PendingDeviceStage = "resting";
    #checkedOn: number | undefined;
    #place: FifoPlace<PendingDevice> | undefined;
    #kind: RegistrationKind = "event";
    #clients: readonly RegistrationClient[] = [];
    #check: Check | undefined;
    #hold: Hold | undefined;
    #suspicion: Suspicion | undefined;
    #silence: Silence | undefined;
    #timer: Timer | undefined;

    constructor(device: string, checkedOn: number | undefined, timers: PendingDeviceTimers) {
        this.device = device;
        this.#checkedOn = checkedOn;
        this.#timers = timers;
    }

    get stage(): PendingDeviceStage {
        return this.#state;
    }

    /** The number of the connection on which it was checked last; 0 = in an earlier run, undefined = never accepted. */
    get checkedOn(): number | undefined {
        return this.#checkedOn;
    }

    /** The check that has a place, is under way or is being confirmed. */
    get check(): Check | undefined {
        return this.#check;
    }

    /** The last hold; kept when it is over, for its number of failures. */
    get hold(): Hold | undefined {
        return this.#hold;
    }

    get suspicion(): Suspicion | undefined {
        return this.#suspicion;
    }

    /** Checks that the platform has not answered, until it answers one. */
    get silence(): Silence | undefined {
        return this.#silence;
    }

    /** Whether a client waits for it. */
    get isWanted(): boolean {
        return this.#clients.length > 0;
    }

    /** Where it waits for a place. */
    get place(): FifoPlace<PendingDevice> | undefined {
        return this.#place;
    }

    get kind(): RegistrationKind {
        return this.#kind;
    }

    /** Where it stands, for others. That a known device is being checked concerns nobody else. */
    get state(): RegistrationState {
        if ((this.#state === "held" || this.#state === "resting") && this.#hold) return { phase: "held", hold: this.#hold };
        return { phase: this.#phase };
    }

    /** A client waits: it is woken when the answer may be another one. */
    addClient(client: RegistrationClient): void {
        if (!this.#clients.includes(client)) this.#clients = [...this.#clients, client];
    }

    /** The client waits no longer; if it was to send the check, another one may. */
    withdraw(client: RegistrationClient): void {
        this.#clients = this.#clients.filter((each) => each !== client);
        if (this.#check?.client === client) this.#update({ client: undefined });
    }

    /** Takes the clients that wait, to wake them. */
    takeClients(): readonly RegistrationClient[] {
        const clients = this.#clients;
        this.#clients = [];
        return clients;
    }

    /** The client that waits longest; it then waits behind the others, until it withdraws or sends the check. */
    offer(): RegistrationClient | undefined {
        const [client, ...others] = this.#clients;
        if (client && others.length > 0) this.#clients = [...others, client];
        return client;
    }

    /** It waits for a place. */
    enqueue(place: FifoPlace<PendingDevice>, kind: RegistrationKind): void {
        this.#leave("queued");
        this.#check = undefined;
        this.#place = place;
        this.#kind = kind;
    }

    /** It has a place, and nothing is sent yet. */
    grant(): void {
        this.#leave("granted");
        this.#check = newCheck;
        this.#startTimer(unusedPlaceMs);
    }

    /** A client is about to send the check; false if another one is. */
    use(client: RegistrationClient, kind: RegistrationKind): boolean {
        if (!this.#check || (this.#check.client && this.#check.client !== client)) return false;
        this.withdraw(client);
        this.#update({ client, kind });
        this.#startTimer(silentMs);
        return true;
    }

    /** The check was handed to the connection; a suspect is tried exclusively for `exclusiveMs` at most. */
    send(sent: Pick<Check, "sequence" | "number" | "confirmed">, exclusiveMs: number): void {
        this.#update({ ...sent, sentMs: this.#timers.clock.monotonicMs() });
        this.#leave("sent");
        this.#startTimer(this.#suspicion ? exclusiveMs : silentMs);
    }

    /** The check shows nothing more by being tried exclusively. */
    endExclusive(): void {
        this.#startTimer(silentMs);
    }

    /** The platform has not answered for 30 s, although the link works. */
    noteSilence(): void {
        this.#update({ isSilent: true });
    }

    /** A notification came before the acknowledgement, with which it is carried out. */
    noteRefusal(refusal: Refusal): void {
        this.#update({ refusal });
    }

    /** A stray ping that nothing explains came in while the check was under way. */
    noteStrayPing(investigation: Investigation): void {
        this.#update({ investigation: this.#check?.investigation ?? investigation });
    }

    /** The platform has answered: with `isRejected`, by a SUBACK that does not grant the filter. */
    acknowledge(otherPending: number, isRejected: boolean): void {
        this.#leave("confirming");
        this.#update({ otherPending, isRejected, acknowledgedMs: this.#timers.clock.monotonicMs() });
        this.#silence = undefined;
        this.#startTimer(confirmationMs);
    }

    /** A sign may still come: the outcome is decided so much later. */
    decideIn(delayMs: number): void {
        this.#startTimer(delayMs);
    }

    /** The check is over without an outcome for the device, or nobody waits any more. */
    rest(): void {
        this.#leave("resting");
        this.#check = undefined;
    }

    /** It may have been dropped silently; the check is over, and the next one shows. */
    suspect(suspicion: Suspicion): void {
        this.rest();
        this.#suspicion = suspicion;
    }

    /** It is not suspected any more. */
    clearSuspicion(): void {
        this.#suspicion = undefined;
    }

    /** The platform is in back-off for it. `isProbedAlone`: only a stray ping will show that it still is. */
    holdFor(hold: Hold, isProbedAlone: boolean): void {
        this.rest();
        this.#state = "held";
        this.#hold = hold;
        this.#suspicion = isProbedAlone ? { isAlone: true } : undefined;
    }

    /** The hold is over, at its time or `endedAt` (wall clock); the next check is the probe. */
    endHold(endedAt?: number): void {
        if (this.#hold && endedAt !== undefined) this.#hold = { ...this.#hold, until: Math.min(this.#hold.until, endedAt) };
        this.rest();
    }

    /** After a new connection the back-off may be another server's: it is tried alone, although its hold is not over. */
    tryHold(): void {
        this.rest();
        this.#suspicion = { isAlone: true, isTrialOfHold: true };
    }

    /** The connection ended before the check was answered: the platform may still be waiting for its registry. */
    noteCutOff(): void {
        this.#silence = { isRenewed: this.#silence?.isRenewed ?? false, count: this.#silence?.count ?? 0, isOwed: false };
    }

    /** The connection is ended for its sake. */
    renew(): void {
        if (this.#silence) this.#silence = { ...this.#silence, isRenewed: true };
    }

    /** The platform does not answer: it keeps its place on this connection, and is tried again later. */
    giveUp(): void {
        this.stayUnanswered();
        this.#silence = { isRenewed: true, count: (this.#silence?.count ?? 0) + 1, isOwed: true };
    }

    /** Nothing new is sent, and the place stays taken by the check that the platform has not answered. */
    stayUnanswered(): void {
        this.#leave("unanswered");
        this.#check = undefined;
    }

    /** The check that was given up has been answered. */
    answerLate(): void {
        this.#silence = undefined;
    }

    /** The platform no longer accepts it. */
    forgetAcceptance(): void {
        this.#checkedOn = undefined;
    }

    get #phase(): RegistrationPhase {
        const isKnown = this.#checkedOn !== undefined;
        switch (this.#state) {
            case "unanswered":
                return "unanswered";
            case "sent":
                return this.#check?.isSilent ? "unanswered" : isKnown ? "known" : "contacting";
            case "granted":
            case "confirming":
                return isKnown ? "known" : "contacting";
            case "queued":
                return this.#suspicion ? "unconfirmed" : isKnown ? "known" : "waiting";
            default:
                return this.#suspicion ? "unconfirmed" : isKnown ? "known" : "new";
        }
    }

    #update(changes: Partial<Check>): void {
        if (this.#check) this.#check = { ...this.#check, ...changes };
    }

    /** Leaves a state, and what belongs to it. */
    #leave(state: PendingDeviceStage): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        if (this.#place) this.#place.fifo?.remove(this.#place);
        this.#place = undefined;
        this.#state = state;
    }

    #startTimer(delayMs: number): void {
        const { clock, over } = this.#timers;
        const isOver = () => over(this);
        this.#timer?.cancel();
        // Only where a sign may still come, it matters that everything was read that has arrived.
        this.#timer = this.#state === "confirming" ? setPatientTimer(clock, delayMs, isOver) : clock.setTimer(delayMs, isOver);
    }
}

/** What a pending device needs for its timer. */
export interface PendingDeviceTimers {
    readonly clock: Clock;
    /** The time of the device's state is over. */
    over(pending: PendingDevice): void;
}
