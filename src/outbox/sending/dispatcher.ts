import type { Clock, Timer } from "../../clock";
import type { GatewayError } from "../../errors";
import { RateLimiter } from "../../rate-limiter";
import type { RefusalNote } from "../event";
import type { EventLifecycle } from "../event-lifecycle";
import type { MemoryLimits, OutboxLimits } from "../outbox-limits";
import type { DeviceGate, EventLink, Transmission } from "../ports";
import type { OutboxEntry } from "../queue/outbox-entry";
import type { WaitingEvents } from "../queue/waiting-events";
import type { StoredEvents } from "../storing/stored-events";
import type { UnsavedEvents } from "../storing/unsaved-events";
import type { Supersession } from "../supersession";
import type { InFlightWindow } from "./in-flight-window";
import { SendingOrder } from "./sending-order";

const readRetryMs = 1000;
/** After a pause this part of a second's events may go out at once. */
const burstS = 0.1;

/** Sends what may be sent, in order for each device: through the window, at the rate, as far as the gate lets each device flow. */
export class Dispatcher {
    readonly window: InFlightWindow;
    readonly #options: DispatcherOptions;
    readonly #order: SendingOrder;
    readonly #rate: RateLimiter | undefined;
    #pumpTimer: Timer | undefined;
    #pumpDueMs = Number.POSITIVE_INFINITY;
    #readTimer: Timer | undefined;
    #isOnline = false;
    #isPumping = false;
    #isStopped = false;

    constructor(options: DispatcherOptions) {
        const { clock, limits, window } = options;
        this.#options = options;
        this.window = window;
        const rateLimits = { perSecond: limits.maxRate, burst: limits.maxRate * burstS };
        this.#rate = limits.maxRate > 0 ? new RateLimiter(rateLimits, clock.monotonicMs()) : undefined;
        const canSend = () => this.#isOnline && options.link.isWritable();
        this.#order = new SendingOrder({ ...options, canSend, pumpLater: (delayMs) => this.#pumpLater(delayMs) });
    }

    get isOnline(): boolean {
        return this.#isOnline;
    }

    linkUp(): void {
        if (this.#isOnline) return;
        const { waiting, unsaved } = this.#options;
        this.#isOnline = true;
        unsaved.linkUp();
        waiting.devices.askAllHeld();
        waiting.wakeAll();
        this.pump();
    }

    /** Everything that is not settled is to be sent again, before all that was not sent yet. */
    linkDown(): void {
        if (!this.#isOnline) return;
        const { waiting, unsaved, supersession } = this.#options;
        this.#isOnline = false;
        this.#cancelTimers();
        this.window.linkDown();
        unsaved.linkDown();
        waiting.endChecks();
        this.takeBack([...this.window]);
        supersession.settleAll();
        waiting.devices.askAllHeld();
        this.#options.progressed();
    }

    /** A new event: it is sent at once if nothing else waits, and queued otherwise. */
    admit(entry: OutboxEntry): void {
        if (this.#isPumping || !this.#hasRoom || !this.#takeToken()) {
            this.#options.waiting.push(entry, this.#isOnline);
            return;
        }
        if (this.#order.mayOvertakeNothing(entry)) {
            this.#send(entry, false);
            return;
        }
        this.#rate?.refund();
        this.#options.waiting.push(entry, this.#isOnline);
        this.pump();
    }

    /** Sends as much as may be sent now. */
    pump(): void {
        if (this.#isPumping) return;
        this.#isPumping = true;
        try {
            while (this.#hasRoom && this.#takeToken()) {
                const entry = this.#order.next();
                if (!entry) {
                    this.#rate?.refund();
                    break;
                }
                this.#send(entry, this.#options.waiting.devices.of(entry.device)?.check === entry);
            }
        } finally {
            this.#isPumping = false;
        }
    }

    /** Whether one more publish that does not pass the outbox fits the rate; takes its place in it. */
    takeRate(): boolean {
        return this.#rate?.take(this.#options.clock.monotonicMs()) ?? true;
    }

    /** Events that were sent are to be sent again; what was acknowledged counts as queued once more. */
    takeBack(entries: readonly OutboxEntry[]): void {
        const { lifecycle, waiting, supersession } = this.#options;
        for (const entry of entries) if (entry.isDelivered) lifecycle.recalled(entry);
        const overtaken = entries.filter(({ latest }) => latest?.isOvertaken);
        for (const entry of overtaken) lifecycle.supersedeReturned(entry);
        waiting.giveBack(overtaken.length > 0 ? entries.filter(({ state }) => state !== "finished") : entries);
        for (const entry of entries) if (entry.latest && entry.state === "waiting") supersession.settle(entry);
    }

    /** Every event in memory, under way or waiting. */
    *inMemory(): Generator<OutboxEntry> {
        yield* this.window;
        yield* this.#options.waiting.inMemory();
    }

    /** Tries again whatever waited for the store or for the connection. */
    resume(): void {
        this.#options.waiting.retry();
        this.pump();
    }

    /** The store could not be read: tries again in a while. */
    retryLater(): void {
        this.#readTimer ??= this.#options.clock.setTimer(readRetryMs, () => {
            this.#readTimer = undefined;
            this.resume();
        });
    }

    /** Sends nothing more; what is in flight may still be acknowledged. */
    stopSending(): void {
        this.#isStopped = true;
    }

    dispose(): void {
        this.#isStopped = true;
        this.#isOnline = false;
        this.#cancelTimers();
    }

    get #hasRoom(): boolean {
        return this.#isOnline && !this.#isStopped && this.window.hasRoom && this.#options.link.isWritable() && !this.#isLinkBusy;
    }

