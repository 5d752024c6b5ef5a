import type { Clock } from "../../clock";
import { ConnectionQuota } from "./connection-quota";
import { Deadlines } from "./deadlines";
import { DeviceTable } from "./device-table";
import { HoldPolicy } from "./hold-policy";
import type { PendingDevice } from "./pending-device";
import { RefusalVerdicts } from "./refusal-verdicts";
import { RegistrationOutcomes } from "./registration-outcomes";
import { RegistrationQueue } from "./registration-queue";
import { RegistrationScheduler } from "./registration-scheduler";
import type {
    Hold,
    Refusal,
    RefusalVerdict,
    RegistrationAnswer,
    RegistrationKind,
    RegistrationListener,
    RegistrationOptions,
    RegistrationState,
} from "./registration-types";
import { StrayPings } from "./stray-pings";
import { StrayWatch } from "./stray-watch";

/** Notifications and stray packets follow their acknowledgement, and each other, within a few milliseconds. */
const confirmationMs = 100;
const strayGapMs = 50;

type Due = { readonly pending: PendingDevice; readonly version: number } | "stray-ping" | "slots" | "reconnect";

/**
 * Decides for each device whether it may be sent to, so that the platform registers new ones without losing their events. Protocol,
 * section Registration of devices.
 *
 * The first thing sent to a device that is not known is its registration attempt; it takes a slot until the platform acknowledges
 * it or the connection ends. It has succeeded when, in addition, 100 ms pass without a notification or a stray packet. A
 * device that the platform refused is held and tried again later. Known devices cost one look-up. All devices are named by
 * their key; all calls come from one thread and may be made from inside an effect.
 */
export class Registration {
    readonly #clock: Clock;
    readonly #listener: RegistrationListener;
    readonly #policy: HoldPolicy;
    readonly #table: DeviceTable;
    readonly #queue: RegistrationQueue;
    readonly #strayPings = new StrayPings(strayGapMs);
    readonly #strayWatch: StrayWatch;
    readonly #deadlines: Deadlines<Due>;
    readonly #outcomes: RegistrationOutcomes;
    readonly #verdicts: RefusalVerdicts;
    readonly #scheduler: RegistrationScheduler;

