import type { Clock, Timer } from "../clock";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { type DeviceAddress, deviceKey, parseDeviceKey } from "../protocol/identity";
import { isSuccess, type ManagementAnswer } from "../protocol/management";
import type { RequestData } from "../protocol/management-request";
import { ManagedDevice } from "./managed-device";
import type { OwnRequest } from "./own-requests";
import type { PacedTasks } from "./paced-tasks";
import { isLinkLoss } from "./ports";
import type { FlowOutcome, Responder } from "./responder";
import type { CountedKind } from "./responders";

/**
 * Keeps devices managed: on every connection, when first seen, before a lifetime ends, and after a configuration changed. The cost of an
 * event or an answer does not grow with the number of devices; what concerns all of them is done a thousand in each turn of the event
 * loop.
 */
export class ManagedDevices {
    readonly #clock: Clock;
    readonly #random: () => number;
    readonly #tasks: PacedTasks;
    readonly #listener: ManagedDevicesListener;
    readonly #reports: ManageReports;
    readonly #devices = new Map<string, ManagedDevice>();
    #isListening = false;
    #connectionNumber = 0;
    /** The devices that have not been reviewed yet. */
    #toReview: Iterator<[string, ManagedDevice]> | undefined;
    #reviewTimer: Timer | undefined;
    #checkTimer: Timer | undefined;

    constructor({ clock, random, tasks, listener }: ManagedDevicesDeps) {
        this.#clock = clock;
        this.#random = random;
        this.#tasks = tasks;
        this.#listener = listener;
        this.#reports = new ManageReports((device, error) => listener.failed(device, error));
    }

    /** The platform's answers can be received on this connection: every device is managed again. */
    listening(): void {
        this.#isListening = true;
        this.#connectionNumber += 1;
        this.#reports.listening();
        this.reviewAll();
        this.#scheduleCheck();
    }

    /** Nothing is sent until the next `listening`. */
    linkDown(): void {
        this.#isListening = false;
        this.#connectionNumber += 1;
        this.#tasks.clear();
        this.#checkTimer?.cancel();
        this.#checkTimer = undefined;
    }

    /** Ends every timer. */
    close(): void {
        this.linkDown();
        this.#reviewTimer?.cancel();
    }

    /** Whether a device showed up before. */
    has(key: string): boolean {
        return this.#devices.has(key);
    }

    /** A device showed up. Cheap for a known one, as this is called for every event. */
    seen(key: string): void {
        if (this.#devices.has(key)) return;
        if (this.#devices.size >= maxDevices) {
            this.#reports.tooMany(parseDeviceKey(key));
            return;
        }
        const device = new ManagedDevice();
        this.#devices.set(key, device);
        this.#review(key, device);
    }

    /** Responders or their settings have changed: devices whose request would now be another one are managed again. */
    reviewAll(): void {
        this.#toReview = this.#devices.entries();
        this.#reviewNext();
    }

    /** The same for one device. */
    review(address: DeviceAddress): void {
        const key = deviceKey(address);
        const device = this.#devices.get(key);
        if (device) this.#review(key, device);
    }

    /** The platform accepted a flow's own manage or unmanage request. */
    acceptedFromFlow(address: DeviceAddress, action: "manage" | "unmanage", lifetimeS: number): void {
        const key = deviceKey(address);
        this.seen(key);
        const device = this.#devices.get(key);
        if (!device) return;
        this.#change(device, () => {
            device.acceptedFromFlow(this.#listener.plan(address)?.text, this.#connectionNumber);
            if (action === "manage") device.accepted(lifetimeS, this.#clock.monotonicMs(), this.#random);
            else device.unmanaged();
        });
    }

    /** Where a device stands; undefined = it is not managed. */
    phaseOf(key: string): ManagedPhase | undefined {
        const device = this.#devices.get(key);
        if (!device || device.phase === "unmanaged") return undefined;
        if (device.phase === "waiting" && !device.owner) return undefined;
        return device.isDormant(this.#clock.monotonicMs()) ? "dormant" : device.phase;
    }

    /** Forgets a device: when it shows up again, it is managed like a new one. */
    forget(key: string): void {
        const device = this.#devices.get(key);
        if (!device) return;
        this.#change(device, () => device.assign(undefined));
        this.#devices.delete(key);
    }

    /** The device was asked to restart; see `ManagedDevice`. */
    restarting(address: DeviceAddress): void {
        this.#devices.get(deviceKey(address))?.restarting();
    }

    #reviewNext(): void {
        this.#reviewTimer?.cancel();
        for (let count = 0; count < devicesPerTurn; count++) {
            const next = this.#toReview?.next();
            if (!next || next.done) {
                this.#toReview = undefined;
                return;
            }
            this.#review(...next.value);
        }
        this.#reviewTimer = this.#clock.setTimer(0, () => this.#reviewNext());
    }

    #review(key: string, device: ManagedDevice): void {
        const plan = this.#listener.plan(parseDeviceKey(key));
        if (device.owner !== plan?.owner) this.#change(device, () => device.assign(plan?.owner));
        if (plan && this.#isListening && device.isOutdated(plan.text, this.#connectionNumber)) this.#enqueue(key, device);
    }

    #enqueue(key: string, device: ManagedDevice): void {
        if (device.ask(this.#connectionNumber)) this.#tasks.add((finished) => this.#send(key, device, finished));
    }

    #send(key: string, device: ManagedDevice, finished: () => void): void {
        const address = parseDeviceKey(key);
        const isForgotten = () => this.#devices.get(key) !== device;
        const plan = this.#listener.plan(address);
        if (!plan || device.phase === "unmanaged" || isForgotten()) {
            device.ended();
            finished();
            return;
        }
        const connectionNumber = this.#connectionNumber;
        device.sent(plan.text);
        this.#listener.send({ device: address, action: "manage", data: plan.data, reply: true }, (outcome) => {
            finished();
            if (connectionNumber !== this.#connectionNumber || isForgotten()) return;
            this.#change(device, () => this.#answered(address, device, plan, outcome));
            this.#review(key, device);
        });
    }

