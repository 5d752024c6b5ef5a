import { type DeviceAddress, deviceKey, sameDevice } from "../protocol/identity";
import type { ResponderTarget } from "./responder";

/** Who answers for a device. */
export type TargetMatch<Owner> =
    | { readonly kind: "one"; readonly owner: Owner }
    /** Several have the same target, which is a mistake in the configuration. */
    | { readonly kind: "tie" }
    | { readonly kind: "none" };

/**
 * Finds the responder of a device: the most specific target wins. Both ids are more specific than a device id alone, that
 * more than a type id alone, and that more than neither. The gateway itself is matched only by its own address.
 */
export class TargetTable<Owner> {
    readonly #gateway: DeviceAddress;
    readonly #owners = new Map<string, Set<Owner>>();

    constructor(gateway: DeviceAddress) {
        this.#gateway = gateway;
    }

    /** The one device that a target names, or undefined when it stands for several. */
    singleDevice(target: ResponderTarget): DeviceAddress | undefined {
        if (target.kind === "gateway") return this.#gateway;
        const { typeId, deviceId } = target;
        return typeId && deviceId ? { typeId, deviceId } : undefined;
    }

    /** Adds an owner; returns all that now have its target. */
    add(target: ResponderTarget, owner: Owner): ReadonlySet<Owner> {
        const key = this.#key(target);
        const owners = this.#owners.get(key) ?? new Set();
        this.#owners.set(key, owners.add(owner));
        return owners;
    }

    /** Removes an owner; returns those that still have its target. */
    remove(target: ResponderTarget, owner: Owner): ReadonlySet<Owner> {
        const key = this.#key(target);
        const owners = this.#owners.get(key) ?? new Set();
        owners.delete(owner);
        if (owners.size === 0) this.#owners.delete(key);
        return owners;
    }

    /** Whose the device is. */
    find(device: DeviceAddress): TargetMatch<Owner> {
        const own = sameDevice(device, this.#gateway);
        const keys = own ? [deviceKey(device)] : [deviceKey(device), `/${device.deviceId}`, `${device.typeId}/`, "/"];
        for (const key of keys) {
            const owners = this.#owners.get(key);
            if (!owners) continue;
            const [owner] = owners;
            return owners.size === 1 && owner !== undefined ? { kind: "one", owner } : { kind: "tie" };
        }
        return { kind: "none" };
    }

    #key(target: ResponderTarget): string {
        if (target.kind === "gateway") return deviceKey(this.#gateway);
        return `${target.typeId ?? ""}/${target.deviceId ?? ""}`;
    }
}
