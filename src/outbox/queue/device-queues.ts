import type { DeviceGate } from "../ports";
import { type DeviceBacklog, DeviceQueue } from "./device-queue";

/** The devices with something that waits: how much it is, which of them do not simply flow, and what held devices take of the outbox. */
export class DeviceQueues {
    readonly #gate: DeviceGate;
    readonly #queues = new Map<string, DeviceQueue>();
    /** Those that do not simply flow. */
    readonly #stopped = new Set<DeviceQueue>();
    /** Those that count as held. */
    readonly #held = new Set<DeviceQueue>();
    #heldBytes = 0;
    #waitingHigh = 0;

    constructor(gate: DeviceGate) {
        this.#gate = gate;
    }

    /** Devices with something that waits or a check under way. */
    get size(): number {
        return this.#queues.size;
    }

    get all(): Iterable<DeviceQueue> {
        return this.#queues.values();
    }

    /** Devices whose events do not simply flow. */
    get stoppedCount(): number {
        return this.#stopped.size;
    }

    /** The same devices. */
    get stopped(): Iterable<DeviceQueue> {
        return this.#stopped;
    }

    /** Bytes of what waits for held devices. */
    get heldBytes(): number {
        return this.#heldBytes;
    }

    /** Events of high priority that wait. */
    get waitingHigh(): number {
        return this.#waitingHigh;
    }

    of(device: string): DeviceQueue | undefined {
        return this.#queues.size > 0 ? this.#queues.get(device) : undefined;
    }

    /** The queue of a device; made when there is none. */
    for(device: string): DeviceQueue {
        let queue = this.#queues.get(device);
        if (!queue) {
            queue = new DeviceQueue(device);
            this.#queues.set(device, queue);
        }
        return queue;
    }

    /** Events of a device began to wait; negative when they do no longer. */
    count(backlog: DeviceBacklog, events: number, bytes: number): void {
        const { queue } = backlog;
        queue.count(backlog, events, bytes);
        if (backlog.priority === "high") this.#waitingHigh += events;
        if (queue.isHeld) this.#heldBytes += bytes;
    }

    /** Asks the gate again whether the device is held. */
    askHeld(queue: DeviceQueue): void {
        const isHeld = this.#gate.isHeld(queue.device);
        if (isHeld !== queue.isHeld) this.#countAsHeld(queue, isHeld);
    }

    /** Asks the gate again for all devices that count as held. */
    askAllHeld(): void {
        for (const queue of this.#held) this.askHeld(queue);
    }

    /** What the device has, or what is known of it, has changed: lets go of what is over. */
    update(queue: DeviceQueue): void {
        if (!queue.isFlowing && (queue.events > 0 || queue.check)) {
            this.#stopped.add(queue);
            return;
        }
        this.#stopped.delete(queue);
        if (queue.events === 0) {
            if (queue.isHeld) this.#countAsHeld(queue, false);
            this.#queues.delete(queue.device);
        }
        if (!queue.isEnlisted) return;
        queue.enlist(false);
        this.#gate.withdraw(queue.device);
    }

    #countAsHeld(queue: DeviceQueue, isHeld: boolean): void {
        queue.countAsHeld(isHeld);
        this.#heldBytes += isHeld ? queue.bytes : -queue.bytes;
        if (isHeld) this.#held.add(queue);
        else this.#held.delete(queue);
    }
}
