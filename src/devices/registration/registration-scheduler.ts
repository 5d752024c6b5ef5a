import type { Holds } from "./holds";
import type { PendingDevice } from "./pending-device";
import type { ReconnectPlan } from "./reconnect-plan";
import type { RegistrationOutcomes } from "./registration-outcomes";
import type { RegistrationParts } from "./registration-parts";
import type { RegistrationAnswer, RegistrationClient, RegistrationKind } from "./registration-types";

const minuteMs = 60_000;

/** Gives the free places to devices that wait, and offers each to the clients of its device. */
export class RegistrationScheduler {
    readonly #parts: RegistrationParts;
    readonly #holds: Holds;
    readonly #outcomes: RegistrationOutcomes;
    readonly #plan: ReconnectPlan;
    #isOnline = false;
    #isServing = false;

    constructor(parts: RegistrationParts, holds: Holds, outcomes: RegistrationOutcomes, plan: ReconnectPlan) {
        this.#parts = parts;
        this.#holds = holds;
        this.#outcomes = outcomes;
        this.#plan = plan;
    }

    /** May the client send the check of the device now? If not, it waits and is woken. */
    ask(pending: PendingDevice, kind: RegistrationKind, client: RegistrationClient): RegistrationAnswer {
        const { queue } = this.#parts;
        // The quota may have been used up since the place was given.
        if (pending.stage === "granted" && !queue.isAllowed(pending)) this.#outcomes.unused(pending);
        if (pending.stage === "granted" && pending.use(client, kind)) return "check";
        this.#holds.tryFor(pending);
        if (pending.stage === "resting" && this.#isFreeFor(pending)) {
            queue.grant(pending);
            pending.use(client, kind);
            return "check";
        }
        pending.addClient(client);
        if (pending.stage === "resting" || pending.stage === "queued") queue.enqueue(pending, kind);
        this.#plan.lookSoon();
        return "wait";
    }

    /** The client waits no longer, or does not send the check for which it has the place. */
    withdraw(pending: PendingDevice, client: RegistrationClient): void {
        pending.withdraw(client);
        if (pending.stage === "granted") {
            if (!pending.check?.client) this.#offer(pending);
            this.serve();
        } else if ((pending.stage === "queued" || pending.stage === "resting") && !pending.isWanted) {
            this.#outcomes.rest(pending);
        }
    }

    /** Gives the free places to those that wait. */
    serve(): void {
        // A callback may come back in here: the loop that is running goes on and sees what has changed.
        if (this.#isServing) return;
        this.#isServing = true;
        try {
            while (this.#isOnline && !this.#plan.isDraining) {
                const pending = this.#parts.queue.next();
                if (!pending) break;
                this.#parts.queue.grant(pending);
                this.#offer(pending);
            }
        } finally {
            this.#isServing = false;
        }
        this.#plan.lookSoon();
    }

    /** The time of the device's state is over. */
    timeOver(pending: PendingDevice): void {
        if (pending.stage === "granted") {
            this.#outcomes.unused(pending);
        } else if (pending.stage === "confirming") {
            this.#outcomes.confirmationOver(pending);
        } else if (this.#parts.queue.isExclusive(pending)) {
            this.#outcomes.endExclusive(pending);
        } else {
            // Behind a dead link, silence says nothing about the registration.
            const sequence = pending.check?.sequence;
            this.#parts.listener.pingWanted(() => {
                if (pending.stage === "sent" && pending.check?.sequence === sequence) this.#silent(pending);
            });
        }
        this.serve();
    }

    /** The device still has its place on this connection, where the platform has not answered it: it is tried once more. */
    retryUnanswered(pending: PendingDevice): void {
        const { held, queue } = this.#parts;
        if (this.#plan.isDraining || !queue.isAllowed(pending)) {
            held.add(pending, minuteMs);
            return;
        }
        queue.grant(pending);
        this.#offer(pending);
    }

    /** A connection is ready for publishes. */
    connectionStarted(): void {
        this.#plan.started();
        this.#isOnline = true;
        this.#holds.connectionStarted();
        this.serve();
    }

    /** The connection has ended: checks without an outcome go back to their clients. */
    connectionEnded(): void {
        const { queue } = this.#parts;
        this.#isOnline = false;
        this.#plan.ended();
        // From the latest to the earliest, since each goes to the front of its line.
        const underWay = new Set([...queue.confirming, ...queue.places]);
        for (const pending of [...underWay].reverse()) this.#outcomes.interrupt(pending);
    }

    /** The platform answers, but not the check of this device. */
    #silent(pending: PendingDevice): void {
        pending.noteSilence();
        if (pending.silence && (pending.silence.isRenewed || !this.#plan.canRenew)) this.#outcomes.giveUp(pending);
        this.serve();
    }

    #isFreeFor(pending: PendingDevice): boolean {
        const { queue } = this.#parts;
        return this.#isOnline && !this.#plan.isDraining && queue.isAllowed(pending) && queue.isFreeFor(pending);
    }

    /** Offers the place to the client that waits longest; with none left it goes to another device. */
    #offer(pending: PendingDevice): void {
        const client = pending.offer();
        if (client) client.wake(pending.device);
        else this.#outcomes.release(pending);
    }
}
