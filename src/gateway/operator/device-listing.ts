import type { Inventory } from "../../devices/inventory/inventory";
import type { DeviceView } from "../../devices/inventory/inventory-query";
import type { ManagedPhase } from "../../management/managed-devices";
import { deviceKey } from "../../protocol/identity";

/** What devices can be picked by. `refused` = the platform refused something of it at least once. */
export const deviceFilters = ["registered", "pending", "held", "refused", "managed", "dormant"] as const;
export type DeviceFilter = (typeof deviceFilters)[number];

/** Which devices to list. */
export interface DeviceListQuery {
    /** Part of `typeId/deviceId`, in any case. */
    readonly search: string;
    readonly filter?: DeviceFilter;
    /** From 0. */
    readonly page: number;
}

/** A device in the list. */
export interface DeviceRow extends DeviceView {
    readonly management?: ManagedPhase;
}

/** A page of the list. */
export interface DeviceList {
    readonly devices: readonly DeviceRow[];
    /** How many match. */
    readonly total: number;
    readonly page: number;
    readonly pageSize: number;
}

/** Lists devices with what the registration and device management know of them; search and filter happen here, not at the reader's. */
export function listDevices(
    inventory: Inventory,
    managementOf: (device: string) => ManagedPhase | undefined,
    { search, filter, page }: DeviceListQuery,
): DeviceList {
    const list = inventory.query({
        search,
        page,
        ...(filter && { accepts: (device, { phase }, refusals) => isPicked(filter, phase, refusals, () => managementOf(device)) }),
    });
    const devices = list.devices.map((view) => {
        const management = managementOf(deviceKey(view));
        return management ? { ...view, management } : view;
    });
    return { ...list, devices };
}

function isPicked(
    filter: DeviceFilter,
    phase: DeviceView["registration"]["phase"],
    refusals: number,
    management: () => ManagedPhase | undefined,
): boolean {
    switch (filter) {
        case "registered":
            return phase === "known";
        case "pending":
            return phase !== "known" && phase !== "held";
        case "held":
            return phase === "held";
        case "refused":
            return refusals > 0;
        case "managed":
        case "dormant":
            return management() === filter;
    }
}
