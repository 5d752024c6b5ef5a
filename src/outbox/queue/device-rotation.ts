import type { OutboxEvent, Priority } from "../event";
import type { MemoryLimits } from "../outbox-limits";
import type { StoredEvents } from "../storing/stored-events";
import type { DeviceBacklog } from "./device-queue";
import type { MemoryUse } from "./entry-list";

/** Devices whose events are being read, or have been and are in memory. */
const devicesInMemory = 8;

/**
 * The lines of devices that may be asked for, each of which gets its turn. What must be read is read after the gate has been asked: one event
 * for a check, some for a device that flows, and of a few devices at a time.
 */
export class DeviceRotation {
    readonly #priority: Priority;
    readonly #options: ClassQueueOptions;
    /** Lines whose turn will come, in that order. */
    readonly #awake = new Set<DeviceBacklog>();
    /** Lines that must be read, and wait until others have been. */
    readonly #postponed = new Set<DeviceBacklog>();
    /** Lines that are being read, with the numbers of the reads. */
    readonly #reading = new Map<DeviceBacklog, number>();
    /** Lines that have been read; they get every other turn until what was read is gone. */
    readonly #read = new Set<DeviceBacklog>();
    #isTurnOfRead = false;

    constructor(priority: Priority, options: ClassQueueOptions) {
        this.#priority = priority;
        this.#options = options;
    }

    /** Whether no line waits for its turn. */
    get isIdle(): boolean {
        return this.#awake.size === 0 && this.#postponed.size === 0 && this.#reading.size === 0 && this.#read.size === 0;
    }

    /** Whether one more line can be read now. */
    get canRead(): boolean {
        return this.#options.stored.access === "open" && this.#reading.size + this.#read.size < devicesInMemory;
    }

    /** The device may be asked for: its line gets a turn. */
    wake(backlog: DeviceBacklog): void {
        if (backlog.lineEvents === 0 || this.#reading.has(backlog) || this.#read.has(backlog)) return;
        this.#postponed.delete(backlog);
        this.#awake.add(backlog);
    }

    /** The line gets no more turns. */
    stop(backlog: DeviceBacklog): void {
        this.#awake.delete(backlog);
        this.#postponed.delete(backlog);
        if (this.#read.delete(backlog)) this.#wakePostponed();
    }

    /** The line whose turn it is; `serve`, `postpone`, `read` or `stop` says what came of it. */
    next(): DeviceBacklog | undefined {
        this.#isTurnOfRead = !this.#isTurnOfRead;
        const [first, second] = this.#isTurnOfRead ? [this.#read, this.#awake] : [this.#awake, this.#read];
        return first.values().next().value ?? second.values().next().value;
    }

    /** An event of the line is sent: the next turn is behind the others. */
    serve(backlog: DeviceBacklog): void {
        const isRead = this.#read.has(backlog) && backlog.isFirstRead;
        this.stop(backlog);
        if (backlog.lineEvents > 0) (isRead ? this.#read : this.#awake).add(backlog);
    }

    /** The line must be read, when others have been. */
    postpone(backlog: DeviceBacklog): void {
        this.stop(backlog);
        this.#postponed.add(backlog);
    }

    /** Reads the first events of a line; `canRead` must be true. */
    read(backlog: DeviceBacklog, maxEvents: number): void {
        const { stored, memory } = this.#options;
        const { after, upTo, queue } = backlog;
        this.stop(backlog);
        const readNumber = backlog.startReading();
        this.#reading.set(backlog, readNumber);
        const range = { priority: this.#priority, device: queue.device, after, upTo, maxEvents, maxBytes: memory.batchBytes };
        stored.read(range, (error, { events, isComplete }) => {
            if (this.#reading.get(backlog) !== readNumber) return;
            this.#reading.delete(backlog);
            if (!error) this.#load(backlog, events);
            if (!error) backlog.endReading(readNumber, isComplete ? upTo : (events.at(-1)?.seq ?? upTo));
            if (backlog.lineEvents > 0 && queue.isOpen) (error ? this.#postponed : this.#read).add(backlog);
            else this.#wakePostponed();
            this.#options.readEnded(error !== undefined);
        });
    }

    /** Whatever is being read is to be read once more. */
    readAgain(): void {
        for (const backlog of this.#reading.keys()) if (backlog.queue.isOpen) this.#postponed.add(backlog);
        this.#reading.clear();
        this.retry();
    }

    /** What had to wait for the store gets its turn again. */
    retry(): void {
        for (const backlog of this.#postponed) this.wake(backlog);
    }

    #load(backlog: DeviceBacklog, events: readonly OutboxEvent[]): void {
        const { stored } = this.#options;
        for (const event of events) {
            if (backlog.isOfLine(event.seq) && stored.isOnlyStored(event.seq)) backlog.load(stored.load(event));
        }
    }

    #wakePostponed(): void {
        const first = this.#postponed.values().next().value;
        if (first) this.wake(first);
    }
}

/** What the queues of all priorities have in common. */
export interface ClassQueueOptions {
    readonly memory: MemoryLimits;
    readonly stored: StoredEvents;
    /** Whether events are stored, so that they can leave memory. */
    readonly storesEvents: boolean;
    /** What is in memory besides what is ready to be sent. */
    readonly use: MemoryUse;
    /** Whether a stored event stands in the line of its device. */
    isOfLine(event: OutboxEvent): boolean;
    /** Events have come into memory, or could not be read. */
    readEnded(isFailed: boolean): void;
}
