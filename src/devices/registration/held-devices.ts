import type { Clock, Timer } from "../../clock";

/** How often the devices are looked through at most, however many wait. */
const intervalMs = 100;

/** The times at which held devices are tried again: any number of them on one timer, which looks through all when one is due. */
export class HeldDevices<Device> {
    readonly #clock: Clock;
    readonly #due: (device: Device) => void;
    /** Monotonic milliseconds. */
    readonly #dueMs = new Map<Device, number>();
    #timer: Timer | undefined;
    #armedForMs = Number.POSITIVE_INFINITY;

    constructor(clock: Clock, due: (device: Device) => void) {
        this.#clock = clock;
        this.#due = due;
    }

    /** Calls back with the device after a time; an earlier call for it is forgotten. */
    add(device: Device, delayMs: number): void {
        const dueMs = this.#clock.monotonicMs() + delayMs;
        this.#dueMs.set(device, dueMs);
        if (dueMs < this.#armedForMs) this.#arm(dueMs);
    }

    /** The device is not held any more. */
    remove(device: Device): void {
        this.#dueMs.delete(device);
        if (this.#dueMs.size === 0) this.close();
    }

    [Symbol.iterator](): MapIterator<Device> {
        return this.#dueMs.keys();
    }

    /** Stops the timer. */
    close(): void {
        this.#timer?.cancel();
        this.#timer = undefined;
        this.#armedForMs = Number.POSITIVE_INFINITY;
    }

    #arm(dueMs: number): void {
        this.#timer?.cancel();
        this.#armedForMs = dueMs;
        this.#timer = this.#clock.setTimer(Math.ceil(dueMs - this.#clock.monotonicMs()), () => this.#fire());
    }

    #fire(): void {
        const nowMs = this.#clock.monotonicMs();
        let nextMs = Number.POSITIVE_INFINITY;
        const due: Device[] = [];
        for (const [device, dueMs] of this.#dueMs) {
            if (dueMs <= nowMs) due.push(device);
            else nextMs = Math.min(nextMs, dueMs);
        }
        this.#armedForMs = Number.POSITIVE_INFINITY;
        this.#timer = undefined;
        if (Number.isFinite(nextMs)) this.#arm(Math.max(nextMs, nowMs + intervalMs));
        // One of them may be released by what another one brings about.
        for (const device of due) if (this.#dueMs.delete(device)) this.#due(device);
    }
}
