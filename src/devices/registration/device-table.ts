import { PendingDevice, type PendingDeviceTimers } from "./pending-device";
import type { RegistrationState } from "./registration-types";

/**
 * Every device that is known, and every other one of which something is under way or remembered. Of a known device with
 * nothing under way only the number of the connection is kept on which it was checked last; 0 = in an earlier run.
 */
export class DeviceTable {
    readonly #entries = new Map<string, PendingDevice | number>();
    readonly #gatewayDevice: string;
    readonly #timers: PendingDeviceTimers;
    readonly #held = new Set<string>();

    /** @param gatewayDevice the key of the gateway's own device: always known and checked */
    constructor(gatewayDevice: string, timers: PendingDeviceTimers) {
        this.#gatewayDevice = gatewayDevice;
        this.#timers = timers;
        this.#entries.set(gatewayDevice, Number.POSITIVE_INFINITY);
    }

    /** How many devices are held, or were when they were tried last. */
    get heldCount(): number {
        return this.#held.size;
    }

    /** The device is held. */
    noteHeld(device: string): void {
        this.#held.add(device);
    }

    /** Whether the device is known and nothing of it is pending; not of the gateway's own device. */
    isFlowing(device: string): boolean {
        return device !== this.#gatewayDevice && typeof this.#entries.get(device) === "number";
    }

    /** The number of the connection on which the device was checked last, or what is pending of it; undefined = never seen. */
    get(device: string): PendingDevice | number | undefined {
        return this.#entries.get(device);
    }

    /** What is pending of the device, if anything. */
    pending(device: string): PendingDevice | undefined {
        const entry = this.#entries.get(device);
        return typeof entry === "number" ? undefined : entry;
    }

    /** What is pending of the device; from now on it does not flow. */
    open(device: string): PendingDevice {
        const entry = this.#entries.get(device);
        if (entry !== undefined && typeof entry !== "number") return entry;
        const pending = new PendingDevice(device, entry, this.#timers);
        this.#entries.set(device, pending);
        return pending;
    }

    /** The device was checked on the connection with this number; nothing of it is pending any more. */
    setChecked(device: string, connection: number): void {
        this.#held.delete(device);
        if (device !== this.#gatewayDevice) this.#entries.set(device, connection);
    }

    /** Removes the device; false if it is not there, or the gateway's own, which stays. */
    remove(device: string): boolean {
        this.#held.delete(device);
        return device !== this.#gatewayDevice && this.#entries.delete(device);
    }

    stateOf(device: string): RegistrationState {
        const entry = this.#entries.get(device);
        if (entry === undefined) return { phase: "new" };
        return typeof entry === "number" ? { phase: "known" } : entry.state;
    }
}
