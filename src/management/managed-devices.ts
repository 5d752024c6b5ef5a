import type { Clock, Timer } from "../clock";
import { GatewayError } from "../errors";
import { type DeviceAddress, deviceKey, parseDeviceKey } from "../protocol/identity";
import type { ManagementAnswer } from "../protocol/management";
import type { RequestData } from "../protocol/management-request";
import { say } from "../words";
import { isLinkLoss } from "./link";
import type { OwnRequest } from "./own-requests";
import type { Pacer } from "./pacer";
import type { FlowOutcome } from "./responder";

/** What is sent for a device without being asked for. */
export interface ManagePlan {
    readonly lifetimeS: number;
    readonly data: RequestData;
}

/** What automatic management needs from the rest. */
export interface ManageLinks {
    /** What to send for a device; undefined when no responder manages it. */
    plan(device: DeviceAddress): ManagePlan | undefined;
    send(request: OwnRequest, settle: (outcome: FlowOutcome) => void): void;
    /** The platform refused a device, or did not answer. */
    failed(device: DeviceAddress, error: GatewayError): void;
    changed(): void;
}

type Phase = "waiting" | "managed" | "rejected" | "unmanaged";

/** Where a device stands; `dormant` = its lifetime ended without a renewal. */
export type ManagedPhase = "waiting" | "managed" | "rejected" | "dormant";

interface Device {
    phase: Phase;
    isQueued: boolean;
    /** When to send the next request, on the monotonic clock; undefined = not by itself. */
    dueMs?: number | undefined;
    /** When the lifetime the platform was told ends. */
    lifetimeEndMs?: number | undefined;
    /** What the platform accepted last, to notice a changed configuration. */
    accepted?: string | undefined;
    retryMs: number;
    /** The code that was reported last, so that a device rejected on each connect is reported once. */
    reportedRc?: number | undefined;
}

/** How many devices are managed by themselves at most; the platform's requests are limited to far fewer. */
const maxDevices = 100_000;
const firstRetryMs = 60_000;
const longestRetryMs = 3_600_000;
const checkEveryMs = 5000;
/** A lifetime is renewed this long before its end, and up to a tenth of it earlier, so that many devices spread. */
const renewalMarginMs = 120_000;
/** A device that is restarting is renewed only so shortly before its lifetime ends: a manage request tells that the restart is over. */
const restartMarginMs = 30_000;

/** Keeps devices managed: on every connect, when first seen, before a lifetime ends, and after a configuration changed. */
export class ManagedDevices {
    readonly #clock: Clock;
    readonly #random: () => number;
    readonly #pacer: Pacer;
    readonly #links: ManageLinks;
    readonly #devices = new Map<string, Device>();
    #isListening = false;
    #hasReportedSilence = false;
    #hasReportedTooMany = false;
    #round = 0;
    #checkTimer: Timer | undefined;

    constructor(clock: Clock, random: () => number, pacer: Pacer, links: ManageLinks) {
        this.#clock = clock;
        this.#random = random;
        this.#pacer = pacer;
        this.#links = links;
    }

