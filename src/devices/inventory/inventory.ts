import type { Clock, Timer } from "../../clock";
import { BoundedNames } from "../../recent-items";
import type { Registration } from "../registration/registration";
import type { RegistrationState } from "../registration/registration-types";
import { DeviceRecord } from "./device-record";
import { type DevicePage, type DeviceQuery, type NameQuery, queryDevices, queryNames } from "./inventory-query";
import { SortedKeys } from "./sorted-keys";

/** The kind of the rows in which devices are stored. */
export const deviceStateKind = "device";
const countersMs = 60_000;
/** The number of records written in one go, so that a large inventory does not stop everything else. */
const sliceSize = 500;
const sliceMs = 50;
const maxNames = 1_000;

/**
 * What is known of each device: when it was seen, what was sent and received, whether it is registered. It survives restarts:
 * the registration is written when it changes, counters at most once a minute and at close. Bounded: beyond `maxDevices` some
 * are forgotten, first those that never sent anything (a sender of commands can name any number of devices), then those that
 * the platform does not know (yet), then the ones that were quiet longest, and with them that the platform knows them, so that
 * their next event is a registration attempt again. All devices are named by their key.
 */
export class Inventory {
    readonly #clock: Clock;
    readonly #store: DeviceStore;
    readonly #registration: InventoryOptions["registration"];
    readonly #maxDevices: number;
    /** In the order of the last minute in which each was active. */
    readonly #records = new Map<string, DeviceRecord>();
    /** The same devices in an order of its own: records move when they are active, and a device would be seen twice or never while paging. */
    readonly #sorted = new SortedKeys();
    readonly #eventIds = new BoundedNames(maxNames);
    readonly #commandIds = new BoundedNames(maxNames);
    /** Devices whose counters wait to be written. */
    readonly #dirty = new Set<string>();
    #timer: Timer | undefined;
    #isLoaded = false;

    constructor({ clock, store, registration, maxDevices = 100_000 }: InventoryOptions) {
        this.#clock = clock;
        this.#store = store;
        this.#registration = registration;
        this.#maxDevices = maxDevices;
    }

