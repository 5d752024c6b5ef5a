import type { Clock } from "../../clock";
import type { ConnectionQuota } from "./connection-quota";
import type { PendingDevice } from "./pending-device";
import { ReconnectNeed } from "./reconnect-need";
import type { RegistrationOutcomes } from "./registration-outcomes";
import type { RegistrationQueue } from "./registration-queue";
import type { RegistrationKind, RegistrationListener } from "./registration-types";
import { SlotWatch } from "./slot-watch";

interface RegistrationSchedulerDeps {
    readonly clock: Clock;
    readonly listener: RegistrationListener;
    readonly queue: RegistrationQueue;
    readonly quota: ConnectionQuota;
    readonly outcomes: RegistrationOutcomes;
    readonly registrationBackoffMs: number;
    /** Calls `slotsDue` or `reconnectDue` after this time. */
    readonly schedule: (delayMs: number, due: "slots" | "reconnect") => void;
}

/** Gives the slots to registration attempts, in the order in which they asked, and sees when only a new connection helps. */
export class RegistrationScheduler {
    readonly #options: RegistrationSchedulerDeps;
    readonly #slotWatch: SlotWatch;
    readonly #reconnectNeed: ReconnectNeed;
    #isOnline = false;
    #isServing = false;

    constructor(options: RegistrationSchedulerDeps) {
        const { clock, listener, schedule, queue, registrationBackoffMs } = options;
        this.#options = options;
        this.#slotWatch = new SlotWatch({
            clock,
            queue,
            schedule: (delayMs) => schedule(delayMs, "slots"),
            unused: (pending) => this.release(pending),
        });
        this.#reconnectNeed = new ReconnectNeed({
            clock,
            registrationBackoffMs,
            wanted: (reason) => listener.reconnectWanted(reason),
            schedule: (delayMs) => schedule(delayMs, "reconnect"),
        });
    }

    /** May this be sent to register the device? If not, it is queued and will be woken. */
    ask(pending: PendingDevice, kind: RegistrationKind): "register" | "wait" {
        if (pending.stage === "granted") return this.#askGranted(pending, kind);
        if (pending.stage !== "idle") return "wait";
        if (this.isFreeFor(pending)) {
            this.#grant(pending);
            this.#use(pending, kind);
            return "register";
        }
        pending.stage = pending.exclusive ? "unconfirmed" : "waiting";
        this.#options.queue.enqueue(pending, "back");
        this.#considerReconnect();
        return "wait";
    }

    /** Whether a slot is free for a device at which nothing is under way. */
    isFreeFor(pending: { readonly exclusive: boolean }): boolean {
        return this.#mayRegister && this.#options.queue.isFreeFor(pending);
    }

    /** What was granted has been sent. */
    sent(pending: PendingDevice): void {
        pending.stage = "sent";
        pending.sequence = this.#options.quota.count();
        pending.sentMs = this.#options.clock.monotonicMs();
        this.#slotWatch.begin(pending);
    }

    /** Takes back what was granted and is not used. */
    release(pending: PendingDevice): void {
        this.#options.queue.ended(pending);
        this.#options.outcomes.rest(pending);
        // Something else of the device may have waited for its outcome.
        this.#options.listener.wake(pending.device);
        this.serve();
    }

    /** Gives the free slots to those in the line. */
    serve(): void {
        // An effect may call back in here: the loop that is running goes on and sees what has changed.
        if (this.#isServing) return;
        this.#isServing = true;
        try {
            while (this.#mayRegister) {
                const pending = this.#options.queue.next();
                if (!pending) break;
                this.#grant(pending);
                this.#options.listener.wake(pending.device);
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

    /** The connection has ended, and with it every device whose outcome is not known. */
    ended(): void {
        const { queue, outcomes, quota } = this.#options;
        this.#isOnline = false;
        this.#reconnectNeed.ended();
        quota.restart();
        // From the latest to the earliest, since each goes to the front of the line.
        for (const pending of [...outcomes.confirming, ...queue.slots].reverse()) outcomes.interrupt(pending);
    }

    /** The slots are to be checked. */
    slotsDue(): void {
        this.#slotWatch.check();
    }

    /** A reconnect that had to wait may be due. */
    reconnectDue(): void {
        this.#reconnectNeed.planReached();
    }

    get #mayRegister(): boolean {
        return this.#isOnline && !this.#options.quota.isReached;
    }

    #askGranted(pending: PendingDevice, kind: RegistrationKind): "register" | "wait" {
        if (!this.#mayRegister) {
            this.#options.outcomes.interrupt(pending);
            return "wait";
        }
        if (pending.kind === undefined) this.#use(pending, kind);
        return pending.kind === kind ? "register" : "wait";
    }

    #grant(pending: PendingDevice): void {
        pending.beginAttempt();
        pending.stage = "granted";
        this.#options.queue.grant(pending);
        this.#slotWatch.begin(pending);
    }

    #use(pending: PendingDevice, kind: RegistrationKind): void {
        pending.kind = kind;
        this.#slotWatch.begin(pending);
    }

    #considerReconnect(): void {
        if (!this.#isOnline) return;
        const { queue, outcomes, quota } = this.#options;
        const unanswered = queue.unansweredCount;
        if (unanswered > 0 && unanswered * 2 >= queue.limit) {
            this.#reconnectNeed.consider("stuck-registrations");
        } else if (quota.isReached && queue.isQueued) {
            const isEmpty = outcomes.confirming.size === 0 && queue.slots.size === unanswered;
            if (isEmpty) this.#reconnectNeed.consider("connection-limit");
        }
    }
}