    #answered(address: DeviceAddress, device: ManagedDevice, { lifetimeS }: ManagePlan, { answer, error }: FlowOutcome): void {
        device.ended();
        const nowMs = this.#clock.monotonicMs();
        if (answer && isSuccess(answer.rc)) device.accepted(lifetimeS, nowMs, this.#random);
        else if (answer && finalCodes.has(answer.rc)) {
            if (device.rejected(answer.rc)) this.#reports.rejected(address, answer);
        } else if (answer) {
            // Busy is not worth a report, nor is it remembered as the last one.
            const rc = answer.rc === busy ? undefined : answer.rc;
            if (device.postponed(rc, nowMs, this.#random)) this.#reports.notAccepted(address, answer);
        } else if (error && !isLinkLoss(error)) {
            device.postponed(undefined, nowMs, this.#random);
            this.#reports.unanswered(address, error);
        }
    }

    /** Changes where a device stands, and the counts of its responder with it. */
    #change(device: ManagedDevice, change: () => void): void {
        this.#count(device, -1);
        change();
        this.#count(device, 1);
    }

    #count({ owner, phase, reportedRc }: ManagedDevice, by: 1 | -1): void {
        if (!owner || phase === "unmanaged") return;
        const rc = phase === "rejected" ? reportedRc : undefined;
        this.#listener.counted(owner, phase === "waiting" ? "pending" : phase, by, rc);
    }

    #scheduleCheck(): void {
        this.#checkTimer?.cancel();
        this.#checkTimer = this.#clock.setTimer(checkEveryMs, () => {
            const nowMs = this.#clock.monotonicMs();
            for (const [key, device] of this.#devices) if (device.isDue(nowMs) && device.owner) this.#enqueue(key, device);
            this.#scheduleCheck();
        });
    }
}

/** What automatic management works with. */
export interface ManagedDevicesDeps {
    readonly clock: Clock;
    /** A number from 0 to 1, to spread what many devices would do at once. */
    readonly random: () => number;
    /** How fast requests are sent. */
    readonly tasks: PacedTasks;
    readonly listener: ManagedDevicesListener;
}

/** What automatic management needs from the rest. */
export interface ManagedDevicesListener {
    /** What to send for a device; undefined when no responder keeps it managed. */
    plan(device: DeviceAddress): ManagePlan | undefined;
    send(request: OwnRequest, settle: (outcome: FlowOutcome) => void): void;
    /** The platform rejected a device, or did not answer. */
    failed(device: DeviceAddress, error: GatewayError): void;
    /** A responder has one device more or less of a kind; `rc` is the code that the platform gave for it. */
    counted(owner: Responder, kind: CountedKind, by: 1 | -1, rc?: number): void;
}

/** What is sent for a device automatically. */
export interface ManagePlan {
    /** Whose device it is. */
    readonly owner: Responder;
    readonly lifetimeS: number;
    readonly data: RequestData;
    /** The data as JSON text, to compare two requests by. */
    readonly text: string;
}

/** Where a device stands; `dormant` = its lifetime ended without a renewal. */
export type ManagedPhase = "waiting" | "managed" | "rejected" | "dormant";

/** How many devices are managed automatically at most; the platform's requests are limited to far fewer. */
const maxDevices = 100_000;
const devicesPerTurn = 1000;
const checkEveryMs = 5000;
/** With these codes the platform will not manage the device, however often it is asked. */
const finalCodes: ReadonlySet<number> = new Set([400, 403, 404]);
const busy = 409;

/** Reports why devices are not managed: silence once on each connection, too many devices once. */
class ManageReports {
    readonly #report: (device: DeviceAddress, error: GatewayError) => void;
    #hasReportedSilence = false;
    #hasReportedTooMany = false;

    constructor(report: (device: DeviceAddress, error: GatewayError) => void) {
        this.#report = report;
    }

    /** A new connection: if the platform does not answer on it either, that is reported again. */
    listening(): void {
        this.#hasReportedSilence = false;
    }

    rejected(device: DeviceAddress, { rc, message }: ManagementAnswer): void {
        const key = deviceKey(device);
        const text = message
            ? translate("management.rejectedReason", { device: key, rc, reason: message })
            : translate("management.rejected", { device: key, rc });
        this.#report(device, new GatewayError("GW_DM_REJECTED", text, { rc, willRetry: false }));
    }

    notAccepted(device: DeviceAddress, { rc, message }: ManagementAnswer): void {
        const key = deviceKey(device);
        const text = message
            ? translate("management.notAcceptedReason", { device: key, rc, reason: message })
            : translate("management.notAccepted", { device: key, rc });
        this.#report(device, new GatewayError("GW_DM_REJECTED", text, { rc, willRetry: true }));
    }

    /** A held device was reported where it was refused. Silence is reported once, as usually no request is answered at all. */
    unanswered(device: DeviceAddress, error: GatewayError): void {
        if (error.code === "GW_DEVICE_HELD") return;
        if (error.code === "GW_DM_TIMEOUT") {
            if (this.#hasReportedSilence) return;
            this.#hasReportedSilence = true;
        }
        this.#report(device, error);
    }

    tooMany(device: DeviceAddress): void {
        if (this.#hasReportedTooMany) return;
        this.#hasReportedTooMany = true;
        const text = translate("management.tooManyDevices", { device: deviceKey(device), count: maxDevices });
        this.#report(device, new GatewayError("GW_DM_INVALID", text));
    }
}
