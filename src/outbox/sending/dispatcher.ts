import type { Clock, Timer } from "../../clock";
import { RateLimiter } from "../../rate-limiter";
import type { EventLifecycle } from "../event-lifecycle";
import type { OutboxLimits } from "../outbox-limits";
import type { DeviceGate, EventLink } from "../ports";
import type { OutboxEntry } from "../queue/outbox-entry";
import type { WaitingEvents } from "../queue/waiting-events";
import { InFlightWindow } from "./in-flight-window";
import { SendingOrder } from "./sending-order";

/** What the dispatcher works with. */
export interface DispatcherOptions {
    readonly clock: Clock;
    readonly limits: OutboxLimits;
    readonly gate: DeviceGate;
    readonly link: EventLink;
    readonly lifecycle: EventLifecycle;
    readonly waiting: WaitingEvents;
    /** Wall-clock milliseconds, corrected for jumps. */
    now(): number;
    /** An event was delivered. */
    delivered(): void;
}

const readRetryMs = 1000;
/** After a pause this part of a second's events may go out at once. */
const burstS = 0.1;

/** Sends what may be sent, in order for each device: through the window, at the rate, as far as the gate lets each device flow. */
export class Dispatcher {
    readonly window: InFlightWindow;
    readonly #options: DispatcherOptions;
    readonly #waiting: WaitingEvents;
    readonly #order: SendingOrder;
    readonly #rate: RateLimiter | undefined;
    #pumpTimer: Timer | undefined;
    #readTimer: Timer | undefined;
    #isOnline = false;
    #isPumping = false;
    #isStopped = false;

    constructor(options: DispatcherOptions) {
        const { clock, limits, gate, lifecycle, waiting } = options;
        this.#options = options;
        this.#waiting = waiting;
        this.window = new InFlightWindow({ clock, maxInFlight: limits.maxInFlight });
        const rateLimits = { perSecond: limits.maxRate, burst: limits.maxRate * burstS };
        this.#rate = limits.maxRate > 0 ? new RateLimiter(rateLimits, clock.monotonicMs()) : undefined;
        this.#order = new SendingOrder({ waiting, gate, lifecycle, now: options.now, interrupted: () => this.#pumpLater(0) });
    }

    get isOnline(): boolean {
        return this.#isOnline;
    }

    linkUp(): void {
        if (this.#isOnline) return;
        this.#isOnline = true;
        this.#waiting.deviceQueues.wakeAll();
        this.pump();
    }

    /** Everything in flight is unacknowledged again and goes back before all that was not sent yet. */
    linkDown(): void {
        if (!this.#isOnline) return;
        this.#isOnline = false;
        this.#cancelTimers();
        this.window.linkDown();
        for (const entry of this.#waiting.deviceQueues.abandonRegistrations()) this.#waiting.unshift(entry);
        for (let entry = this.window.last; entry; entry = this.window.last) this.#waiting.unshift(entry);
    }

    /** Sends as much as may be sent now. */
    pump(): void {
        if (this.#isPumping || this.#isStopped) return;
        this.#isPumping = true;
        try {
            const { link, clock } = this.#options;
            while (this.#isOnline && this.window.hasRoom && link.isWritable()) {
                if (this.#rate && !this.#rate.take(clock.monotonicMs())) {
                    this.#pumpLater(this.#rate.delayMs(clock.monotonicMs()));
                    break;
                }
                const entry = this.#order.next();
                if (!entry) {
                    this.#rate?.refund();
                    break;
                }
                this.#send(entry);
            }
        } finally {
            this.#isPumping = false;
        }
    }

    /** Whether one more publish that does not pass the outbox fits the rate; takes its place in it. */
    takeRate(): boolean {
        return this.#rate?.take(this.#options.clock.monotonicMs()) ?? true;
    }

    /** The event has reached the platform. */
    settle(entry: OutboxEntry): void {
        this.#options.lifecycle.delivered(entry);
        this.#options.delivered();
    }

    /** Every event in flight, and the acknowledged registration attempts. */
    *underWay(): Generator<OutboxEntry> {
        yield* this.#waiting.deviceQueues.confirming();
        yield* this.window;
    }

    /** Every event in memory, under way or waiting. */
    *inMemory(): Generator<OutboxEntry> {
        yield* this.underWay();
        yield* this.#waiting.inMemory();
    }

    /** Tries again whatever waited for the store or for the connection. */
    resume(): void {
        this.#waiting.deviceQueues.retry();
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

    #send(entry: OutboxEntry): void {
        const number = this.window.sent(entry);
        const acknowledged = () => this.#acknowledged(entry, number);
        // After a failure the end of the connection is reported too: then everything in flight goes back together, in order.
        this.#options.link.send(entry, entry.isRegistering, { acknowledged, settled: acknowledged, failed: () => {} });
    }

    #acknowledged(entry: OutboxEntry, number: number): void {
        if (!this.window.acknowledged(entry, number)) return;
        if (entry.isRegistering) {
            const deviceQueue = this.#waiting.deviceQueues.of(entry.device);
            if (deviceQueue) deviceQueue.state = "confirming";
        } else {
            this.settle(entry);
        }
        this.pump();
    }

    #pumpLater(delayMs: number): void {
        this.#pumpTimer ??= this.#options.clock.setTimer(delayMs, () => {
            this.#pumpTimer = undefined;
            this.pump();
        });
    }

    #cancelTimers(): void {
        this.#pumpTimer?.cancel();
        this.#pumpTimer = undefined;
        this.#readTimer?.cancel();
        this.#readTimer = undefined;
    }
}
