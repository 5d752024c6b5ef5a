import { ConnectionQuota } from "./connection-quota";
import { DeviceTable } from "./device-table";
import { HeldDevices } from "./held-devices";
import { HoldPolicy } from "./hold-policy";
import { Holds, wake } from "./holds";
import { Newcomers, type OpenAcknowledgement } from "./newcomers";
import type { PendingDevice } from "./pending-device";
import { ReconnectPlan } from "./reconnect-plan";
import { RefusalVerdicts } from "./refusal-verdicts";
import { RegistrationOutcomes } from "./registration-outcomes";
import type { RegistrationParts } from "./registration-parts";
import { RegistrationQueue } from "./registration-queue";
import { RegistrationScheduler } from "./registration-scheduler";
import type {
    Hold,
    Refusal,
    RefusalVerdict,
    RegistrationAnswer,
    RegistrationClient,
    RegistrationKind,
    RegistrationListener,
    RegistrationOptions,
    RegistrationState,
} from "./registration-types";
import { type StrayInterval, StrayPings } from "./stray-pings";
import { Suspects } from "./suspects";

/** Notifications and stray pings follow each other within a few milliseconds. */
const strayGapMs = 50;

/**
 * Decides for each device whether it may be sent to, so that the platform registers new ones, and looks known ones up, without
 * losing their events. Protocol, section Registration of devices.
 *
 * The first message for a device on each connection is its check. It takes a place until the platform acknowledges it or the
 * connection ends. It has succeeded when, in addition, 100 ms pass without a notification or a stray ping; until then the
 * others of the device wait. A device that the platform refused is held and tried again later. Checked devices cost one
 * look-up. On a server that has not shown that it registers devices, new ones flow at once. All devices are named by their key; all calls come from one thread and may be made from inside a callback.
 */
export class Registration {
    readonly #parts: RegistrationParts & { listener: RegistrationListener };
    readonly #quota: ConnectionQuota;
    readonly #queue: RegistrationQueue;
    readonly #held: HeldDevices<PendingDevice>;
    readonly #table: DeviceTable;
    readonly #newcomers: Newcomers;
    readonly #strayPings: StrayPings;
    readonly #holds: Holds;
    readonly #suspects: Suspects;
    readonly #outcomes: RegistrationOutcomes;
    readonly #verdicts: RefusalVerdicts;
    readonly #scheduler: RegistrationScheduler;
    #isRegistering: boolean;
    /** Known devices flow that were checked on the connection with this number or a later one. */
    #checkedFrom = 0;

    constructor({ clock, gatewayDevice, isRegistering, registrationLimit, registrationBackoffMs }: RegistrationOptions) {
        this.#isRegistering = isRegistering;
        this.#quota = new ConnectionQuota(isRegistering);
        this.#queue = new RegistrationQueue(registrationLimit, this.#quota);
        this.#held = new HeldDevices(clock, (pending) => this.#retry(pending));
        this.#table = new DeviceTable(gatewayDevice, { clock, over: (pending) => this.#scheduler.timeOver(pending) });
        this.#newcomers = new Newcomers(clock, (device) => this.#accept(device));
        this.#strayPings = new StrayPings({ clock, gapMs: strayGapMs, unexplained: (strays) => this.#unexplained(strays) });
        this.#parts = {
            clock,
            listener: nobody,
            table: this.#table,
            queue: this.#queue,
            quota: this.#quota,
            policy: new HoldPolicy(registrationBackoffMs),
            held: this.#held,
        };
        this.#holds = new Holds(this.#parts);
        this.#suspects = new Suspects(this.#parts, this.#holds);
        this.#outcomes = new RegistrationOutcomes(this.#parts, this.#strayPings, this.#holds, this.#suspects);
        this.#verdicts = new RefusalVerdicts(this.#parts, this.#holds, this.#suspects, this.#outcomes);
        const plan = new ReconnectPlan(this.#parts, registrationBackoffMs, () => this.#scheduler.serve());
        this.#scheduler = new RegistrationScheduler(this.#parts, this.#holds, this.#outcomes, plan);
    }

    /** Sets who is asked and notified; called once, before anything else. */
    attach(listener: RegistrationListener): void {
        this.#parts.listener = listener;
    }

