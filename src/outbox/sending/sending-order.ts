import type { Clock } from "../../clock";
import { type Priority, priorities } from "../event";
import type { EventLifecycle } from "../event-lifecycle";
import type { MemoryLimits } from "../outbox-limits";
import type { DeviceGate, GateAnswer } from "../ports";
import type { ClassQueue } from "../queue/class-queue";
import type { DeviceQueue } from "../queue/device-queue";
import type { EntryList } from "../queue/entry-list";
import type { OutboxEntry } from "../queue/outbox-entry";
import type { WaitingEvents } from "../queue/waiting-events";
import type { StoredEvents } from "../storing/stored-events";
import type { Supersession } from "../supersession";

/** Events moved aside before others have their turn. */
const movesAtOnce = 2000;
/** How far the backlog is read ahead of devices that wait to be checked, and for how long it waits for them. */
const readAheadEvents = 10_000;
const patienceMs = 1000;
/** Live events sent for one of the backlog, where both wait. */
const livePerBacklog = 4;
/** The number of events that may pass over a priority that waits: with two lower ones, each gets at least one of twenty. */
const passedOverEvents = 18;

/**
 * Chooses the event that is sent next, and asks the gate for it. What belongs to devices that may not flow is moved aside, into the lines of
 * these devices, and what has waited too long expires.
 *
 * High priority goes before normal and normal before low, but each that waits gets at least one of twenty events. Within a priority, live events
 * and the backlog take turns, 4 : 1, and within the backlog the class queue and the lines of devices.
 */
export class SendingOrder {
    readonly #options: SendingOrderOptions;
    readonly #turns: Readonly<Record<Priority, Turns>> = { high: new Turns(), normal: new Turns(), low: new Turns() };
    #moves = 0;

    constructor(options: SendingOrderOptions) {
        this.#options = options;
    }

    /** Whether a new event may be sent at once, because nothing else waits; then it need not be queued. */
    mayOvertakeNothing(entry: OutboxEntry): boolean {
        const { waiting, stored, gate, canSend } = this.#options;
        if (stored.access === "opening" || !waiting.isIdle || waiting.devices.of(entry.device)) return false;
        if (this.#options.supersession.mustWait(entry)) return false;
        return gate.ask(entry.device, entry.priority === "high") === "flow" && canSend();
    }

    /** Takes the next event, if one in memory may be sent now. */
    next(): OutboxEntry | undefined {
        if (this.#options.stored.access === "opening") return undefined;
        this.#moves = 0;
        const entry = this.#nextOverdue() ?? this.#nextOf("high") ?? this.#nextOf("normal") ?? this.#nextOf("low");
        if (entry) {
            this.#passOverOthers(entry.priority);
            return entry;
        }
        // Others have their turn before more is moved aside.
        if (this.#moves >= movesAtOnce) this.#options.pumpLater(0);
        return undefined;
    }

    /** The next event of a priority that has been passed over for long. */
    #nextOverdue(): OutboxEntry | undefined {
        for (const priority of priorities) {
            const entry = this.#turns[priority].passedOver >= passedOverEvents ? this.#nextOf(priority) : undefined;
            if (entry) return entry;
        }
        return undefined;
    }

    #passOverOthers(sent: Priority): void {
        for (const priority of priorities) {
            const turns = this.#turns[priority];
            if (priority === sent || this.#options.waiting.class(priority).isIdle) turns.passedOver = 0;
            else turns.passedOver += 1;
        }
    }

    #nextOf(priority: Priority): OutboxEntry | undefined {
        const own = this.#options.waiting.class(priority);
        if (own.isIdle) return undefined;
        const turns = this.#turns[priority];
        if (turns.liveInARow >= livePerBacklog) {
            turns.liveInARow = 0;
            return this.#nextOfBacklog(own) ?? this.#nextLive(own);
        }
        const live = this.#nextLive(own);
        if (live) turns.liveInARow += 1;
        else turns.liveInARow = 0;
        return live ?? this.#nextOfBacklog(own);
    }

    #nextOfBacklog(own: ClassQueue): OutboxEntry | undefined {
        if (own.devices.isIdle) return this.#nextInOrder(own);
        const turns = this.#turns[own.priority];
        turns.isOfDevices = !turns.isOfDevices;
        if (turns.isOfDevices) return this.#nextOfDevices(own) ?? this.#nextInOrder(own);
        return this.#nextInOrder(own) ?? this.#nextOfDevices(own);
    }

