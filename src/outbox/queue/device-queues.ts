import { DeviceQueue, type DeviceQueueOptions, type HeldBytes } from "./device-queue";
import type { MemoryUse } from "./entry-list";
import type { OutboxEntry } from "./outbox-entry";

/** What every device queue of a table has in common. */
export type DeviceQueuesOptions = Pick<DeviceQueueOptions, "context" | "memory" | "loaded"> & {
    /** The largest number given to an event so far. */
    lastSeq(): number;
    /** Events of a device queue have arrived from the store, or reading them failed. */
    readEnded(error: boolean): void;
    /** The last device queue is gone. */
    emptied(): void;
};

/** The device queues of the devices that may not simply flow now, and whose turn it is to ask the gate. */
export class DeviceQueues {
    readonly held: HeldBytes = { bytes: 0 };
    readonly #options: DeviceQueuesOptions;
    readonly #queues = new Map<string, DeviceQueue>();
    readonly #use: MemoryUse = { events: 0, bytes: 0 };
    /** Device queues whose turn to ask the gate will come, in that order. */
    readonly #awake = new Set<DeviceQueue>();
    /** Device queues with a registration attempt under way. */
    readonly #registering = new Set<DeviceQueue>();

    constructor(surroundings: DeviceQueuesOptions) {
        this.#options = surroundings;
    }

    get size(): number {
        return this.#queues.size;
    }

    get isAnyAwake(): boolean {
        return this.#awake.size > 0;
    }

    of(device: string): DeviceQueue | undefined {
        return this.#queues.size > 0 ? this.#queues.get(device) : undefined;
    }

    /** Makes the device queue of a device that has none; `firstSeq` is the number of the event for which it is made. */
    create(device: string, firstSeq: number): DeviceQueue {
        const { context, memory, loaded, lastSeq, readEnded } = this.#options;
        const deviceQueue = new DeviceQueue({
            device,
            context,
            memory,
            use: this.#use,
            held: this.held,
            firstSeq,
            lastSeq: lastSeq(),
            loaded,
            readEnded: (of, error) => {
                if (!error && of.state === "awake") this.#awake.add(of);
                readEnded(error);
            },
        });
        this.#queues.set(device, deviceQueue);
        return deviceQueue;
    }

    /** The device queue that is the next to ask the gate; it stays so until its turn is ended. */
    firstAwake(): DeviceQueue | undefined {
        return this.#awake.values().next().value;
    }

    /** The device queue was asked; it gets another turn, behind the others, when `queueUp` says so. */
    endTurn(deviceQueue: DeviceQueue): void {
        this.#awake.delete(deviceQueue);
    }

    /** The device queue gets its turn behind the others. */
    queueUp(deviceQueue: DeviceQueue): void {
        this.#awake.add(deviceQueue);
    }

    /** The gate may answer differently for this device queue now. */
    wake(deviceQueue: DeviceQueue): void {
        deviceQueue.state = "awake";
        this.#awake.add(deviceQueue);
        this.removeIfEmpty(deviceQueue);
    }

    wakeAll(): void {
        for (const deviceQueue of this.#queues.values()) this.wake(deviceQueue);
    }

    /** Device queues that have lost their turn because their events could not be read get one again. */
    retry(): void {
        for (const deviceQueue of this.#queues.values()) if (deviceQueue.state === "awake") this.#awake.add(deviceQueue);
    }

    /** Nothing of the device queue is sent until it is woken. */
    park(deviceQueue: DeviceQueue): void {
        deviceQueue.state = "parked";
        this.#awake.delete(deviceQueue);
    }

    /** A device queue whose device has nothing left is not needed any more: the device may simply flow. */
    removeIfEmpty(deviceQueue: DeviceQueue): void {
        if (!deviceQueue.events.isEmpty) return;
        this.#awake.delete(deviceQueue);
        this.#queues.delete(deviceQueue.device);
        deviceQueue.dispose();
        if (this.#queues.size === 0) this.#options.emptied();
    }

    /** The event goes out as the registration attempt of its device. */
    startRegistration(deviceQueue: DeviceQueue, entry: OutboxEntry): OutboxEntry {
        entry.isRegistering = true;
        deviceQueue.state = "registering";
        deviceQueue.registering = entry;
        this.#registering.add(deviceQueue);
        return entry;
    }

    /** The outcome of the device's registration attempt is known; returns its event, if there was one under way. */
    endRegistration(deviceQueue: DeviceQueue): OutboxEntry | undefined {
        const entry = deviceQueue.registering;
        deviceQueue.registering = undefined;
        this.#registering.delete(deviceQueue);
        if (entry) deviceQueue.state = "parked";
        return entry;
    }

    /** Ends every registration attempt without an outcome; returns the events that were acknowledged. */
    abandonRegistrations(): OutboxEntry[] {
        const acknowledged = [...this.confirming()];
        for (const deviceQueue of [...this.#registering]) this.endRegistration(deviceQueue);
        return acknowledged;
    }

    /** The acknowledged registration attempts whose outcome is awaited. */
    *confirming(): Generator<OutboxEntry> {
        for (const deviceQueue of this.#registering)
            if (deviceQueue.state === "confirming" && deviceQueue.registering) yield deviceQueue.registering;
    }

    [Symbol.iterator](): MapIterator<DeviceQueue> {
        return this.#queues.values();
    }
}
