import type { Clock, Timer } from "../clock";
import type { GatewayError } from "../errors";
import { type DeviceAddress, deviceKey, parseDeviceKey } from "../protocol/identity";
import type { RequestData } from "../protocol/management-request";
import { ManageFailures } from "./manage-failures";
import { ManagedDevice } from "./managed-device";
import type { OwnRequest } from "./own-requests";
import type { Pacer } from "./paced-tasks";
import { isLinkLoss } from "./ports";
import type { FlowOutcome } from "./responder";

/** What is sent for a device without being asked for. */
export interface ManagePlan {
    readonly lifetimeS: number;
    readonly data: RequestData;
}

/** What automatic management needs from the rest. */
export interface ManagedDevicesListener {
    /** What to send for a device; undefined when no responder manages it. */
    plan(device: DeviceAddress): ManagePlan | undefined;
    send(request: OwnRequest, settle: (outcome: FlowOutcome) => void): void;
    /** The platform refused a device, or did not answer. */
    failed(device: DeviceAddress, error: GatewayError): void;
    changed(): void;
}

/** Where a device stands; `dormant` = its lifetime ended without a renewal. */
export type ManagedPhase = "waiting" | "managed" | "rejected" | "dormant";

/** How many devices are managed by themselves at most; the platform's requests are limited to far fewer. */
const maxDevices = 100_000;
const checkEveryMs = 5000;

/** Keeps devices managed: on every connect, when first seen, before a lifetime ends, and after a configuration changed. */
export class ManagedDevices {
    readonly #clock: Clock;
    readonly #random: () => number;
    readonly #pacer: Pacer;
    readonly #listener: ManagedDevicesListener;
    readonly #failures: ManageFailures;
    readonly #devices = new Map<string, ManagedDevice>();
    #isListening = false;
    #generation = 0;
    #checkTimer: Timer | undefined;

    constructor(clock: Clock, random: () => number, pacer: Pacer, listener: ManagedDevicesListener) {
        this.#clock = clock;
        this.#random = random;
        this.#pacer = pacer;
        this.#listener = listener;
        this.#failures = new ManageFailures((device, error) => listener.failed(device, error));
    }

