import type { Clock } from "../clock";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import type { NewEvent } from "./event";
import type { EventLifecycle } from "./event-lifecycle";
import { heldShare, isBeyond, type MemoryLimits, type OutboxLimits, overheadBytes } from "./outbox-limits";
import type { SpillContext } from "./queue/spill-queue";
import type { WaitingEvents } from "./queue/waiting-events";
import type { Dispatcher } from "./sending/dispatcher";
import type { GroupWriter } from "./storing/group-writer";

/** What admission depends on. */
export interface AdmissionOptions {
    readonly clock: Clock;
    readonly limits: OutboxLimits;
    readonly memory: MemoryLimits;
    readonly context: SpillContext;
    readonly lifecycle: EventLifecycle;
    readonly writer: GroupWriter;
    readonly waiting: WaitingEvents;
    readonly dispatcher: Dispatcher;
}

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

    /** Whether a sender can be told later what becomes of its event: where nothing is durable, only so many can wait. */
    get canWait(): boolean {
        const { context, lifecycle, memory } = this.#options;
        return context.store.isDurable || lifecycle.waitingCompletions < memory.waitingCompletions;
    }

    /** Whether the store cannot be used now: events are kept in memory only. */
    get isStoreFailing(): boolean {
        const { context, writer } = this.#options;
        return context.access === "interrupted" || context.access === "closed" || writer.isFailing;
    }

    /** Why the event is not taken; undefined when it is. Makes room for it first, where the oldest are to give way. */
    admit(event: NewEvent): GatewayError | undefined {
        const { limits, memory, lifecycle, dispatcher, waiting, context } = this.#options;
        if (this.#isClosed) return new GatewayError("GW_NOT_CONNECTED", translate("outbox.stopping"));
        if (!limits.acceptsOffline && !dispatcher.isOnline) {
            return new GatewayError("GW_NOT_CONNECTED", translate("outbox.off"));
        }
        if (event.completionMode === "acknowledged" && lifecycle.waitingCompletions >= memory.waitingCompletions) {
            return full(translate("outbox.fullOfWaiting", { maxWaiting: memory.waitingCompletions }));
        }
        const { deviceQueues } = waiting;
        if (deviceQueues.of(event.device)?.isHeld && deviceQueues.held.bytes + event.bytes > limits.maxBytes * heldShare)
            return full(translate("outbox.fullOfHeld", { device: event.device, maxMegabytes: megabytes(limits.maxBytes) }));
        // Nothing gives way to an event that would not even fit alone.
        const givesWay = limits.whenFull === "drop-oldest" && event.bytes <= limits.maxBytes;
        if (givesWay) {
            this.#trim(1, event.bytes);
            this.#trimUnsaved(event.bytes);
        }
        if (this.#isUnsavedOver(event.bytes)) {
            return full(translate("outbox.fullOfUnsaved"));
        }
        if (!this.#isOver(1, event.bytes)) return undefined;
        // What is about to be read from disk and dropped makes room soon.
        if (givesWay && waiting.oldest().isLoading) return undefined;
        const { events } = lifecycle;
        const heldMegabytes = megabytes(lifecycle.bytes);
        const maxMegabytes = megabytes(limits.maxBytes);
        if (context.store.isDurable) return full(translate("outbox.full", { heldMegabytes, maxMegabytes, events }));
        return full(translate("outbox.fullInMemory", { heldMegabytes, maxMegabytes, events, overheadBytes }));
    }

    /** Events came into memory, or from an earlier run: the oldest beyond the limits give way, where they are to. */
    trim(): void {
        if (this.#options.limits.whenFull === "drop-oldest") this.#trim(0, 0);
    }

    /** Drops the oldest events until so much more fits, as far as they are in memory. */
    #trim(events: number, bytes: number): void {
        while (this.#isOver(events, bytes) && this.#dropOldest());
    }

    /** While the store cannot be written, the oldest events in memory give way to new ones. */
    #trimUnsaved(bytes: number): void {
        while (this.isStoreFailing && this.#isUnsavedOver(bytes) && this.#dropOldest()) this.#options.waiting.main.fill();
    }

    #dropOldest(): boolean {
        const { waiting, lifecycle, clock } = this.#options;
        const { entry } = waiting.oldest();
        if (entry) lifecycle.drop(entry, clock.monotonicMs());
        return entry !== undefined;
    }

    #isUnsavedOver(bytes: number): boolean {
        const { context, memory } = this.#options;
        return context.unsaved.events >= memory.unsavedEvents || context.unsaved.bytes + bytes > memory.unsavedBytes;
    }

    #isOver(events: number, bytes: number): boolean {
        const { lifecycle, limits, context } = this.#options;
        return isBeyond(limits, context.store.isDurable, lifecycle.events + events, lifecycle.bytes + bytes);
    }
}

function full(text: string): GatewayError {
    return new GatewayError("GW_OUTBOX_FULL", text);
}

/** In the unit of the setting, so that its value can be recognised. */
function megabytes(bytes: number): number {
    return Number((bytes / 1_048_576).toFixed(2));
}
