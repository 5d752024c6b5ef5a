import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { type NewEvent, type Priority, priorities } from "./event";
import type { EventLifecycle } from "./event-lifecycle";
import type { Eviction } from "./eviction";
import type { ExpirySweep } from "./expiry-sweep";
import { heldShare, isBeyond, type MemoryLimits, type OutboxLimits, overheadBytes, shareOf } from "./outbox-limits";
import type { DeviceGate } from "./ports";
import type { WaitingEvents } from "./queue/waiting-events";
import type { Dispatcher } from "./sending/dispatcher";
import type { GroupWriter } from "./storing/group-writer";
import { type FreedRoom, noRoom } from "./supersession";

/** The rules by which a new event is taken or rejected, and by which old ones make room for it. */
export class Admission {
    readonly #options: AdmissionOptions;
    #isClosed = false;

    constructor(options: AdmissionOptions) {
        this.#options = options;
    }

    /** Takes nothing more. */
    close(): void {
        this.#isClosed = true;
    }

    /** Whether a sender can be called back later: where nothing is durable, a limited number can wait. */
    get canWait(): boolean {
        const { storesEvents, lifecycle, memory } = this.#options;
        return storesEvents || lifecycle.waitingCompletions < memory.waitingCompletions;
    }

    /** Whether the store cannot be used now: events are kept in memory only. */
    get isStoreFailing(): boolean {
        const { storesEvents, writer } = this.#options;
        const { access } = writer.stored;
        return storesEvents && (access === "interrupted" || access === "closed" || writer.isFailing);
    }

    /**
     * Why the event is not taken; undefined when it is. Makes room for it first, where the oldest are to give way and it may. `freed` is what it
     * supersedes.
     */
    admit(event: NewEvent, freed: FreedRoom, mayMakeRoom = true): GatewayError | undefined {
        const { limits, memory, lifecycle, dispatcher } = this.#options;
        if (this.#isClosed) return new GatewayError("GW_NOT_CONNECTED", translate("outbox.stopping"));
        if (!limits.acceptsOffline && !dispatcher.isOnline) {
            return new GatewayError("GW_NOT_CONNECTED", translate("outbox.off"));
        }
        if (event.completionMode === "acknowledged" && lifecycle.waitingCompletions >= this.#maxWaiting(event)) {
            return full(translate("outbox.fullOfWaiting", { maxWaiting: this.#maxWaiting(event) }));
        }
        if (this.#isOneDeviceTooMany(event.device)) {
            return full(translate("outbox.fullOfDevices", { device: event.device, maxDevices: memory.waitingDevices }));
        }
        const rejection = this.#rejectionOfHeld(event, freed);
        if (rejection || this.#fits(event, freed)) return rejection;
        return mayMakeRoom ? this.#makeRoom(event) : this.#fullError(event.bytes);
    }

    /** Events came into memory, or from an earlier run: the oldest beyond the limits give way, where they are to. */
    trim(): void {
        if (this.#options.limits.whenFull === "drop-oldest") this.#trim(0, 0, "high");
    }

    /** Devices that nobody has heard of, such as times of day as ids, may not fill the memory. */
    #isOneDeviceTooMany(device: string): boolean {
        const { waiting, gate, memory } = this.#options;
        const { devices } = waiting;
        return devices.size >= memory.waitingDevices && !devices.of(device) && !gate.isKnown(device);
    }

    /** Held devices together may use a part of the outbox only, so that they cannot stop the others. */
    #rejectionOfHeld({ device, bytes }: NewEvent, freed: FreedRoom): GatewayError | undefined {
        const { waiting, limits, gate } = this.#options;
        const { devices } = waiting;
        const queue = devices.of(device);
        if (queue) devices.askHeld(queue);
        if (devices.heldBytes + bytes - freed.bytes <= limits.maxBytes * heldShare || !gate.isHeld(device)) return undefined;
        return full(translate("outbox.fullOfHeld", { device, maxMegabytes: megabytes(limits.maxBytes) }));
    }

    #makeRoom(event: NewEvent): GatewayError | undefined {
        const { limits, sweep } = this.#options;
        const { bytes, priority = "normal" } = event;
        while (sweep.expireInMemory()) if (this.#fits(event)) return undefined;
        let isReading = false;
        if (limits.whenFull === "drop-oldest" && this.#canMakeRoom(priority, bytes)) {
            isReading = this.#trim(1, bytes, priority) === "reading";
            this.#trimUnsaved(bytes, priority);
        }
        if (this.#isUnsavedOver(bytes, priority)) return full(translate("outbox.fullOfUnsaved"));
        // What is about to be read from disk and dropped makes room soon.
        return isReading || !this.#isOver(1, bytes, priority) ? undefined : this.#fullError(bytes);
    }

    /** Whether an event would fit if all those gave way that may. Otherwise none does: it would be in vain. */
    #canMakeRoom(priority: Priority, bytes: number): boolean {
        const { lifecycle, limits, storesEvents } = this.#options;
        let events = 1;
        let total = bytes;
        for (const above of priorities.slice(0, priorities.indexOf(priority))) {
            events += lifecycle.classes[above].events;
            total += lifecycle.classes[above].bytes;
        }
        return !isBeyond(limits, storesEvents, events, total, shareOf(priority, limits));
    }

    /** Drops the oldest events of the lowest priority, not above this one, until so much more of this one fits. */
    #trim(events: number, bytes: number, priority: Priority): "reading" | "done" {
        while (this.#isOver(events, bytes, priority)) {
            const dropped = this.#options.eviction.dropOldest(priority);
            if (dropped === "reading") return "reading";
            if (dropped === "none") break;
        }
        return "done";
    }

    /** While the store cannot be written, the oldest events in memory give way to new ones. */
    #trimUnsaved(bytes: number, priority: Priority): void {
        const { eviction, waiting } = this.#options;
        while (this.isStoreFailing && this.#isUnsavedOver(bytes, priority) && eviction.dropUnsaved(priority)) waiting.refill();
    }

    #fits({ bytes, priority = "normal" }: NewEvent, freed = noRoom): boolean {
        return !this.#isOver(1 - freed.events, bytes - freed.bytes, priority) && !this.#isUnsavedOver(bytes, priority);
    }

    #isUnsavedOver(bytes: number, priority: Priority): boolean {
        const { storesEvents, waiting, writer, lifecycle, memory, limits } = this.#options;
        const share = shareOf(priority, limits);
        const { use } = waiting;
        const { atHand } = writer.stored;
        const events = use.events + atHand.events + lifecycle.supersededSenders;
        return storesEvents && (events >= memory.unsavedEvents * share || use.bytes + atHand.bytes + bytes > memory.unsavedBytes * share);
    }

    #isOver(events: number, bytes: number, priority: Priority): boolean {
        const { lifecycle, limits, storesEvents } = this.#options;
        return isBeyond(limits, storesEvents, lifecycle.events + events, lifecycle.bytes + bytes, shareOf(priority, limits));
    }

