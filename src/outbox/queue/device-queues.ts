import { DeviceLane, type DeviceLaneOptions, type HeldBytes } from "./device-queue";
import type { MemoryUse } from "./entry-list";
import type { Entry } from "./outbox-entry";

/** What every lane of a table has in common. */
export type LaneSurroundings = Pick<DeviceLaneOptions, "context" | "memory" | "reloaded"> & {
    /** The largest number given to an event so far. */
    lastSeq(): number;
    /** Events of a lane have arrived from the store, or reading them failed. */
    loaded(error: boolean): void;
    /** The last lane is gone. */
    emptied(): void;
};

/** The lanes of the devices that may not simply flow now, and whose turn it is to ask the gate. */
export class LaneTable {
    readonly held: HeldBytes = { bytes: 0 };
    readonly #surroundings: LaneSurroundings;
    readonly #lanes = new Map<string, DeviceLane>();
    readonly #use: MemoryUse = { events: 0, bytes: 0 };
    /** Lanes whose turn to ask the gate will come, in that order. */
    readonly #awake = new Set<DeviceLane>();
    /** Lanes with a first contact under way. */
    readonly #contacts = new Set<DeviceLane>();

    constructor(surroundings: LaneSurroundings) {
        this.#surroundings = surroundings;
    }

    get size(): number {
        return this.#lanes.size;
    }

    get isAnyAwake(): boolean {
        return this.#awake.size > 0;
    }

    of(device: string): DeviceLane | undefined {
        return this.#lanes.size > 0 ? this.#lanes.get(device) : undefined;
    }

    /** Makes the lane of a device that has none; `firstSeq` is the number of the event for which it is made. */
    create(device: string, firstSeq: number): DeviceLane {
        const { context, memory, reloaded, lastSeq, loaded } = this.#surroundings;
        const lane = new DeviceLane({
            device,
            context,
            memory,
            use: this.#use,
            held: this.held,
            firstSeq,
            lastSeq: lastSeq(),
            reloaded,
            loaded: (of, error) => {
                if (!error && of.state === "awake") this.#awake.add(of);
                loaded(error);
            },
        });
        this.#lanes.set(device, lane);
        return lane;
    }

    /** The lane that is the next to ask the gate; it stays so until its turn is ended. */
    firstAwake(): DeviceLane | undefined {
        return this.#awake.values().next().value;
    }

    /** The lane was asked; it gets another turn, behind the others, when `queueUp` says so. */
    endTurn(lane: DeviceLane): void {
        this.#awake.delete(lane);
    }

    /** The lane gets its turn behind the others. */
    queueUp(lane: DeviceLane): void {
        this.#awake.add(lane);
    }

    /** The gate may answer differently for this lane now. */
    wake(lane: DeviceLane): void {
        lane.state = "awake";
        this.#awake.add(lane);
        this.removeIfEmpty(lane);
    }

    wakeAll(): void {
        for (const lane of this.#lanes.values()) this.wake(lane);
    }

    /** Lanes that have lost their turn because their events could not be read get one again. */
    retry(): void {
        for (const lane of this.#lanes.values()) if (lane.state === "awake") this.#awake.add(lane);
    }

    /** Nothing of the lane is sent until it is woken. */
    park(lane: DeviceLane): void {
        lane.state = "parked";
        this.#awake.delete(lane);
    }

    /** A lane whose device has nothing left is not needed any more: the device may simply flow. */
    removeIfEmpty(lane: DeviceLane): void {
        if (!lane.queue.isEmpty) return;
        this.#awake.delete(lane);
        this.#lanes.delete(lane.device);
        lane.dispose();
        if (this.#lanes.size === 0) this.#surroundings.emptied();
    }

    /** The event goes out as the first contact of its device. */
    startContact(lane: DeviceLane, entry: Entry): Entry {
        entry.isContact = true;
        lane.state = "contact";
        lane.contact = entry;
        this.#contacts.add(lane);
        return entry;
    }

    /** The outcome of the device's first contact is known; returns its event, if there was one under way. */
    endContact(lane: DeviceLane): Entry | undefined {
        const entry = lane.contact;
        lane.contact = undefined;
        this.#contacts.delete(lane);
        if (entry) lane.state = "parked";
        return entry;
    }

    /** Ends every first contact without an outcome; returns the events that were acknowledged. */
    abandonContacts(): Entry[] {
        const acknowledged = [...this.confirming()];
        for (const lane of [...this.#contacts]) this.endContact(lane);
        return acknowledged;
    }

    /** The acknowledged first contacts whose outcome is awaited. */
    *confirming(): Generator<Entry> {
        for (const lane of this.#contacts) if (lane.state === "confirming" && lane.contact) yield lane.contact;
    }

    [Symbol.iterator](): MapIterator<DeviceLane> {
        return this.#lanes.values();
    }
}
