import type { Clock } from "../clock";
import { type DeviceAddress, deviceKey, parseDeviceKey } from "../protocol/identity";
import { DeviceFirmware, type FirmwareStep, firmwareField } from "./device-firmware";
import type { OwnRequest } from "./own-requests";
import type { PacedTasks } from "./paced-tasks";
import { type FirmwareStore, isLinkLoss } from "./ports";
import type { FirmwareReport, FlowOutcome } from "./responder";

/**
 * The firmware of every device: kept over restarts, with one notification for each step while the platform observes the device.
 * The notifications of a device are sent in order, one at a time. One that the connection cut off is sent again over the next.
 */
export class FirmwareDevices {
    readonly #devices = new Map<string, DeviceFirmware>();
    /** The devices whose oldest unsent step is on its way, each with the connection that it was sent over. */
    readonly #notifying = new Map<string, number>();
    readonly #clock: Clock;
    readonly #store: FirmwareStore;
    readonly #tasks: PacedTasks;
    readonly #listener: FirmwareDevicesListener;
    #isLinkUp = false;
    #connectionNumber = 0;

    constructor({ clock, store, tasks, listener }: FirmwareDevicesDeps) {
        this.#clock = clock;
        this.#store = store;
        this.#tasks = tasks;
        this.#listener = listener;
    }

    /** Loads the stored states, once the store can be read. A state that changed meanwhile takes precedence. */
    restore(): void {
        for (const [key, text] of this.#store.entries(storeKind)) {
            if (!this.#devices.has(key)) this.#devices.set(key, DeviceFirmware.parse(text));
        }
        if (this.#isLinkUp) this.linkUp();
    }

    /** Steps that could not be sent are sent now, in order. */
    linkUp(): void {
        this.#isLinkUp = true;
        for (const key of this.#devices.keys()) this.#notify(key);
    }

    /** Steps wait for the next connection. */
    linkDown(): void {
        this.#isLinkUp = false;
        this.#connectionNumber += 1;
        this.#tasks.clear();
        this.#notifying.clear();
    }

    /** The firmware of a device at this moment. */
    of(device: DeviceAddress): FirmwareView {
        return this.#devices.get(deviceKey(device)) ?? new DeviceFirmware();
    }

    /** A device update described the image. */
    describe(device: DeviceAddress, image: unknown): void {
        this.#change(deviceKey(device), (firmware) => firmware.describe(image, this.#time()));
    }

    /** From now on the platform wants to be notified, or does not. */
    observe(device: DeviceAddress, isObserved: boolean): void {
        this.#change(deviceKey(device), (firmware) => firmware.observe(isObserved));
    }

    /**
     * Makes a step and notifies the platform if it observes the device; without a connection, as soon as there is one.
     * @returns whether an update was completed by this step
     * @throws GW_DM_INVALID when the step does not follow from the status
     */
    advance(device: DeviceAddress, step: FirmwareStep, reason: unknown): boolean {
        const key = deviceKey(device);
        if (!this.#change(key, (firmware) => firmware.advance(step, reason, this.#time()))) return false;
        this.#notify(key);
        return step === "updated";
    }

    /** Resolves when every step made so far is durable; rejects when it cannot be stored. */
    saved(): Promise<void> {
        return this.#store.flush();
    }

    #notify(key: string): void {
        if (!this.#isLinkUp || this.#notifying.has(key) || !this.#devices.get(key)?.firstUnsent) return;
        this.#notifying.set(key, this.#connectionNumber);
        this.#tasks.add((finished) => this.#sendFirst(key, finished));
    }

    #sendFirst(key: string, finished: () => void): void {
        const device = parseDeviceKey(key);
        const first = this.#devices.get(key)?.firstUnsent;
        if (!first) {
            this.#notifying.delete(key);
            finished();
            return;
        }
        const connectionNumber = this.#connectionNumber;
        const data = { fields: [{ field: firmwareField, value: first.change }] };
        this.#listener.send({ device, action: "notify", data, reply: true }, (outcome) => {
            finished();
            if (this.#notifying.get(key) === connectionNumber) this.#notifying.delete(key);
            if (outcome.error && isLinkLoss(outcome.error)) return;
            this.#change(key, (firmware) => firmware.notified(first));
            this.#listener.reported({ ...device, action: "firmware", step: first.step }, outcome);
            this.#notify(key);
        });
    }

    /** Changes the firmware of a device and stores it, unless it says nothing any more. */
    #change<T>(key: string, change: (firmware: DeviceFirmware) => T): T {
        const firmware = this.#devices.get(key) ?? new DeviceFirmware();
        const result = change(firmware);
        if (firmware.isEmpty) {
            this.#devices.delete(key);
            this.#store.remove(storeKind, key);
        } else {
            this.#devices.set(key, firmware);
            this.#store.put(storeKind, key, JSON.stringify(firmware));
        }
        return result;
    }

    #time(): string {
        return new Date(this.#clock.now()).toISOString();
    }
}

/** What can be read of a device's firmware. */
export type FirmwareView = Pick<DeviceFirmware, "image" | "attribute" | "installedVersion" | "downloadProblem" | "updateProblem">;

/** What the firmware of devices works with. */
export interface FirmwareDevicesDeps {
    readonly clock: Clock;
    readonly store: FirmwareStore;
    /** How fast notifications are sent. */
    readonly tasks: PacedTasks;
    readonly listener: FirmwareDevicesListener;
}

/** What the firmware of devices needs from the rest of device management. */
export interface FirmwareDevicesListener {
    /** Sends a notification and settles with the platform's answer. */
    send(request: OwnRequest, settle: (outcome: FlowOutcome) => void): void;
    /** A notification was answered, or failed for good. */
    reported(report: FirmwareReport, outcome: FlowOutcome): void;
}

const storeKind = "firmware";
