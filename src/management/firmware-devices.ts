import type { Clock } from "../clock";
import { type DeviceAddress, deviceKey, parseDeviceKey } from "../protocol/identity";
import {
    emptyRecord,
    type FirmwareImage,
    type FirmwareRecord,
    type FirmwareStore,
    isEmpty,
    parseImage,
    parseRecord,
} from "./device-firmware";
import { changeBetween, describeStatus, type FirmwareStep, firmwareField, nextStatus } from "./firmware-status";
import type { OwnRequest } from "./own-requests";
import type { Pacer } from "./paced-tasks";
import { isLinkLoss } from "./ports";
import type { FirmwareReport, FlowOutcome } from "./responder";

const storeKind = "firmware";

/** A device makes a handful of steps for one update; more that nobody could be told are the sign of a loop in a flow. */
const maxUnsent = 16;

/** What the firmware states need from the rest of device management. */
export interface FirmwareDevicesListener {
    /** Sends a notification and settles with the platform's answer. */
    send(request: OwnRequest, settle: (outcome: FlowOutcome) => void): void;
    /** A notification was answered, or failed for good. */
    reported(report: FirmwareReport, outcome: FlowOutcome): void;
}

/** The firmware of every device: its state over restarts, and one notification for each step while the platform observes it. */
export class FirmwareDevices {
    readonly #records = new Map<string, FirmwareRecord>();
    /** The devices whose first unsent step is on its way, each with the round of the connection it was sent over. */
    readonly #notifying = new Map<string, number>();
    readonly #clock: Clock;
    readonly #store: FirmwareStore;
    readonly #pacer: Pacer;
    readonly #listener: FirmwareDevicesListener;
    #isLinkUp = false;
    #generation = 0;

    constructor(clock: Clock, store: FirmwareStore, pacer: Pacer, listener: FirmwareDevicesListener) {
        this.#clock = clock;
        this.#store = store;
        this.#pacer = pacer;
        this.#listener = listener;
    }

    /** Takes over what the store holds, once it can be read; what changed meanwhile counts more. */
    restore(): void {
        for (const [device, text] of this.#store.entries(storeKind)) {
            if (!this.#records.has(device)) this.#records.set(device, parseRecord(text));
        }
        if (this.#isLinkUp) this.linkUp();
    }

    /** Notifications that could not be sent are sent now, in order. */
    linkUp(): void {
        this.#isLinkUp = true;
        for (const [device, { unsent }] of this.#records) if (unsent.length > 0) this.#notify(device);
    }

    /** Notifications wait for the next connection. */
    linkDown(): void {
        this.#isLinkUp = false;
        this.#generation++;
        this.#pacer.clear();
        this.#notifying.clear();
    }

    /** Why a download cannot begin, or undefined when it can. */
    downloadProblem(device: DeviceAddress): string | undefined {
        const { status, image } = this.#get(device);
        if (status.state !== 0) return `The firmware is ${describeStatus(status)}; a download can only begin when it is idle.`;
        if (image.uri === undefined) return "No firmware uri was set; send a device update of mgmt.firmware first.";
        return URL.canParse(image.uri) ? undefined : "The firmware uri is not a valid URI.";
    }

    /** Why an update cannot begin, or undefined when it can. */
    updateProblem(device: DeviceAddress): string | undefined {
        const { status } = this.#get(device);
        if (describeStatus(status) === "downloaded") return undefined;
        return `The firmware is ${describeStatus(status)}; an update can only begin when it is downloaded.`;
    }

    /** What the platform or the flow set as the image. */
    image(device: DeviceAddress): FirmwareImage {
        return this.#get(device).image;
    }

    /** The whole attribute, as an observer sees it. */
    attribute(device: DeviceAddress): Record<string, unknown> {
        const { image, status, updatedDateTime } = this.#get(device);
        return { ...image, ...status, ...(updatedDateTime !== undefined && { updatedDateTime }) };
    }

    /** The version the last update brought to the device, if there was one. */
    installedVersion(device: DeviceAddress): string | undefined {
        return this.#get(device).installedVersion;
    }

    /** Takes over what a device update says of the image. The state stays: only the device knows it. */
    describe(device: DeviceAddress, value: unknown): void {
        const record = this.#get(device);
        this.#put(device, { ...record, image: { ...record.image, ...parseImage(value) }, updatedDateTime: this.#time() });
    }

    /** The platform wants to be notified from now on, or no longer. */
    observe(device: DeviceAddress, observed: boolean): void {
        const record = this.#get(device);
        this.#put(device, { ...record, observed, unsent: observed ? record.unsent : [] });
    }

    /**
     * Makes a step and notifies the platform if it observes the device; without a connection, as soon as there is one.
     * @returns whether an update was completed by this step
     * @throws GW_DM_INVALID when the step does not follow from the state
     */
    advance(device: DeviceAddress, step: FirmwareStep, reason: unknown): boolean {
        const record = this.#get(device);
        const status = nextStatus(record.status, step, reason);
        const change = changeBetween(record.status, status);
        if (!change) return false;
        const unsent = record.observed ? [...record.unsent, { step, change }].slice(-maxUnsent) : record.unsent;
        const { version } = record.image;
        const installed = step === "updated" && version !== undefined ? { installedVersion: version } : undefined;
        this.#put(device, { ...record, status, unsent, updatedDateTime: this.#time(), ...installed });
        this.#notify(deviceKey(device));
        return step === "updated";
    }

    /** Resolves when every step made so far is durable; rejects when it cannot be stored. */
    saved(): Promise<void> {
        return this.#store.flush();
    }

    #notify(key: string): void {
        if (!this.#isLinkUp || this.#notifying.has(key) || !this.#records.get(key)?.unsent.length) return;
        this.#notifying.set(key, this.#generation);
        this.#pacer.add((finished) => this.#sendFirst(key, finished));
    }

    #sendFirst(key: string, finished: () => void): void {
        const device = parseDeviceKey(key);
        const first = this.#get(device).unsent[0];
        if (!first) {
            this.#notifying.delete(key);
            finished();
            return;
        }
        const generation = this.#generation;
        const data = { fields: [{ field: firmwareField, value: first.change }] };
        this.#listener.send({ device, action: "notify", data, reply: true }, (outcome) => {
            finished();
            if (this.#notifying.get(key) === generation) this.#notifying.delete(key);
            if (outcome.error && isLinkLoss(outcome.error)) return;
            const record = this.#get(device);
            if (record.unsent[0] === first) this.#put(device, { ...record, unsent: record.unsent.slice(1) });
            this.#listener.reported({ ...device, action: "firmware", step: first.step }, outcome);
            this.#notify(key);
        });
    }

    #get(device: DeviceAddress): FirmwareRecord {
        return this.#records.get(deviceKey(device)) ?? emptyRecord;
    }

    #put(device: DeviceAddress, record: FirmwareRecord): void {
        const key = deviceKey(device);
        if (isEmpty(record)) {
            this.#records.delete(key);
            this.#store.remove(storeKind, key);
            return;
        }
        this.#records.set(key, record);
        this.#store.put(storeKind, key, JSON.stringify(record));
    }

    #time(): string {
        return new Date(this.#clock.now()).toISOString();
    }
}