    /**
     * Takes over what an earlier run left in the store, for itself and for the registration. Call it once, when the store is open: nothing is
     * written before. What was found out in the meantime stays.
     */
    load(): void {
        this.#isLoaded = true;
        for (const [device, text] of this.#store.entries(deviceStateKind)) {
            const record = DeviceRecord.decode(text);
            const seenSince = this.#records.get(device);
            if (seenSince) record.add(seenSince);
            else this.#sorted.add(device);
            record.isStored = true;
            this.#records.set(device, record);
            this.#restore(device, record);
        }
        this.#makeRoom(0);
        if (this.#dirty.size > 0) this.#timer ??= this.#clock.setTimer(sliceMs, () => this.#writeSlice());
    }

    /** How many devices are remembered. */
    get size(): number {
        return this.#records.size;
    }

    /** The devices that are remembered. */
    get devices(): Iterable<string> {
        return this.#records.keys();
    }

    /** When a device sent its last event (wall clock, milliseconds), 0 = never; undefined if it is not remembered. */
    lastEventAt(device: string): number | undefined {
        return this.#records.get(device)?.lastEventAt;
    }

    /** An event of the device was taken on. */
    eventSeen(device: string, eventId: string): void {
        const record = this.#touch(device);
        record.events++;
        record.lastEventAt = this.#clock.now();
        this.#eventIds.add(eventId);
    }

    /** A command for the device was received. */
    commandSeen(device: string, commandId: string): void {
        const record = this.#touch(device);
        record.commands++;
        record.lastCommandAt = this.#clock.now();
        this.#commandIds.add(commandId);
    }

    /** The platform refused something of the device. */
    refusalSeen(device: string): void {
        this.#touch(device).refusals++;
    }

    /** The device has become known, held or new: written at once. */
    registrationChanged(device: string, state: RegistrationState): void {
        const record = this.#isLoaded ? this.#meet(device) : this.#touch(device);
        record.setRegistration(state);
        if (this.#isLoaded) this.#write(device, record);
    }

    /** One page of the devices that match, in a stable order, with what the registration says of each at this moment. */
    query(query: DeviceQuery = {}): DevicePage {
        return queryDevices(this.#sorted.values, this.#records, (device) => this.#registration.stateOf(device), query);
    }

    /** Names that were seen, for completion while typing; at most 200, in alphabetical order. */
    names(query: NameQuery): string[] {
        if (query.of === "eventId") return queryNames(this.#eventIds.values, query);
        if (query.of === "commandId") return queryNames(this.#commandIds.values, query);
        return queryNames(this.#records.keys(), query);
    }

    /** Forgets a device; its next event is a registration attempt. False if it is not remembered, or its registration attempt is under way. */
    forget(device: string): boolean {
        if (!this.#records.has(device)) return false;
        if (!this.#registration.forget(device) && this.#registration.stateOf(device).phase !== "new") return false;
        this.#drop(device);
        return true;
    }

    /** Hands all counters that have changed to the store, and stops the timer. */
    close(): void {
        this.#timer?.cancel();
        while (this.#isLoaded && this.#dirty.size > 0) this.#writeSlice();
        this.#timer?.cancel();
        this.#timer = undefined;
    }

    #meet(device: string): DeviceRecord {
        const present = this.#records.get(device);
        if (present) return present;
        this.#makeRoom(1);
        const record = new DeviceRecord(this.#clock.now());
        this.#records.set(device, record);
        this.#sorted.add(device);
        return record;
    }

    #touch(device: string): DeviceRecord {
        const record = this.#meet(device);
        if (!record.isDirty) {
            record.isDirty = true;
            this.#dirty.add(device);
            if (this.#isLoaded) this.#timer ??= this.#clock.setTimer(countersMs, () => this.#writeSlice());
        }
        return record;
    }

    /** Lets the registration know what the record says, unless it knows better by now. */
    #restore(device: string, record: DeviceRecord): void {
        const state = this.#registration.stateOf(device);
        if (state.phase !== "new") record.setRegistration(state);
        else if (record.isKnown) this.#registration.restoreKnown(device);
        else if (record.hold) this.#registration.restoreHeld(device, record.hold);
    }

    #write(device: string, record: DeviceRecord): void {
        record.isStored = true;
        this.#store.put(deviceStateKind, device, record.encode());
    }

    #writeSlice(): void {
        this.#timer = undefined;
        let left = sliceSize;
        for (const device of this.#dirty) {
            if (left-- === 0) break;
            this.#dirty.delete(device);
            const record = this.#records.get(device);
            if (!record) continue;
            record.isDirty = false;
            // The most recently active ones move to the end, so that the quiet ones are found at the beginning.
            this.#records.delete(device);
            this.#records.set(device, record);
            this.#write(device, record);
        }
        if (this.#dirty.size > 0) this.#timer = this.#clock.setTimer(sliceMs, () => this.#writeSlice());
    }

    /** Makes room for this number of devices and a hundredth more, so that this is not done for every new device. */
    #makeRoom(devices: number): void {
        const excess = this.#records.size + devices - this.#maxDevices;
        if (excess <= 0) return;
        for (const device of this.#dispensable(excess + Math.floor(this.#maxDevices / 100))) {
            this.#drop(device);
            this.#registration.forget(device);
        }
    }

    #drop(device: string): void {
        const record = this.#records.get(device);
        this.#records.delete(device);
        this.#sorted.remove(device);
        this.#dirty.delete(device);
        if (record?.isStored) this.#store.remove(deviceStateKind, device);
    }

    /** The devices to be forgotten first, in one pass that ends as soon as it can. What is under way goes on without its record. */
    #dispensable(count: number): string[] {
        const neverSent: string[] = [];
        const unknown: string[] = [];
        const quiet: string[] = [];
        const active: string[] = [];
        const underWay: string[] = [];
        for (const [device, record] of this.#records) {
            if (neverSent.length + unknown.length === count) break;
            const { phase } = this.#registration.stateOf(device);
            if (phase === "known" || phase === "held") (record.isDirty ? active : quiet).push(device);
            else if (phase === "new" && record.events === 0) neverSent.push(device);
            else (record.isKnown ? underWay : unknown).push(device);
        }
        return [...neverSent, ...unknown, ...quiet, ...active, ...underWay].slice(0, count);
    }
}

/** Where records outlive a restart: small texts by key. */
export interface DeviceStore {
    entries(kind: string): Iterable<[key: string, value: string]>;
    put(kind: string, key: string, value: string): void;
    remove(kind: string, key: string): void;
}

/** What an inventory needs. */
export interface InventoryOptions {
    readonly clock: Clock;
    readonly store: DeviceStore;
    readonly registration: Pick<Registration, "stateOf" | "forget" | "restoreKnown" | "restoreHeld">;
    /** How many devices are remembered. */
    readonly maxDevices?: number;
}
