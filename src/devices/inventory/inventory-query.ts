import { parseDeviceKey } from "../../protocol/identity";
import type { RegistrationState } from "../registration/registration-types";
import type { DeviceRecord } from "./device-record";
import { compare } from "./sorted-keys";

/** Which devices to show. */
export interface DeviceQuery {
    /** Part of `typeId/deviceId`, in any case. */
    readonly search?: string;
    /** Leaves out the devices for which it says no. */
    readonly accepts?: (device: string, state: RegistrationState, refusals: number) => boolean;
    /** From 0. */
    readonly page?: number;
}

/** A device as it is shown. Times are wall clock milliseconds, absent = never. */
export interface DeviceView {
    readonly typeId: string;
    readonly deviceId: string;
    readonly registration: RegistrationState;
    readonly firstSeenAt: number;
    readonly lastEventAt?: number;
    readonly lastCommandAt?: number;
    readonly events: number;
    readonly commands: number;
    readonly refusals: number;
}

/** A page of devices. */
export interface DevicePage {
    readonly devices: readonly DeviceView[];
    /** How many match. */
    readonly total: number;
    readonly page: number;
    readonly pageSize: number;
}

/** Which names to complete. */
export interface NameQuery {
    readonly of: "typeId" | "deviceId" | "eventId" | "commandId";
    /** How the name begins, in any case. */
    readonly prefix?: string;
    /** For `deviceId`: only those of this type. */
    readonly typeId?: string;
}

/** Devices in one page. */
export const pageSize = 200;
const maxNames = 200;

/** Finds the devices that match and makes views of one page of them, in the order of `devices`. */
export function queryDevices(
    devices: readonly string[],
    records: ReadonlyMap<string, DeviceRecord>,
    stateOf: (device: string) => RegistrationState,
    { search = "", accepts, page = 0 }: DeviceQuery,
): DevicePage {
    const wanted = search.toLowerCase();
    const isMatching = (device: string) =>
        (wanted === "" || device.toLowerCase().includes(wanted)) &&
        (!accepts || accepts(device, stateOf(device), records.get(device)?.refusals ?? 0));
    const matching = wanted === "" && !accepts ? devices : devices.filter(isMatching);
    const views: DeviceView[] = [];
    for (const device of matching.slice(page * pageSize, (page + 1) * pageSize)) {
        const record = records.get(device);
        if (record) views.push(viewOf(device, record, stateOf(device)));
    }
    return { devices: views, total: matching.length, page, pageSize };
}

/** The distinct names that begin with the prefix; `sources` are device keys for type and device ids, else the names themselves. */
export function queryNames(sources: Iterable<string>, { of, prefix = "", typeId }: NameQuery): string[] {
    const wanted = prefix.toLowerCase();
    const names = new Set<string>();
    for (const source of sources) {
        const address = of === "typeId" || of === "deviceId" ? parseDeviceKey(source) : undefined;
        if (of === "deviceId" && typeId !== undefined && address?.typeId !== typeId) continue;
        const name = of === "deviceId" ? address?.deviceId : of === "typeId" ? address?.typeId : source;
        if (name?.toLowerCase().startsWith(wanted)) names.add(name);
    }
    return [...names].sort(compare).slice(0, maxNames);
}

function viewOf(device: string, record: DeviceRecord, registration: RegistrationState): DeviceView {
    return {
        ...parseDeviceKey(device),
        registration,
        firstSeenAt: record.firstSeenAt,
        ...(record.lastEventAt > 0 && { lastEventAt: record.lastEventAt }),
        ...(record.lastCommandAt > 0 && { lastCommandAt: record.lastCommandAt }),
        events: record.events,
        commands: record.commands,
        refusals: record.refusals,
    };
}