    /** Whether enough is on its way. Without acknowledgements, goes on after a while. */
    get #isLinkBusy(): boolean {
        const { waitMs } = this.window;
        if (waitMs > 0) this.#pumpLater(waitMs);
        return waitMs > 0;
    }

    /** Takes a place in the rate; without one, goes on when there is one. */
    #takeToken(): boolean {
        if (!this.#rate) return true;
        const nowMs = this.#options.clock.monotonicMs();
        if (this.#rate.take(nowMs)) return true;
        this.#pumpLater(this.#rate.delayMs(nowMs));
        return false;
    }

    #send(entry: OutboxEntry, isCheck: boolean): void {
        const number = this.window.sent(entry, isCheck);
        this.#options.link.send(entry, isCheck, new SentEvent(this, entry, number));
    }

    /** The platform acknowledged an event. A check, or one that is open, is done when its outcome is known. */
    acknowledged(entry: OutboxEntry, isOpen: boolean): void {
        this.window.acknowledged(entry, isOpen);
        if (entry.isCheck) this.#options.waiting.devices.of(entry.device)?.checkAcknowledged();
        if (entry.isOpen) this.#options.progressed();
        else this.delivered(entry);
    }

    /** The outcome of an acknowledged event is known: the platform has it. */
    delivered(entry: OutboxEntry): void {
        const { lifecycle, unsaved } = this.#options;
        entry.confirmed();
        unsaved.remove(entry);
        lifecycle.delivered(entry);
        this.#options.progressed();
    }

    /** Nothing can be held against an acknowledged event any more. */
    settled(entry: OutboxEntry): void {
        if (entry.isCheck) entry.settledEarly();
        else this.#options.lifecycle.settled(entry);
    }

    /** The platform refuses an acknowledged event. */
    refused(entry: OutboxEntry, error: GatewayError, refusal: RefusalNote): void {
        this.#options.lifecycle.revoke(entry, error, refusal);
    }

    #pumpLater(delayMs: number): void {
        const { clock } = this.#options;
        const dueMs = clock.monotonicMs() + delayMs;
        if (dueMs >= this.#pumpDueMs) return;
        this.#pumpTimer?.cancel();
        this.#pumpDueMs = dueMs;
        this.#pumpTimer = clock.setTimer(delayMs, () => {
            this.#pumpDueMs = Number.POSITIVE_INFINITY;
            this.pump();
        });
    }

    #cancelTimers(): void {
        this.#pumpTimer?.cancel();
        this.#pumpDueMs = Number.POSITIVE_INFINITY;
        this.#readTimer?.cancel();
        this.#readTimer = undefined;
    }
}

/** One sending of an event. Once the event has been taken back, or sent again, its calls mean nothing. */
class SentEvent implements Transmission {
    readonly #dispatcher: Dispatcher;
    readonly #entry: OutboxEntry;
    readonly #number: number;

    constructor(dispatcher: Dispatcher, entry: OutboxEntry, number: number) {
        this.#dispatcher = dispatcher;
        this.#entry = entry;
        this.#number = number;
    }

    acknowledged(isOpen = false): void {
        const { transmission, state, isCheck } = this.#entry;
        if (transmission !== this.#number) return;
        if (state === "inFlight") {
            this.#dispatcher.acknowledged(this.#entry, isOpen);
            this.#dispatcher.pump();
        } else if (this.#entry.isOpen && !isOpen && !isCheck) {
            this.#dispatcher.delivered(this.#entry);
        }
    }

    settled(): void {
        if (this.#entry.transmission !== this.#number) return;
        const isNew = this.#entry.state === "inFlight";
        if (isNew) this.#dispatcher.acknowledged(this.#entry, false);
        else if (this.#entry.isOpen && !this.#entry.isCheck) this.#dispatcher.delivered(this.#entry);
        this.#dispatcher.settled(this.#entry);
        if (isNew) this.#dispatcher.pump();
    }

    refused(error: GatewayError, refusal: RefusalNote): void {
        if (this.#entry.transmission !== this.#number || this.#entry.state !== "acknowledged" || this.#entry.isCheck) return;
        this.#dispatcher.refused(this.#entry, error, refusal);
    }

    failed(): void {
        // The end of the connection is reported too: then everything in flight goes back together, in order.
    }
}

/** What the dispatcher works with. */
export interface DispatcherOptions {
    readonly clock: Clock;
    readonly limits: OutboxLimits;
    readonly memory: MemoryLimits;
    readonly gate: DeviceGate;
    readonly link: EventLink;
    readonly window: InFlightWindow;
    readonly lifecycle: EventLifecycle;
    readonly waiting: WaitingEvents;
    readonly stored: StoredEvents;
    readonly unsaved: UnsavedEvents;
    readonly supersession: Supersession;
    /** Milliseconds of the clock by which events age. */
    now(): number;
    /** An event was acknowledged, or the connection has ended. */
    progressed(): void;
}