    #nextLive(own: ClassQueue): OutboxEntry | undefined {
        for (let entry = this.#firstOf(own.live); entry; entry = this.#firstOf(own.live)) {
            const result = this.#offer(entry);
            if (result !== "aside") return result;
        }
        return undefined;
    }

    #nextInOrder(own: ClassQueue): OutboxEntry | undefined {
        own.readOn();
        for (let entry = this.#firstOf(own.ready); entry && !this.#isTooFarAhead(own.priority); entry = this.#firstOf(own.ready)) {
            const result = this.#offer(entry);
            if (result !== "aside") return result;
            own.readOn();
        }
        return undefined;
    }

    /** The first of a list that need not wait to be stored. */
    #firstOf(list: EntryList): OutboxEntry | undefined {
        let entry = list.first;
        while (entry && this.#options.supersession.mustWait(entry)) entry = entry.next;
        return entry;
    }

    /** Whether the backlog waits for the lines of devices. Not for long: a check that is never answered must not stop the others. */
    #isTooFarAhead(priority: Priority): boolean {
        const turns = this.#turns[priority];
        if (turns.aheadEvents < readAheadEvents) return false;
        const waitedMs = this.#options.clock.monotonicMs() - turns.lastDeviceTurnMs;
        if (waitedMs >= patienceMs) turns.aheadEvents = 0;
        else this.#options.pumpLater(patienceMs - waitedMs);
        return waitedMs < patienceMs;
    }

    /**
     * Takes the first event of a list if it may be sent, or the live one of its device and priority, which precedes it. Otherwise it has been
     * moved aside, or nothing more may be sent.
     */
    #offer(first: OutboxEntry): OutboxEntry | "aside" | undefined {
        const { waiting } = this.#options;
        if (this.#moves >= movesAtOnce) return undefined;
        const queue = waiting.devices.for(first.device);
        const backlog = queue.backlog(first.priority);
        const live = backlog?.live;
        const entry = live && !this.#options.supersession.mustWait(live) ? live : first;
        if (this.#expire(entry)) return "aside";
        const isInStep = queue.isOpen && !backlog?.lineEvents;
        const answer = isInStep ? this.#ask(queue, entry.priority) : "wait";
        if (answer === undefined) return undefined;
        if (answer !== "wait") return this.#take(queue, entry, answer);
        waiting.park(entry);
        this.#moves += 1;
        if (!queue.isHeld) this.#turns[entry.priority].movedAside(this.#options.clock.monotonicMs());
        return "aside";
    }

    #nextOfDevices(own: ClassQueue): OutboxEntry | undefined {
        const isStoreClosed = this.#options.stored.access === "closed";
        for (let backlog = own.devices.next(); backlog && this.#moves < movesAtOnce; backlog = own.devices.next()) {
            const { queue } = backlog;
            const entry = backlog.first(isStoreClosed);
            this.#moves += 1;
            if (entry && this.#expire(entry)) continue;
            if (entry ? this.#options.supersession.mustWait(entry) : !own.devices.canRead) {
                own.devices.postpone(backlog);
                continue;
            }
            const answer = this.#ask(queue, own.priority);
            if (answer === undefined) return undefined;
            if (answer === "wait") continue;
            if (!entry) {
                own.devices.read(backlog, answer === "check" ? 1 : this.#options.memory.deviceEvents);
                continue;
            }
            this.#take(queue, entry, answer);
            this.#turns[own.priority].deviceTurnTaken(this.#options.clock.monotonicMs());
            if (queue.isOpen) own.devices.serve(backlog);
            return entry;
        }
        return undefined;
    }

    /** Asks the gate; undefined when it has found out that nothing may be sent now. */
    #ask(queue: DeviceQueue, priority: Priority): GateAnswer | undefined {
        const { gate, waiting, canSend } = this.#options;
        // Whatever the turn is for: the device has a high event that waits.
        const isHigh = priority === "high" || queue.hasHigh;
        const answer = gate.ask(queue.device, isHigh);
        if (answer === "wait") {
            queue.wait(isHigh);
            waiting.devices.askHeld(queue);
            waiting.stop(queue);
            return answer;
        }
        queue.enlist(answer === "check");
        // The question may have led to the end of the connection: what is handed to it now would never be sent.
        return canSend() && queue.isOpen ? answer : undefined;
    }

    #take(queue: DeviceQueue, entry: OutboxEntry, answer: GateAnswer): OutboxEntry {
        const { waiting } = this.#options;
        if (answer === "check") queue.startCheck(entry);
        waiting.remove(entry);
        if (answer === "check") waiting.stop(queue);
        return entry;
    }

    #expire(entry: OutboxEntry): boolean {
        const nowMs = this.#options.now();
        if (entry.expiresAt > nowMs) return false;
        this.#options.lifecycle.expire(entry, nowMs - entry.createdAt);
        return true;
    }
}

/** Whose turn it is within one priority, and for how long it has had none. */
class Turns {
    /** Live events sent since the last one of the backlog. */
    liveInARow = 0;
    isOfDevices = false;
    /** Events of other priorities sent since the last one of this, which waits. */
    passedOver = 0;
    /** Events that were moved aside for devices that are not held, and are not sent yet. */
    aheadEvents = 0;
    /** When one of them was sent last, or when they became too many (monotonic). */
    lastDeviceTurnMs = 0;

    movedAside(nowMs: number): void {
        this.aheadEvents += 1;
        if (this.aheadEvents === readAheadEvents) this.lastDeviceTurnMs = nowMs;
    }

    deviceTurnTaken(nowMs: number): void {
        this.aheadEvents = Math.max(this.aheadEvents - 1, 0);
        this.lastDeviceTurnMs = nowMs;
    }
}

/** What decides the order of sending. */
export interface SendingOrderOptions {
    readonly clock: Clock;
    readonly waiting: WaitingEvents;
    readonly supersession: Supersession;
    readonly stored: StoredEvents;
    readonly memory: MemoryLimits;
    readonly gate: DeviceGate;
    readonly lifecycle: EventLifecycle;
    /** Milliseconds of the clock by which events age. */
    now(): number;
    /** Whether an event can be handed to the connection now. */
    canSend(): boolean;
    /** Asks again after this time. */
    pumpLater(delayMs: number): void;
}