    /** Senders of events of a priority that may wait for an acknowledgement, besides those of other events. */
    #maxWaiting({ priority = "normal" }: NewEvent): number {
        const { memory, limits } = this.#options;
        return Math.ceil(memory.waitingCompletions * shareOf(priority, limits));
    }

    #fullError(bytes: number): GatewayError {
        const { lifecycle, limits, storesEvents } = this.#options;
        const { events } = lifecycle;
        const heldMegabytes = megabytes(lifecycle.bytes);
        const maxMegabytes = megabytes(limits.maxBytes);
        if (!this.#isOver(1, bytes, "high")) {
            const percent = limits.reservedShare * 100;
            return full(translate("outbox.fullButReserve", { heldMegabytes, maxMegabytes, events, percent }));
        }
        if (storesEvents) return full(translate("outbox.full", { heldMegabytes, maxMegabytes, events }));
        return full(translate("outbox.fullInMemory", { heldMegabytes, maxMegabytes, events, overheadBytes }));
    }
}

function full(text: string): GatewayError {
    return new GatewayError("GW_OUTBOX_FULL", text);
}

/** In the unit of the setting, so that its value can be recognised. */
function megabytes(bytes: number): number {
    return Number((bytes / 1_048_576).toFixed(2));
}

/** What admission depends on. */
export interface AdmissionOptions {
    readonly limits: OutboxLimits;
    readonly memory: MemoryLimits;
    readonly storesEvents: boolean;
    readonly gate: DeviceGate;
    readonly lifecycle: EventLifecycle;
    readonly writer: GroupWriter;
    readonly waiting: WaitingEvents;
    readonly dispatcher: Dispatcher;
    readonly eviction: Eviction;
    readonly sweep: ExpirySweep;
}
