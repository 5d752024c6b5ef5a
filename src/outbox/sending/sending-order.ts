import type { EventLifecycle } from "../event-lifecycle";
import type { DeviceGate } from "../ports";
import type { OutboxEntry } from "../queue/outbox-entry";
import type { WaitingEvents } from "../queue/waiting-events";

/** What decides the order of sending. */
export interface SendingOrderOptions {
    readonly waiting: WaitingEvents;
    readonly gate: DeviceGate;
    readonly lifecycle: EventLifecycle;
    /** Wall-clock milliseconds, corrected for jumps. */
    now(): number;
    /** Many events were moved aside without one to send: ask again after others have had their turn. */
    interrupted(): void;
}

/** Events moved aside before others have their turn. */
const movesAtOnce = 2000;

/**
 * Chooses the event that is sent next: the main queue and the awake device queues take turns. Moves the events of devices that may not
 * flow aside, into device queues, and expires what has waited too long.
 */
export class SendingOrder {
    readonly #options: SendingOrderOptions;
    #isDeviceTurn = false;

    constructor(options: SendingOrderOptions) {
        this.#options = options;
    }

    /** Takes the next event, if one in memory may be sent now. */
    next(): OutboxEntry | undefined {
        if (!this.#options.waiting.deviceQueues.isAnyAwake) return this.#nextOfMain();
        this.#isDeviceTurn = !this.#isDeviceTurn;
        if (this.#isDeviceTurn) return this.#nextOfDeviceQueues() ?? this.#nextOfMain();
        return this.#nextOfMain() ?? this.#nextOfDeviceQueues();
    }

    #nextOfMain(): OutboxEntry | undefined {
        const { gate, interrupted } = this.#options;
        let nowMs: number | undefined;
        const { main, deviceQueues } = this.#options.waiting;
        for (let moves = 0; moves < movesAtOnce; moves++) {
            if (!main.peek()) return undefined;
            // Asked only when there is an event: after each acknowledgement there is usually none (about 1 % of an event's CPU time, by the profile).
            // And before it is taken out: when the clock was set, the times of what is in the queue are corrected now.
            nowMs ??= this.#options.now();
            const entry = main.shift();
            if (!entry) return undefined;
            if (this.#expire(entry, nowMs)) continue;
            const known = deviceQueues.of(entry.device);
            if (known) {
                known.take(entry);
                continue;
            }
            const answer = gate.ask(entry.device, false);
            if (answer === "flow") return entry;
            if (answer === "check") {
                const deviceQueue = deviceQueues.create(entry.device, entry.seq + 1);
                deviceQueue.attach(entry);
                return deviceQueues.startRegistration(deviceQueue, entry);
            }
            const deviceQueue = deviceQueues.create(entry.device, entry.seq);
            deviceQueue.take(entry);
            deviceQueue.isHeld = gate.isHeld(entry.device);
        }
        interrupted();
        return undefined;
    }

    #nextOfDeviceQueues(): OutboxEntry | undefined {
        const { gate } = this.#options;
        const { deviceQueues } = this.#options.waiting;
        const nowMs = this.#options.now();
        for (let deviceQueue = deviceQueues.firstAwake(); deviceQueue; deviceQueue = deviceQueues.firstAwake()) {
            const entry = deviceQueue.events.peek();
            deviceQueues.endTurn(deviceQueue);
            if (!entry) {
                deviceQueues.removeIfEmpty(deviceQueue);
                continue;
            }
            if (entry.expiresAt <= nowMs) {
                deviceQueue.events.shift();
                this.#expire(entry, nowMs);
                deviceQueues.queueUp(deviceQueue);
                continue;
            }
            const answer = gate.ask(deviceQueue.device, false);
            if (answer === "check") {
                deviceQueue.events.shift();
                return deviceQueues.startRegistration(deviceQueue, entry);
            }
            if (answer === "flow") {
                deviceQueue.events.shift();
                deviceQueue.isHeld = false;
                deviceQueues.queueUp(deviceQueue);
                deviceQueues.removeIfEmpty(deviceQueue);
                return entry;
            }
            deviceQueue.state = "parked";
            if (gate.isHeld(deviceQueue.device)) deviceQueue.isHeld = true;
        }
        return undefined;
    }

    #expire(entry: OutboxEntry, nowMs: number): boolean {
        if (entry.expiresAt > nowMs) return false;
        this.#options.lifecycle.expire(entry, nowMs - entry.createdAt);
        return true;
    }
}
