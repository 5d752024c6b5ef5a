import { PendingDevice } from "./pending-device";
import type { Hold, RegistrationState } from "./registration-types";

const known = "known";

/** Every device that is known, and every other one of which something is under way or remembered. One entry per device. */
export class DeviceTable {
    readonly #entries = new Map<string, PendingDevice | typeof known>();
    readonly #held = new Set<string>();
    readonly #gatewayDevice: string;

    /** @param gatewayDevice the key of the gateway's own device: known, and never forgotten */
    constructor(gatewayDevice: string) {
        this.#gatewayDevice = gatewayDevice;
        this.#entries.set(gatewayDevice, known);
    }

    /** How many devices are held, or would be the next time. */
    get heldCount(): number {
        return this.#held.size;
    }

    isKnown(device: string): boolean {
        return this.#entries.get(device) === known;
    }

    /** The registration attempt of a device that is not known, if there is an entry. */
    pending(device: string): PendingDevice | undefined {
        const entry = this.#entries.get(device);
        return entry === known ? undefined : entry;
    }

    /** The registration attempt of a device that is not known; a new one if there is none. */
    meet(device: string): PendingDevice {
        const present = this.pending(device);
        if (present) return present;
        const pending = new PendingDevice(device);
        this.#entries.set(device, pending);
        return pending;
    }

    /** Puts the device on hold. */
    hold(pending: PendingDevice, hold: Hold): void {
        pending.hold = hold;
        pending.exclusive = hold.reason === "swallowed";
        pending.stage = "held";
        this.#held.add(pending.device);
    }

    setKnown(device: string): void {
        this.#held.delete(device);
        this.#entries.set(device, known);
    }

    /** Removes the device; false if it is the gateway's own, which stays. */
    remove(device: string): boolean {
        if (device === this.#gatewayDevice) return false;
        this.#held.delete(device);
        return this.#entries.delete(device);
    }

    stateOf(device: string): RegistrationState {
        const entry = this.#entries.get(device);
        if (entry === undefined) return { phase: "new" };
        return entry === known ? { phase: "known" } : entry.state;
    }
}