    constructor({ clock, listener, gatewayDevice, registrationLimit, registrationBackoffMs }: RegistrationOptions) {
        const quota = new ConnectionQuota();
        const queue = new RegistrationQueue(registrationLimit);
        this.#clock = clock;
        this.#listener = listener;
        this.#queue = queue;
        this.#policy = new HoldPolicy(registrationBackoffMs);
        this.#table = new DeviceTable(gatewayDevice);
        this.#deadlines = new Deadlines(clock, (due) => this.#reached(due));
        this.#strayWatch = new StrayWatch({
            clock,
            strayPings: this.#strayPings,
            scheduleAt: (dueMs) => this.#deadlines.add(dueMs, "stray-ping"),
        });
        this.#outcomes = new RegistrationOutcomes({
            clock,
            listener,
            queue,
            quota,
            table: this.#table,
            policy: this.#policy,
            strayPings: this.#strayPings,
            confirmationMs,
            setDeadline: (pending, delayMs) => this.#setDeadline(pending, delayMs),
        });
        this.#verdicts = new RefusalVerdicts({ listener, table: this.#table, outcomes: this.#outcomes });
        this.#scheduler = new RegistrationScheduler({
            clock,
            listener,
            queue,
            quota,
            outcomes: this.#outcomes,
            registrationBackoffMs,
            schedule: (delayMs, due) => this.#schedule(delayMs, due),
        });
    }

    /** May the next event of this device be sent? */
    ask(device: string): RegistrationAnswer {
        return this.tryRegister(device, "event");
    }

    /**
     * As `ask`, for anything that makes the platform register a device. Whoever is told to wait asks again when woken; whoever
     * is told `pending` calls `attemptSent`, or `attemptAbandoned`, and asking again before that gives the same answer.
     */
    tryRegister(device: string, kind: RegistrationKind): RegistrationAnswer {
        return this.#table.isKnown(device) ? "flow" : this.#scheduler.ask(this.#table.meet(device), kind);
    }

    /** For what is never queued: a registration attempt of kind `direct` is granted at once, or the device is `held`. */
    tryNow(device: string): "flow" | "register" | "held" {
        if (this.#table.isKnown(device)) return "flow";
        const present = this.#table.pending(device);
        const isUnused = present?.stage === "granted" && present.kind === undefined;
        if (!isUnused) {
            if (present && present.stage !== "idle") return "held";
            if (!this.#scheduler.isFreeFor(present ?? { exclusive: false })) return "held";
        }
        return this.#scheduler.ask(this.#table.meet(device), "direct") === "register" ? "register" : "held";
    }

    /** What was granted has been handed to the connection. */
    attemptSent(device: string): void {
        const pending = this.#pendingAt(device, "granted");
        if (pending) this.#scheduler.sent(pending);
    }

    /** What was granted will not be sent, because it expired or was dropped. Without this call its slot is lost for half a minute. */
    attemptAbandoned(device: string): void {
        const pending = this.#pendingAt(device, "granted");
        if (pending) this.#scheduler.release(pending);
    }

    /** The platform acknowledged the registration attempt: a PUBACK, or a SUBACK that grants the filter. */
    attemptAcknowledged(device: string): void {
        const pending = this.#pendingAt(device, "sent");
        if (!pending) return;
        this.#outcomes.acknowledged(pending);
        this.#scheduler.serve();
    }

    /** The platform answered the registration attempt, a SUBSCRIBE, with a failure. In a back-off no notification follows. */
    attemptRejected(device: string): void {
        const pending = this.#pendingAt(device, "sent");
        if (pending) pending.rejected = true;
        this.attemptAcknowledged(device);
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

    /** The connection has ended: the platform counts anew. First devices without an outcome go back to the head of their queues. */
    connectionEnded(): void {
        this.#strayPings.clear();
        this.#scheduler.ended();
    }

    /** Where the device stands. */
    stateOf(device: string): RegistrationState {
        return this.#table.stateOf(device);
    }

    /** How many registrations the platform has not answered for long. */
    get unansweredCount(): number {
        return this.#queue.unansweredCount;
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
        const pending = this.#table.meet(device);
        this.#table.hold(pending, hold);
        const leftMs = hold.until - this.#clock.now();
        this.#setDeadline(pending, Math.min(Math.max(leftMs, 0), this.#policy.longestMs));
    }

    /** Ends the hold of a device now: what waits for it asks again. False if it was not held. */
    release(device: string): boolean {
        const pending = this.#table.pending(device);
        const hold = pending?.state.hold;
        if (!pending || !hold) return false;
        pending.hold = { ...hold, until: Math.min(hold.until, this.#clock.now()) };
        pending.stage = "idle";
        this.#listener.stateChanged(device, pending.state);
        this.#listener.wake(device);
        this.#scheduler.serve();
        return true;
    }

    /** Forgets a device whose registration attempt is not under way: what is sent next is a registration attempt. False if it stays. */
    forget(device: string): boolean {
        const pending = this.#table.pending(device);
        if (pending && pending.stage !== "idle" && pending.stage !== "held") return false;
        if (!this.#table.remove(device)) return false;
        if (pending) pending.stage = "idle";
        this.#listener.wake(device);
        return true;
    }

    /** Stops the timer. */
    close(): void {
        this.#deadlines.close();
    }

    #pendingAt(device: string, stage: PendingDevice["stage"]): PendingDevice | undefined {
        const pending = this.#table.pending(device);
        return pending?.stage === stage ? pending : undefined;
    }

    #setDeadline(pending: PendingDevice, delayMs: number): void {
        this.#schedule(delayMs, { pending, version: pending.version });
    }

    #schedule(delayMs: number, due: Due): void {
        this.#deadlines.add(this.#clock.monotonicMs() + delayMs, due);
    }

    #reached(due: Due): void {
        if (due === "reconnect") {
            this.#scheduler.reconnectDue();
        } else if (due === "slots") {
            this.#scheduler.slotsDue();
        } else if (due === "stray-ping") {
            const strays = this.#strayWatch.check();
            if (strays) this.#outcomes.unexplained(strays);
        } else if (due.version === due.pending.version) {
            this.#stageOver(due.pending);
        }
        this.#scheduler.serve();
    }

    #stageOver(pending: PendingDevice): void {
        if (pending.stage === "acknowledged") {
            this.#outcomes.confirmationOver(pending);
        } else {
            pending.stage = "idle";
            this.#listener.wake(pending.device);
        }
    }
}
