import { type OutboxEvent, type Priority, priorities } from "../event";
import type { MemoryLimits } from "../outbox-limits";
import type { DeviceGate } from "../ports";
import type { DeviceTotal } from "../store/store";
import type { StoredEvents } from "../storing/stored-events";
import type { UnsavedEvents } from "../storing/unsaved-events";
import { ClassQueue } from "./class-queue";
import type { DeviceBacklog, DeviceQueue } from "./device-queue";
import { DeviceQueues } from "./device-queues";
import { MemoryUse } from "./entry-list";
import type { QueuedEvent } from "./latest-index";
import { OutboxEntry } from "./outbox-entry";

/**
 * The events that are to be sent, in memory and in the store: a queue for each priority, and what each device has of it. What is in flight,
 * or acknowledged, is not among them.
 */
export class WaitingEvents {
    readonly devices: DeviceQueues;
    /** What is in memory besides what is ready to be sent: it waits to be stored, or belongs to devices that wait. */
    readonly use = new MemoryUse();
    readonly #options: WaitingEventsOptions;
    readonly #classes: Readonly<Record<Priority, ClassQueue>>;
    /** Whether events have been sent although older ones of their devices could not be read, so that these may have lower numbers. */
    #isOutOfOrder = false;

    constructor(options: WaitingEventsOptions) {
        const { gate, memory, stored, storesEvents, readEnded } = options;
        this.#options = options;
        this.devices = new DeviceQueues(gate);
        const isOfLine = ({ device, priority, seq }: OutboxEvent) => this.devices.of(device)?.backlog(priority)?.isOfLine(seq) ?? false;
        const common = { memory, stored, storesEvents, use: this.use, isOfLine, readEnded };
        this.#classes = {
            high: new ClassQueue("high", common),
            normal: new ClassQueue("normal", common),
            low: new ClassQueue("low", common),
        };
    }

    /** Whether nothing waits that could be sent. */
    get isIdle(): boolean {
        const { high, normal, low } = this.#classes;
        return normal.isIdle && high.isIdle && low.isIdle;
    }

    /** Whether some events are not in memory. */
    get isSomeOnlyStored(): boolean {
        return priorities.some((priority) => this.#classes[priority].isSomeOnlyStored);
    }

    /** Whether some device has a line. */
    get hasLines(): boolean {
        return priorities.some((priority) => this.#classes[priority].lines.events > 0);
    }

    class(priority: Priority): ClassQueue {
        return this.#classes[priority];
    }

    /** Adds a new event behind all others of its device and priority. */
    push(entry: OutboxEntry, isOnline: boolean): void {
        const { stored } = this.#options;
        const queue = this.devices.for(entry.device);
        const backlog = queue.backlogFor(entry.priority, this.#classes[entry.priority].lines);
        const isInClassQueue = backlog.events > backlog.lineEvents;
        const isFirst = backlog.events === 0;
        this.devices.count(backlog, 1, entry.bytes);
        const own = this.#classes[entry.priority];
        if (!isInClassQueue && (backlog.lineEvents > 0 || !queue.isOpen)) this.#joinLine(backlog, entry);
        else if (isFirst && isOnline && own.hasRoom && stored.access !== "opening") {
            backlog.setLive(entry);
            own.live.push(entry);
        } else own.push(entry);
        if (entry.list !== own.live && entry.list !== own.ready) this.#options.unsaved.storeNow(entry);
        if (isFirst) this.devices.askHeld(queue);
    }

    /** An event that was taken out of a queue may not be sent now: it waits in the line of its device. */
    park(entry: OutboxEntry): void {
        const backlog = this.#backlogFor(entry.device, entry.priority);
        this.#takeOut(backlog, entry);
        this.#joinLine(backlog, entry);
    }

    /** Events that were sent come before all others of their devices. */
    giveBack(entries: Iterable<OutboxEntry>): void {
        const returned: OutboxEntry[] = [];
        for (const entry of entries) {
            entry.list?.remove(entry);
            entry.returned();
            this.#options.unsaved.returned(entry);
            const queue = this.devices.for(entry.device);
            const backlog = queue.backlogFor(entry.priority, this.#classes[entry.priority].lines);
            this.devices.count(backlog, 1, entry.bytes);
            if (backlog.lineEvents > 0 || !queue.isOpen) {
                this.#joinLine(backlog, entry);
                if (this.#isOutOfOrder) this.#joinAll(backlog);
            } else {
                returned.push(entry);
                this.devices.update(queue);
            }
        }
        for (const priority of priorities) {
            const ofClass = returned.filter((entry) => entry.priority === priority);
            if (ofClass.length === 0) continue;
            // What is live may not overtake what was sent before.
            const live = [...this.#classes[priority].live];
            for (const entry of live) this.#takeOut(this.#backlogFor(entry.device, priority), entry);
            this.#classes[priority].giveBack([...ofClass, ...live]);
        }
    }

    /** A waiting event is sent or finished: it leaves its queue. */
    remove(event: QueuedEvent): void {
        const backlog = this.#backlogFor(event.device, event.priority);
        this.#leave(backlog, event);
        this.devices.update(backlog.queue);
        if (this.devices.size === 0) this.#isOutOfOrder = false;
    }

    /** A waiting event takes the place of an older one, which it supersedes. */
    takePlace(entry: OutboxEntry, older: QueuedEvent): void {
        const { stored } = this.#options;
        this.#leave(this.#backlogFor(entry.device, entry.priority), entry);
        stored.takeFromHand(entry);
        entry.takesPlace(older);
        this.#options.unsaved.tookPlace(entry);
        const backlog = this.#backlogFor(older.device, older.priority);
        const replaced = older instanceof OutboxEntry ? older : undefined;
        if (replaced) stored.takeFromHand(replaced);
        if (!replaced?.list) stored.keepAtHand(entry);
        else {
            if (backlog.live === replaced) backlog.setLive(entry);
            replaced.list.replace(replaced, entry);
        }
        this.devices.count(backlog, 0, entry.bytes - older.bytes);
        this.devices.update(backlog.queue);
    }

    /** The store cannot be used for long: what is at hand takes part in the queues. */
    bringIn(): void {
        const { stored } = this.#options;
        if (stored.atHand.events === 0) return;
        for (const entry of stored.residents) {
            if (!entry.latest?.isAtHand) continue;
            stored.takeFromHand(entry);
            const backlog = this.#backlogFor(entry.device, entry.priority);
            if (backlog.isOfLine(entry.seq)) backlog.load(entry);
            else this.#classes[entry.priority].behind.push(entry);
        }
    }

    /** An event that is only stored comes into memory, to be finished at once; undefined when it is in memory already, or done with. */
    load(event: OutboxEvent): OutboxEntry | undefined {
        return this.#options.stored.isOnlyStored(event.seq) ? this.#options.stored.load(event) : undefined;
    }

    /** A waiting event is stored: unless it may be sent soon, it leaves memory. */
    committed(entry: OutboxEntry): void {
        if (entry.latest?.isAtHand) {
            this.#options.stored.unload(entry);
            return;
        }
        const own = this.#classes[entry.priority];
        if (entry.list === own.behind) own.readOn();
        if (entry.list === own.behind) {
            own.stored(entry);
            return;
        }
        const queue = this.devices.of(entry.device);
        const backlog = queue?.backlog(entry.priority);
        if (!queue || !backlog?.has(entry)) return;
        if (!queue.isOpen) this.#unload(backlog, entry);
        else if (entry.latest) own.devices.wake(backlog);
    }

    /** Nothing of the device is sent until it is woken. */
    stop(queue: DeviceQueue): void {
        for (const backlog of queue.backlogs()) {
            this.#classes[backlog.priority].devices.stop(backlog);
            for (const entry of backlog.loaded) if (entry.row === "stored") this.#unload(backlog, entry);
        }
        this.devices.update(queue);
    }

    /** The device may be asked for. */
    wake(queue: DeviceQueue): void {
        queue.wake();
        if (queue.isOpen) for (const backlog of queue.backlogs()) this.#classes[backlog.priority].devices.wake(backlog);
        this.devices.update(queue);
    }

    /** Every device may be asked for. */
    wakeAll(): void {
        for (const queue of this.devices.stopped) this.wake(queue);
    }

    /** The connection has ended: no check has an outcome. Their events are given back next. */
    endChecks(): void {
        for (const queue of this.devices.stopped) queue.endCheck();
    }

    /** Moves what is behind forward, where there is room. */
    refill(): void {
        for (const priority of priorities) this.#classes[priority].readOn();
    }

    /** What had to wait for the store gets its turn again. */
    retry(): void {
        for (const priority of priorities) this.#classes[priority].devices.retry();
    }

    /** Whatever is on its way from the store is asked for once more. */
    readAgain(): void {
        for (const priority of priorities) this.#classes[priority].readAgain();
    }

    /**
     * Brings what is in memory and what is stored together once more: everything stored leaves memory and comes first, the rest is behind it.
     * `entries` are all waiting events in memory. With `isEmpty`, the store holds nothing of what it held.
     */
    restart(entries: readonly OutboxEntry[], { isEmpty } = { isEmpty: false }): void {
        for (const entry of entries) {
            this.#takeOut(this.#backlogFor(entry.device, entry.priority), entry);
        }
        for (const queue of this.devices.all) for (const backlog of queue.backlogs()) this.#dissolve(backlog, isEmpty);
        if (isEmpty) for (const { device, priority, bytes } of entries) this.devices.count(this.#backlogFor(device, priority), 1, bytes);
        for (const queue of this.devices.all) {
            queue.wake();
            this.devices.update(queue);
        }
        this.#isOutOfOrder = this.#options.stored.access !== "opening";
        for (const priority of priorities) this.#classes[priority].restart(isEmpty);
        for (const entry of [...entries].sort((a, b) => a.seq - b.seq)) {
            const own = this.#classes[entry.priority];
            if (entry.row === "stored") {
                own.storedUpTo(entry.seq);
                this.#options.stored.unload(entry);
            } else if (entry.latest?.outdatedRows?.includes(entry.seq)) {
                own.storedUpTo(entry.seq);
                this.#options.stored.keepAtHand(entry);
            } else {
                own.behind.push(entry);
                this.#options.unsaved.storeNow(entry);
            }
        }
    }

    #dissolve(backlog: DeviceBacklog, isEmpty: boolean): void {
        this.#classes[backlog.priority].devices.stop(backlog);
        backlog.dissolve();
        if (isEmpty) this.devices.count(backlog, -backlog.events, -backlog.bytes);
    }

    /** The store holds this of a device. */
    addStored({ device, priority, events, bytes, lastSeq }: DeviceTotal): void {
        this.devices.count(this.#backlogFor(device, priority), events, bytes);
        this.#classes[priority].storedUpTo(lastSeq);
    }

    /** Every waiting event in memory. */
    *inMemory(): Generator<OutboxEntry> {
        for (const priority of priorities) yield* this.#classes[priority].inMemory();
        for (const queue of this.devices.stopped) for (const backlog of queue.backlogs()) yield* backlog.loaded;
        const { stored } = this.#options;
        if (stored.atHand.events > 0) for (const entry of stored.residents) if (entry.latest?.isAtHand) yield entry;
    }

    #backlogFor(device: string, priority: Priority): DeviceBacklog {
        return this.devices.for(device).backlogFor(priority, this.#classes[priority].lines);
    }

    /** An event waits no longer for its device. */
    #leave(backlog: DeviceBacklog, event: QueuedEvent): void {
        if (event instanceof OutboxEntry && event.list) this.#takeOut(backlog, event);
        else if (backlog.isOfLine(event.seq)) backlog.leaveStored();
        this.devices.count(backlog, -1, -event.bytes);
        if (backlog.lineEvents === 0) this.#classes[event.priority].devices.stop(backlog);
    }

    /** Takes an event in memory out of the list it waits in. */
    #takeOut(backlog: DeviceBacklog, entry: OutboxEntry): void {
        if (backlog.live === entry) backlog.setLive(undefined);
        if (backlog.has(entry)) backlog.leave(entry);
        else entry.list?.remove(entry);
    }

    #joinLine(backlog: DeviceBacklog, entry: OutboxEntry): void {
        const { queue } = backlog;
        backlog.join(entry);
        this.devices.update(queue);
        if (entry.row === "stored" && !queue.isOpen) this.#unload(backlog, entry);
        else this.#options.unsaved.storeNow(entry);
        // The gate has to know of the first high event: it is asked again, and moves the device up.
        if (entry.priority === "high" && queue.state === "waiting" && queue.isRankOpen) this.wake(queue);
        else if (queue.isOpen) this.#classes[entry.priority].devices.wake(backlog);
    }

    /** Whatever the class queue has of the device joins its line, which is sorted by number. */
    #joinAll(backlog: DeviceBacklog): void {
        const own = this.#classes[backlog.priority];
        for (const entry of [...own.inMemory()]) {
            if (entry.device !== backlog.queue.device) continue;
            this.#takeOut(backlog, entry);
            this.#joinLine(backlog, entry);
        }
        if (backlog.events > backlog.lineEvents) backlog.joinStored(own.lastStored);
    }

    #unload(backlog: DeviceBacklog, entry: OutboxEntry): void {
        backlog.unload(entry);
        this.#classes[entry.priority].lineStoredUpTo(entry.seq);
        this.#options.stored.unload(entry);
    }
}

/** What the waiting events work with. */
export interface WaitingEventsOptions {
    readonly gate: DeviceGate;
    readonly memory: MemoryLimits;
    readonly stored: StoredEvents;
    readonly unsaved: UnsavedEvents;
    /** Whether events are stored, so that they can leave memory. */
    readonly storesEvents: boolean;
    /** Events have come into memory, or could not be read. */
    readEnded(isFailed: boolean): void;
}