    /** The platform's answers can be received: every device is managed anew. */
    listening(): void {
        this.#isListening = true;
        this.#hasReportedSilence = false;
        for (const [key, device] of this.#devices) if (device.phase !== "unmanaged") this.#enqueue(key, device);
        this.#scheduleCheck();
    }

    /** Nothing is sent until the next `listening`. */
    linkDown(): void {
        this.#isListening = false;
        this.#round++;
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
            this.#reportTooMany(key);
            return;
        }
        const device: Device = { phase: "waiting", isQueued: false, retryMs: firstRetryMs };
        this.#devices.set(key, device);
        if (this.#isListening) this.#enqueue(key, device);
    }

    /** Manages every device whose request would now differ from the one that the platform accepted. */
    plansChanged(): void {
        for (const [key, device] of this.#devices) this.#refresh(key, device);
        this.#links.changed();
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
        const plan = this.#links.plan(address);
        device.accepted = plan && JSON.stringify(plan.data);
        if (action === "manage") this.#managed(device, lifetimeS);
        else {
            device.phase = "unmanaged";
            device.dueMs = undefined;
            device.lifetimeEndMs = undefined;
        }
        this.#links.changed();
    }

    /** Where a device stands; undefined = it is not managed. */
    phaseOf(key: string): ManagedPhase | undefined {
        const device = this.#devices.get(key);
        if (!device || device.phase === "unmanaged") return undefined;
        const { phase, lifetimeEndMs } = device;
        if (phase === "waiting" && !this.#links.plan(parseDeviceKey(key))) return undefined;
        return lifetimeEndMs !== undefined && lifetimeEndMs <= this.#clock.monotonicMs() ? "dormant" : phase;
    }

    /** Forgets a device: when it shows up again, it is managed anew. */
    forget(key: string): void {
        if (this.#devices.delete(key)) this.#links.changed();
    }

    /** The device was asked to restart: a renewal must not tell the platform that it has, unless its lifetime ends. */
    restarting(address: DeviceAddress): void {
        const device = this.#devices.get(deviceKey(address));
        if (device?.lifetimeEndMs !== undefined) device.dueMs = device.lifetimeEndMs - restartMarginMs;
    }

    /** Tells the condition of each device that is kept managed. */
    forEach(tell: (device: DeviceAddress, phase: "waiting" | "managed" | "rejected", rc: number | undefined) => void): void {
        for (const [key, { phase, reportedRc }] of this.#devices) if (phase !== "unmanaged") tell(parseDeviceKey(key), phase, reportedRc);
    }

    #refresh(key: string, device: Device): void {
        if (!this.#isListening || device.phase === "unmanaged") return;
        const plan = this.#links.plan(parseDeviceKey(key));
        if (plan && JSON.stringify(plan.data) !== device.accepted) this.#enqueue(key, device);
    }

    #enqueue(key: string, device: Device): void {
        if (device.isQueued || !this.#links.plan(parseDeviceKey(key))) return;
        device.isQueued = true;
        device.dueMs = undefined;
        this.#pacer.add((finished) => this.#send(key, device, finished));
    }

    #send(key: string, device: Device, finished: () => void): void {
        const address = parseDeviceKey(key);
        const plan = this.#links.plan(address);
        if (!plan || device.phase === "unmanaged") {
            device.isQueued = false;
            finished();
            return;
        }
        const round = this.#round;
        this.#links.send({ device: address, action: "manage", data: plan.data, reply: true }, (outcome) => {
            finished();
            if (round !== this.#round) return;
            device.isQueued = false;
            if (outcome.answer?.rc === 200) {
                device.accepted = JSON.stringify(plan.data);
                device.reportedRc = undefined;
                this.#managed(device, plan.lifetimeS);
                this.#refresh(key, device);
            } else this.#notManaged(address, device, outcome);
            this.#links.changed();
        });
    }

    #managed(device: Device, lifetimeS: number): void {
        const nowMs = this.#clock.monotonicMs();
        const lifetimeMs = lifetimeS * 1000;
        device.phase = "managed";
        device.retryMs = firstRetryMs;
        device.lifetimeEndMs = lifetimeMs > 0 ? nowMs + lifetimeMs : undefined;
        device.dueMs = lifetimeMs > 0 ? nowMs + lifetimeMs * (1 - this.#random() / 10) - renewalMarginMs : undefined;
    }

    #notManaged(address: DeviceAddress, device: Device, { answer, error }: FlowOutcome): void {
        const name = deviceKey(address);
        if (answer && (answer.rc === 400 || answer.rc === 403 || answer.rc === 404)) {
            device.phase = "rejected";
            device.dueMs = undefined;
            this.#report(address, device, answer.rc, rejected(name, answer), false);
            return;
        }
        if (error && isLinkLoss(error)) return;
        device.dueMs = this.#clock.monotonicMs() + device.retryMs * (1 + this.#random() / 10);
        device.retryMs = Math.min(device.retryMs * 2, longestRetryMs);
        if (answer && answer.rc !== 409) {
            this.#report(address, device, answer.rc, notAccepted(name, answer), true);
        } else if (error) this.#reportFailure(address, error);
    }

    /** A held device is reported where it was refused, and silence once, as it usually means that nobody answers at all. */
    #reportFailure(address: DeviceAddress, error: GatewayError): void {
        if (error.code === "GW_DEVICE_HELD") return;
        if (error.code === "GW_DM_TIMEOUT") {
            if (this.#hasReportedSilence) return;
            this.#hasReportedSilence = true;
        }
        this.#links.failed(address, error);
    }

    #reportTooMany(key: string): void {
        if (this.#hasReportedTooMany) return;
        this.#hasReportedTooMany = true;
        const text = say("management.tooManyDevices", { device: key, count: maxDevices });
        this.#links.failed(parseDeviceKey(key), new GatewayError("GW_DM_INVALID", text));
    }

    #report(address: DeviceAddress, device: Device, rc: number, text: string, willRetry: boolean): void {
        if (device.reportedRc === rc) return;
        device.reportedRc = rc;
        this.#links.failed(address, new GatewayError("GW_DM_REJECTED", text, { rc, willRetry }));
    }

    #scheduleCheck(): void {
        this.#checkTimer?.cancel();
        this.#checkTimer = this.#clock.setTimer(checkEveryMs, () => {
            const nowMs = this.#clock.monotonicMs();
            for (const [key, device] of this.#devices) if (device.dueMs !== undefined && device.dueMs <= nowMs) this.#enqueue(key, device);
            this.#scheduleCheck();
        });
    }
}

function rejected(device: string, { rc, message }: ManagementAnswer): string {
    if (!message) return say("management.rejected", { device, rc });
    return say("management.rejectedReason", { device, rc, reason: message });
}

function notAccepted(device: string, { rc, message }: ManagementAnswer): string {
    if (!message) return say("management.notAccepted", { device, rc });
    return say("management.notAcceptedReason", { device, rc, reason: message });
}
