import { Contact } from "./pending-device";
import type { Hold, RegistrationState } from "./registration-types";

const known = "known";

/** Every device that is known, and every other one of which something is under way or remembered. One entry per device. */
export class DeviceTable {
    readonly #entries = new Map<string, Contact | typeof known>();
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

    /** Puts the device on hold. */
    hold(contact: Contact, hold: Hold): void {
        contact.hold = hold;
        contact.alone = hold.reason === "swallowed";
        contact.stage = "held";
        this.#held.add(contact.device);
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
