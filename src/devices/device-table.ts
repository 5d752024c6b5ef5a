import { Contact } from "./contact";
import type { RegistrationState } from "./registration-types";

const known = "known";

/** Every device that is known, and every other one of which something is under way or remembered. One entry per device. */
export class DeviceTable {
    readonly #entries = new Map<string, Contact | typeof known>();
    readonly #gatewayDevice: string;

    /** @param gatewayDevice the key of the gateway's own device: known, and never forgotten */
    constructor(gatewayDevice: string) {
        this.#gatewayDevice = gatewayDevice;
        this.#entries.set(gatewayDevice, known);
    }

    isKnown(device: string): boolean {
        return this.#entries.get(device) === known;
    }

    /** The first contact of a device that is not known, if there is an entry. */
    contact(device: string): Contact | undefined {
        const entry = this.#entries.get(device);
        return entry === known ? undefined : entry;
    }

    /** The first contact of a device that is not known; a new one if there is none. */
    meet(device: string): Contact {
        const present = this.contact(device);
        if (present) return present;
        const contact = new Contact(device);
        this.#entries.set(device, contact);
        return contact;
    }

    setKnown(device: string): void {
        this.#entries.set(device, known);
    }

    /** Removes the device; false if it is the gateway's own, which stays. */
    remove(device: string): boolean {
        return device !== this.#gatewayDevice && this.#entries.delete(device);
    }

    stateOf(device: string): RegistrationState {
        const entry = this.#entries.get(device);
        if (entry === undefined) return { phase: "new" };
        return entry === known ? { phase: "known" } : entry.state;
    }
}
