import type { Ledger } from "../event-lifecycle";
import type { DeviceGate } from "../ports";
import type { Entry } from "../queue/outbox-entry";
import type { WaitingEvents } from "../queue/waiting-events";

/** What decides the order of sending. */
export interface SendingOrderOptions {
    readonly waiting: WaitingEvents;
    readonly gate: DeviceGate;
    readonly ledger: Ledger;
    /** Wall-clock milliseconds, corrected for jumps. */
    now(): number;
    /** Many events were moved aside without one to send: ask again after others have had their turn. */
    interrupted(): void;
}

/** Events moved aside before others have their turn. */
const movesAtOnce = 2000;

/**
 * Chooses the event that is sent next: the main queue and the lanes that are awake take turns. Moves the events of devices that may not
 * flow aside, into lanes, and expires what has waited too long.
 */
export class SendingOrder {
    readonly #options: SendingOrderOptions;
    #isLaneTurn = false;

    constructor(options: SendingOrderOptions) {
        this.#options = options;
    }

    /** Takes the next event, if one in memory may be sent now. */
    next(): Entry | undefined {
        if (!this.#options.waiting.lanes.isAnyAwake) return this.#nextOfMain();
        this.#isLaneTurn = !this.#isLaneTurn;
        if (this.#isLaneTurn) return this.#nextOfLanes() ?? this.#nextOfMain();
        return this.#nextOfMain() ?? this.#nextOfLanes();
    }

    #nextOfMain(): Entry | undefined {
        const { gate, interrupted } = this.#options;
        let nowMs: number | undefined;
        const { main, lanes } = this.#options.waiting;
        for (let moves = 0; moves < movesAtOnce; moves++) {
            if (!main.peek()) return undefined;
            // Asked only when there is an event: after each acknowledgement there is usually none (about 1 % of an event's CPU time, by the profile).
            // And before it is taken out: when the clock was set, the times of what is in the queue are corrected now.
            nowMs ??= this.#options.now();
            const entry = main.shift();
            if (!entry) return undefined;
            if (this.#expire(entry, nowMs)) continue;
            const known = lanes.of(entry.device);
            if (known) {
                known.take(entry);
                continue;
            }
            const answer = gate.ask(entry.device);
            if (answer === "flow") return entry;
            if (answer === "contact") {
                const lane = lanes.create(entry.device, entry.seq + 1);
                lane.adopt(entry);
                return lanes.startContact(lane, entry);
            }
            const lane = lanes.create(entry.device, entry.seq);
            lane.take(entry);
            lane.isHeld = answer === "hold";
        }
        interrupted();
        return undefined;
    }

    #nextOfLanes(): Entry | undefined {
        const { lanes } = this.#options.waiting;
        const nowMs = this.#options.now();
        for (let lane = lanes.firstAwake(); lane; lane = lanes.firstAwake()) {
            const entry = lane.queue.peek();
            lanes.endTurn(lane);
            if (!entry) {
                lanes.removeIfEmpty(lane);
                continue;
            }
            if (entry.expiresAt <= nowMs) {
                lane.queue.shift();
                this.#expire(entry, nowMs);
                lanes.queueUp(lane);
                continue;
            }
            const answer = this.#options.gate.ask(lane.device);
            if (answer === "contact") {
                lane.queue.shift();
                return lanes.startContact(lane, entry);
            }
            if (answer === "flow") {
                lane.queue.shift();
                lane.isHeld = false;
                lanes.queueUp(lane);
                lanes.removeIfEmpty(lane);
                return entry;
            }
            lane.state = "parked";
            if (answer === "hold") lane.isHeld = true;
        }
        return undefined;
    }

    #expire(entry: Entry, nowMs: number): boolean {
        if (entry.expiresAt > nowMs) return false;
        this.#options.ledger.expire(entry, nowMs - entry.createdAt);
        return true;
    }
}
