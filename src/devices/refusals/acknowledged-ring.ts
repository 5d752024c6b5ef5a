import type { Clock, Timer } from "../../clock";
import type { EventLoopStalls } from "./event-loop-stalls";

/** The platform shows within this time that it has dropped what it acknowledged. */
export const doubtMs = 250;
/** Events are let go in groups, so that a busy link does not set a timer for each. */
const groupMs = 25;
const maxEvents = 2_000;
const maxBytes = 8 * 1024 * 1024;

/**
 * Keeps acknowledged events for the time in which the platform may still show that it dropped them, so that they can be sent
 * again. Those of suspects stay until their case is decided. Bounded: what does not fit is let go, of suspects the oldest first.
 */
export class AcknowledgedRing<T extends { settled(): void }> {
    readonly #clock: Clock;
    readonly #stalls: EventLoopStalls;
    /** By their numbers, in the order of their acknowledgements. */
    readonly #events = new Map<number, AcknowledgedEvent<T>>();
    readonly #suspects = new Set<string>();
    #bytes = 0;
    #timer: Timer | undefined;
    #isClosed = false;

    constructor(clock: Clock, stalls: EventLoopStalls) {
        this.#clock = clock;
        this.#stalls = stalls;
    }

    /** The platform has acknowledged an event. */
    add(event: AcknowledgedEvent<T>): void {
        while (this.#isFullFor(event) && this.#dropOldestSuspect());
        if (this.#isClosed || this.#isFullFor(event)) {
            event.transmission.settled();
            return;
        }
        this.#events.set(event.number, event);
        this.#bytes += event.bytes;
        this.#timer ??= this.#clock.setTimer(doubtMs, () => this.#look());
    }

    /** Something of these devices may have been dropped: their events stay. */
    suspect(devices: Iterable<string>): void {
        for (const device of devices) this.#suspects.add(device);
    }

    /** Nothing of the device was dropped. */
    clear(device: string): void {
        this.#suspects.delete(device);
    }

    /** Gives up the events of the device that were acknowledged since a time, which are sent again; returns their numbers. */
    take(device: string, sinceMs: number): Set<number> {
        this.#suspects.delete(device);
        const taken = new Set<number>();
        for (const event of this.#events.values()) {
            if (event.device !== device) continue;
            if (event.acknowledgedMs >= sinceMs) {
                this.#remove(event);
                taken.add(event.number);
            } else {
                this.#letGo(event);
            }
        }
        return taken;
    }

    /** Lets go of the event with this number, which will not be sent again. */
    settle(number: number): void {
        const event = this.#events.get(number);
        if (event) this.#letGo(event);
    }

    /** Gives up the event with this number, which has been refused for good; undefined when it is not kept. */
    takeOne(number: number): AcknowledgedEvent<T> | undefined {
        const event = this.#events.get(number);
        if (event) this.#remove(event);
        return event;
    }

    /** The connection has ended, so no sign comes any more: lets go of everything but what belongs to suspects. */
    linkDown(): void {
        for (const event of this.#events.values()) if (!this.#suspects.has(event.device)) this.#letGo(event);
    }

    /** The same, and keeps nothing any more. */
    close(): void {
        this.#isClosed = true;
        this.linkDown();
        this.#timer?.cancel();
        this.#timer = undefined;
    }

    #look(): void {
        const nowMs = this.#clock.monotonicMs();
        const startMs = this.#stalls.startOf(doubtMs, nowMs);
        this.#timer = undefined;
        let nextMs = nowMs + doubtMs;
        for (const event of this.#events.values()) {
            if (event.acknowledgedMs > startMs) {
                nextMs = event.acknowledgedMs + doubtMs;
                break;
            }
            if (!this.#suspects.has(event.device)) this.#letGo(event);
        }
        if (this.#events.size > 0) this.#timer = this.#clock.setTimer(Math.max(nextMs - nowMs, groupMs), () => this.#look());
    }

    #isFullFor({ bytes }: AcknowledgedEvent<T>): boolean {
        return this.#events.size >= maxEvents || this.#bytes + bytes > maxBytes;
    }

    #dropOldestSuspect(): boolean {
        if (this.#suspects.size === 0) return false;
        for (const event of this.#events.values()) {
            if (!this.#suspects.has(event.device)) continue;
            this.#letGo(event);
            return true;
        }
        return false;
    }

    #letGo(event: AcknowledgedEvent<T>): void {
        this.#remove(event);
        event.transmission.settled();
    }

    #remove({ number, bytes }: AcknowledgedEvent<T>): void {
        this.#events.delete(number);
        this.#bytes -= bytes;
    }
}

/** An event that the platform has acknowledged. */
export interface AcknowledgedEvent<T> {
    /** Its number among the recent publishes. */
    readonly number: number;
    readonly device: string;
    readonly bytes: number;
    /** Monotonic milliseconds. */
    readonly acknowledgedMs: number;
    /** Its sending: `settled` lets go of it. */
    readonly transmission: T;
}
