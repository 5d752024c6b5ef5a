import type { Clock, Timer } from "../../clock";
import type { Inventory } from "../../devices/inventory/inventory";
import { type DeviceAddress, parseDeviceKey } from "../../protocol/identity";
import type { Subscription } from "../inbound/message-router";

/**
 * Notices devices that send no event for some time, and when they do again. The times are monotonic, so setting the clock changes
 * nothing, and neither does the link. Every device has the whole time again from each start of the flows on; one that was silent before
 * is reported again. An event costs one look-up for each watch, and a watch has one timer, however many devices there are.
 */
export class SilentDevices {
    readonly #clock: Clock;
    readonly #inventory: Pick<Inventory, "devices" | "lastEventAt">;
    readonly #gatewayDevice: string;
    readonly #watches = new Set<SilenceWatch>();
    #areFlowsRunning = false;

    constructor({ clock, inventory, gatewayDevice }: SilentDevicesDeps) {
        this.#clock = clock;
        this.#inventory = inventory;
        this.#gatewayDevice = gatewayDevice;
    }

    /** Reports the silence of devices to the listener until the subscription is closed. */
    watch(options: SilenceOptions, listener: SilenceListener): Subscription {
        const watch = new SilenceWatch(this.#clock, this.#inventory, options, listener);
        this.#watches.add(watch);
        if (this.#areFlowsRunning) this.#restart(watch);
        return {
            close: () => {
                watch.pause();
                this.#watches.delete(watch);
            },
        };
    }

    /** Whether events need to be reported. */
    get isWatching(): boolean {
        return this.#watches.size > 0;
    }

    /** A device sent an event. */
    eventSeen(device: string): void {
        if (device === this.#gatewayDevice) return;
        for (const watch of this.#watches) watch.eventSeen(device);
    }

    /** The inventory forgot a device. */
    forget(device: string): void {
        for (const watch of this.#watches) watch.forget(device);
    }

    /** The flows stop: nothing is reported. */
    pause(): void {
        this.#areFlowsRunning = false;
        for (const watch of this.#watches) watch.pause();
    }

    /** The flows run. */
    resume(): void {
        this.#areFlowsRunning = true;
        for (const watch of this.#watches) this.#restart(watch);
    }

    /** The devices of earlier runs can be read now: those that no watch knows yet have the whole time. */
    stateLoaded(): void {
        if (this.#areFlowsRunning) for (const watch of this.#watches) watch.add(this.#devices());
    }

    /** How many devices are silent for at least one watch. */
    get count(): number {
        const [first, ...others] = this.#watches;
        if (!first) return 0;
        return others.length === 0 ? first.silent.size : new Set([...this.#watches].flatMap(({ silent }) => [...silent])).size;
    }

    #restart(watch: SilenceWatch): void {
        watch.restart();
        watch.add(this.#devices());
    }

    *#devices(): Iterable<string> {
        for (const device of this.#inventory.devices) if (device !== this.#gatewayDevice) yield device;
    }
}

/** What silent devices are found with. */
export interface SilentDevicesDeps {
    readonly clock: Clock;
    readonly inventory: Pick<Inventory, "devices" | "lastEventAt">;
    /** The key of the gateway itself, which is not a device. */
    readonly gatewayDevice: string;
}

/** Which devices to watch, and when they are silent. A blank id stands for any. */
export interface SilenceOptions {
    readonly typeId: string;
    readonly deviceId: string;
    readonly silentAfterMs: number;
}

/** Gets each change. It may not throw. */
export type SilenceListener = (change: SilenceChange) => void;

/** A device has become silent, or sends again. Times are ISO 8601. */
export interface SilenceChange extends DeviceAddress {
    readonly silent: boolean;
    /** When this was noticed. */
    readonly since: string;
    /** Absent for a device that never sent an event. */
    readonly lastEvent?: string;
}

/** The most reports in one turn of the event loop. */
const reportsPerTurn = 100;

/** The devices of one watch. */
class SilenceWatch {
    readonly #clock: Clock;
    readonly #inventory: SilentDevicesDeps["inventory"];
    readonly #options: SilenceOptions;
    readonly #listener: SilenceListener;
    /** When each device was heard (monotonic), the longest ago first: an event moves its device to the end. */
    readonly #heard = new Map<string, number>();
    readonly silent = new Set<string>();
    #timer: Timer | undefined;
    #isRunning = false;

    constructor(clock: Clock, inventory: SilentDevicesDeps["inventory"], options: SilenceOptions, listener: SilenceListener) {
        this.#clock = clock;
        this.#inventory = inventory;
        this.#options = options;
        this.#listener = listener;
    }

    restart(): void {
        this.pause();
        this.#heard.clear();
        this.silent.clear();
        this.#isRunning = true;
    }

    pause(): void {
        this.#isRunning = false;
        this.#timer?.cancel();
        this.#timer = undefined;
    }

    /** Devices that are known have the whole time from now on. */
    add(devices: Iterable<string>): void {
        const nowMs = this.#clock.monotonicMs();
        for (const device of devices) {
            if (this.#isWanted(device) && !this.#heard.has(device) && !this.silent.has(device)) this.#heard.set(device, nowMs);
        }
        this.#schedule();
    }

    eventSeen(device: string): void {
        if (!this.#isWanted(device)) return;
        this.#heard.delete(device);
        this.#heard.set(device, this.#clock.monotonicMs());
        if (this.silent.delete(device)) this.#report(device, false);
        this.#schedule();
    }

    forget(device: string): void {
        this.#heard.delete(device);
        this.silent.delete(device);
    }

    #isWanted(device: string): boolean {
        const { typeId, deviceId } = this.#options;
        if (typeId === "" && deviceId === "") return true;
        if (typeId !== "" && deviceId !== "") return device === `${typeId}/${deviceId}`;
        return typeId === "" ? device.endsWith(`/${deviceId}`) : device.startsWith(`${typeId}/`);
    }

    #schedule(): void {
        if (!this.#isRunning || this.#timer) return;
        const [oldest] = this.#heard.values();
        if (oldest === undefined) return;
        const delayMs = oldest + this.#options.silentAfterMs - this.#clock.monotonicMs();
        this.#timer = this.#clock.setTimer(delayMs, () => {
            this.#timer = undefined;
            this.#reportDue();
        });
    }

    #reportDue(): void {
        const dueMs = this.#clock.monotonicMs() - this.#options.silentAfterMs;
        let left = reportsPerTurn;
        for (const [device, heardMs] of this.#heard) {
            if (heardMs > dueMs || left === 0) break;
            left -= 1;
            this.#heard.delete(device);
            // The inventory may have made room.
            if (this.#inventory.lastEventAt(device) === undefined) continue;
            this.silent.add(device);
            this.#report(device, true);
        }
        this.#schedule();
    }

    #report(device: string, silent: boolean): void {
        const lastEventAt = this.#inventory.lastEventAt(device) ?? 0;
        this.#listener({
            ...parseDeviceKey(device),
            silent,
            since: new Date(this.#clock.now()).toISOString(),
            ...(lastEventAt > 0 && { lastEvent: new Date(lastEventAt).toISOString() }),
        });
    }
}