    /**
     * May the client send something of this kind for the device? A client that waits is woken when the answer may be another one,
     * unless it withdraws. Given a `check` it sends exactly one message, around which it calls `sent` and `acknowledged`, or
     * it withdraws; asking again before that gives the same answer.
     */
    register(device: string, kind: RegistrationKind, client: RegistrationClient): RegistrationAnswer {
        if (this.#isNewcomer(device)) this.#newcomers.add(device);
        return this.#isFlowing(device) ? "flow" : this.#scheduler.ask(this.#table.open(device), kind, client);
    }

    /** The same for what does not wait: a place is given at once, or `wait` is answered and nothing is queued. */
    tryNow(device: string, client: RegistrationClient): RegistrationAnswer {
        if (this.#isFlowing(device)) return "flow";
        const pending = this.#table.pending(device);
        if (pending && pending.stage !== "granted" && pending.stage !== "resting") return "wait";
        const answer = this.#scheduler.ask(this.#table.open(device), "direct", client);
        if (answer === "wait") this.withdraw(device, client);
        return answer;
    }

    /** The check was handed to the connection; `confirmed` is called when it has succeeded. */
    sent(device: string, confirmed?: () => void): void {
        const pending = this.#table.open(device);
        // Whatever has happened since the client asked: what is sent takes a place.
        if (pending.stage !== "granted") this.#queue.grant(pending);
        const number = this.#quota.add(this.#quota.counts(pending.checkedOn));
        pending.send({ sequence: this.#quota.checks, number, confirmed }, this.#queue.exclusiveMs);
        if (this.#quota.isAtLimit) this.#queue.keepPlaces();
    }

    /** The platform acknowledged the check: a PUBACK, or a SUBACK that grants the filter. */
    acknowledged(device: string): void {
        this.#answered(device, false);
    }

    /** Whether the device is new and the server has not shown that it registers devices: the outcome of its events follows later. */
    isNewcomer(device: string): boolean {
        return this.#newcomers.has(device);
    }

    /** The server acknowledged an event of a newcomer; its outcome follows. */
    deferred(device: string, acknowledgement: OpenAcknowledgement): void {
        this.#newcomers.acknowledged(device, acknowledgement);
    }

    /** The platform answered the check, a SUBSCRIBE, with a failure. In a back-off no notification follows. */
    rejected(device: string): void {
        this.#answered(device, true);
    }

    /** Nothing of the client waits for the device any more, or it does not send the check that it was given. */
    withdraw(device: string, client: RegistrationClient): void {
        const pending = this.#table.pending(device);
        if (pending) this.#scheduler.withdraw(pending, client);
    }

    /** A `DE 00` came in: the platform dropped something because of its device. */
    strayPing(): void {
        this.#noteSign();
        // It may be about any of them: they are sent again, as checks.
        for (const device of this.#newcomers.takeBackAll()) this.#parts.listener.recall(device);
        this.#strayPings.strayPing();
    }

    /** Messages of these devices may be among those that stray pings were about. Returns the devices that are checked for it. */
    suspect(devices: Iterable<string>, strays: StrayInterval): string[] {
        return this.#suspects.suspectFlowing(devices, strays);
    }

    /** A notification came in; `device` is undefined where it names none. Says what becomes of the refused message. */
    refused(device: string | undefined, refusal: Refusal): RefusalVerdict {
        this.#noteSign();
        if (refusal.registration) this.#strayPings.notification();
        if (device === undefined) return { willRetry: false };
        const isNewcomer = this.#newcomers.has(device);
        this.#newcomers.takeBack(device);
        const verdict = isNewcomer ? this.#verdicts.judgeFlowing(device, refusal) : this.#verdicts.judge(device, refusal);
        this.#scheduler.serve();
        return verdict;
    }

    /** A connection is ready for publishes: the notify topic is subscribed. */
    connectionStarted(): void {
        this.#quota.restart();
        this.#queue.freePlaces();
        this.#checkedFrom = this.#isRegistering ? this.#quota.connection : 0;
        this.#scheduler.connectionStarted();
    }

    /** The connection has ended: what was acknowledged of new devices is settled, before anything goes back. */
    connectionLost(): void {
        this.#newcomers.end();
    }

    /** The connection has ended: the platform counts from the start. Checks without an outcome go back to their clients. */
    connectionEnded(): void {
        this.#strayPings.clear();
        this.#scheduler.connectionEnded();
    }

    /** Whether the server registers devices, as far as is known. */
    get isRegistering(): boolean {
        return this.#isRegistering;
    }

    /** Where the device stands. */
    stateOf(device: string): RegistrationState {
        return this.#table.stateOf(device);
    }

    /** Whether the device waits because the platform refused it. */
    isHeld(device: string): boolean {
        const pending = this.#table.pending(device);
        return pending?.stage === "held" || pending?.suspicion?.isTrialOfHold === true;
    }

    /** Whether the server has accepted the device before. */
    isKnown(device: string): boolean {
        const entry = this.#table.get(device);
        return typeof entry === "number" || entry?.checkedOn !== undefined;
    }

    /** How many checks the platform has not answered for long. */
    get stuckCount(): number {
        return this.#queue.stuckCount;
    }

    /** How many devices are held. */
    get heldCount(): number {
        return this.#table.heldCount;
    }

    /** How many devices are being checked because something may have been dropped silently. */
    get suspectCount(): number {
        return this.#suspects.count;
    }

    /** How many devices wait because the platform does not answer their registration. */
    get unansweredCount(): number {
        return this.#outcomes.unansweredCount;
    }

    /** Takes over from an earlier run that the server has shown that it registers devices. */
    restoreSign(): void {
        this.#isRegistering = true;
        this.#quota.setLimited();
    }

    /** Takes over from an earlier run that the platform knows the device. */
    restoreKnown(device: string): void {
        if (this.#table.get(device) === undefined) this.#table.setChecked(device, 0);
    }

    /** Takes over a hold from an earlier run. */
    restoreHeld(device: string, hold: Hold): void {
        if (this.#table.get(device) !== undefined) return;
        this.#holds.restore(this.#table.open(device), hold);
    }

    /** Ends the hold of a device now: what waits for it asks again. False if it was not held. */
    release(device: string): boolean {
        const pending = this.#table.pending(device);
        if (pending?.state.phase !== "held") return false;
        this.#holds.release(pending);
        this.#parts.listener.stateChanged(device, pending.state);
        wake(pending);
        this.#scheduler.serve();
        return true;
    }

    /** Forgets a device of which no check is under way: what is sent next is its first. False if it stays. */
    forget(device: string): boolean {
        const pending = this.#table.pending(device);
        if (pending && pending.stage !== "resting" && pending.stage !== "held") return false;
        if (!this.#table.remove(device)) return false;
        if (pending) this.#outcomes.forget(pending);
        return true;
    }

    /** Stops the timers. */
    close(): void {
        this.connectionLost();
        this.connectionEnded();
        this.#held.close();
    }

    #isFlowing(device: string): boolean {
        const entry = this.#table.get(device);
        return typeof entry === "number" ? entry >= this.#checkedFrom : entry === undefined && !this.#isRegistering;
    }

    #isNewcomer(device: string): boolean {
        return !this.#isRegistering && this.#table.get(device) === undefined;
    }

    #accept(device: string): void {
        if (this.#table.get(device) !== undefined) return;
        this.#table.setChecked(device, this.#quota.connection);
        this.#parts.listener.stateChanged(device, { phase: "known" });
    }

    #answered(device: string, isRejected: boolean): void {
        const pending = this.#table.pending(device);
        if (pending?.stage === "sent") this.#outcomes.acknowledged(pending, isRejected);
        else if (pending?.stage === "unanswered") this.#outcomes.answeredLate(pending);
        this.#scheduler.serve();
    }

    /** The time of a held or unanswered device has come. */
    #retry(pending: PendingDevice): void {
        if (pending.stage === "unanswered") {
            this.#scheduler.retryUnanswered(pending);
        } else if (pending.stage === "held" || pending.stage === "resting") {
            if (pending.stage === "held") pending.endHold();
            wake(pending);
        }
        this.#scheduler.serve();
    }

    #unexplained(strays: StrayInterval): void {
        this.#suspects.unexplained(strays);
        this.#scheduler.serve();
    }

    #noteSign(): void {
        if (this.#isRegistering) return;
        this.restoreSign();
        this.#parts.listener.signGiven();
    }
}

const nobody: RegistrationListener = {
    reconnectWanted() {},
    stateChanged() {},
    unexplainedDrop() {},
    recall() {},
    cleared() {},
    convicted() {},
    unanswered() {},
    signGiven() {},
    pingWanted() {},
};