    /** The platform's answers can be received: every device is managed anew. */
    listening(): void {
        this.#isListening = true;
        this.#failures.listening();
        for (const [key, device] of this.#devices) if (device.phase !== "unmanaged") this.#enqueue(key, device);
        this.#scheduleCheck();
    }

    /** Nothing is sent until the next `listening`. */
    linkDown(): void {
        this.#isListening = false;
        this.#generation++;
        this.#pacer.clear();
        this.#checkTimer?.cancel();
        this.#checkTimer = undefined;
        for (const device of this.#devices.values()) device.isQueued = false;
    }

    /** Whether a device showed up before. */
    has(key: string): boolean {
        return this.#devices.has(key);
    }

    /** A device showed up. Cheap for one that is known, as this is called for every event. */
    seen(key: string): void {
        if (this.#devices.has(key)) return;
        if (this.#devices.size >= maxDevices) {
            this.#failures.tooMany(parseDeviceKey(key), maxDevices);
            return;
        }
        const device = new ManagedDevice();
        this.#devices.set(key, device);
        if (this.#isListening) this.#enqueue(key, device);
    }

    /** Manages every device whose request would now differ from the one that the platform accepted. */
    plansChanged(): void {
        for (const [key, device] of this.#devices) this.#refresh(key, device);
        this.#listener.changed();
    }

    /** The same for one device. */
    planChanged(address: DeviceAddress): void {
        const key = deviceKey(address);
        const device = this.#devices.get(key);
        if (device) this.#refresh(key, device);
    }

    /** A flow's own manage or unmanage request was accepted. */
    acceptedFromFlow(address: DeviceAddress, action: "manage" | "unmanage", lifetimeS: number): void {
        const key = deviceKey(address);
        this.seen(key);
        const device = this.#devices.get(key);
        if (!device) return;
        const plan = this.#listener.plan(address);
        device.accepted = plan && JSON.stringify(plan.data);
        if (action === "manage") device.managed(lifetimeS, this.#clock.monotonicMs(), this.#random);
        else device.unmanaged();
        this.#listener.changed();
    }

    /** Where a device stands; undefined = it is not managed. */
    phaseOf(key: string): ManagedPhase | undefined {
        const device = this.#devices.get(key);
        if (!device || device.phase === "unmanaged") return undefined;
        if (device.phase === "waiting" && !this.#listener.plan(parseDeviceKey(key))) return undefined;
        return device.isDormant(this.#clock.monotonicMs()) ? "dormant" : device.phase;
    }

    /** Forgets a device: when it shows up again, it is managed anew. */
    forget(key: string): void {
        if (this.#devices.delete(key)) this.#listener.changed();
    }

    /** The device was asked to restart: a renewal must not tell the platform that it has, unless its lifetime ends. */
    restarting(address: DeviceAddress): void {
        this.#devices.get(deviceKey(address))?.restarting();
    }

    /** Tells the condition of each device that is kept managed. */
    forEach(visit: (device: DeviceAddress, phase: "waiting" | "managed" | "rejected", rc: number | undefined) => void): void {
        for (const [key, { phase, reportedRc }] of this.#devices) if (phase !== "unmanaged") visit(parseDeviceKey(key), phase, reportedRc);
    }

    #refresh(key: string, device: ManagedDevice): void {
        if (!this.#isListening || device.phase === "unmanaged") return;
        const plan = this.#listener.plan(parseDeviceKey(key));
        if (plan && JSON.stringify(plan.data) !== device.accepted) this.#enqueue(key, device);
    }

    #enqueue(key: string, device: ManagedDevice): void {
        if (device.isQueued || !this.#listener.plan(parseDeviceKey(key))) return;
        device.queued();
        this.#pacer.add((finished) => this.#send(key, device, finished));
    }

    #send(key: string, device: ManagedDevice, finished: () => void): void {
        const address = parseDeviceKey(key);
        const plan = this.#listener.plan(address);
        if (!plan || device.phase === "unmanaged") {
            device.isQueued = false;
            finished();
            return;
        }
        const generation = this.#generation;
        this.#listener.send({ device: address, action: "manage", data: plan.data, reply: true }, (outcome) => {
            finished();
            if (generation !== this.#generation) return;
            device.isQueued = false;
            if (outcome.answer?.rc === 200) {
                device.accepted = JSON.stringify(plan.data);
                device.reportedRc = undefined;
                device.managed(plan.lifetimeS, this.#clock.monotonicMs(), this.#random);
                this.#refresh(key, device);
            } else this.#notManaged(address, device, outcome);
            this.#listener.changed();
        });
    }

    #notManaged(address: DeviceAddress, device: ManagedDevice, { answer, error }: FlowOutcome): void {
        if (answer && (answer.rc === 400 || answer.rc === 403 || answer.rc === 404)) {
            device.rejected();
            if (isNews(device, answer.rc)) this.#failures.rejected(address, answer);
            return;
        }
        if (error && isLinkLoss(error)) return;
        device.retryLater(this.#clock.monotonicMs(), this.#random);
        if (answer && answer.rc !== 409) {
            if (isNews(device, answer.rc)) this.#failures.notAccepted(address, answer);
        } else if (error) this.#failures.unanswered(address, error);
    }

    #scheduleCheck(): void {
        this.#checkTimer?.cancel();
        this.#checkTimer = this.#clock.setTimer(checkEveryMs, () => {
            const nowMs = this.#clock.monotonicMs();
            for (const [key, device] of this.#devices) if (device.isDue(nowMs)) this.#enqueue(key, device);
            this.#scheduleCheck();
        });
    }
}

/** Whether this code was not reported for the device before; takes note of it. */
function isNews(device: ManagedDevice, rc: number): boolean {
    if (device.reportedRc === rc) return false;
    device.reportedRc = rc;
    return true;
}
