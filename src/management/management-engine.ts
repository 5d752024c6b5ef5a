import type { Clock } from "../clock";
import { toGatewayError } from "../errors";
import { type DeviceAddress, deviceKey } from "../protocol/identity";
import { parseManagementMessage } from "../protocol/management";
import { type RequestData, requestData } from "../protocol/management-request";
import { parseManagementTopic } from "../protocol/topic";
import type { FirmwareStore } from "./device-firmware";
import { FirmwareDevices } from "./firmware-devices";
import { type FlowMessage, type FlowOrder, type FlowStep, parseFlowMessage } from "./flow-message";
import { ManagedDevices, type ManagedPhase, type ManagePlan } from "./managed-devices";
import { OwnRequests } from "./own-requests";
import { type Pace, Pacer } from "./paced-tasks";
import { PlatformRequests } from "./platform-requests";
import type { ManagementLink } from "./ports";
import { RequestDispatcher } from "./request-dispatcher";
import { RequestHistory } from "./request-history";
import type { FlowOutcome, Responder, ResponderListener, ResponderOptions } from "./responder";
import { CountReports, tally } from "./responder-counts";
import { ResponderTable } from "./responders";

/** What device management works with. */
export interface ManagementEngineDeps {
    readonly gateway: DeviceAddress;
    readonly link: ManagementLink;
    readonly store: FirmwareStore;
    readonly clock: Clock;
    /** A number from 0 to 1, to spread what many devices would do at once. */
    readonly random: () => number;
    /** A new id for a request; never the same twice. */
    readonly createId: () => string;
    /** How long the platform has to answer our requests; 60 s unless given. */
    readonly requestTimeoutMs?: number;
    /** How fast manage requests are sent by themselves; 50 a second with 16 unanswered unless given. */
    readonly pace?: Pace;
}

/** A responder's place in the engine. */
export interface AttachedResponder {
    /**
     * Takes a message of the flow: an answer, a request of our own or a firmware step. `settle` is called exactly once: with
     * the platform's answer to a request, with nothing when an answer was acknowledged or a step is durable, or with the error.
     */
    input(message: FlowMessage, settle: (outcome: FlowOutcome) => void): void;
    /** Ends it; what the flow was working on is answered 500 in time. */
    detach(): void;
}

const defaultPace: Pace = { perSecond: 50, maxUnderWay: 16 };
/** Notifications of firmware steps are waited for, so they may use what the platform allows a gateway. */
const notifyPace: Pace = { perSecond: 100, maxUnderWay: 32 };
const defaultRequestTimeoutMs = 60_000;

/** Device management of one gateway and of every device behind it, for all its responders. */
export class ManagementEngine {
    readonly #deps: ManagementEngineDeps;
    readonly #responders: ResponderTable;
    readonly #requests: PlatformRequests;
    readonly #own: OwnRequests;
    readonly #firmware: FirmwareDevices;
    readonly #managed: ManagedDevices;
    readonly #dispatcher: RequestDispatcher;
    readonly #reports: CountReports;
    /** The requests that came last. */
    readonly history = new RequestHistory();

    constructor(deps: ManagementEngineDeps) {
        const { clock, link, pace = defaultPace, requestTimeoutMs = defaultRequestTimeoutMs } = deps;
        this.#deps = deps;
        this.#responders = new ResponderTable(deps.gateway);
        this.#reports = new CountReports(clock, this.#responders.all, () =>
            tally(this.#managed, this.#requests, (device) => this.#responders.ownerOf(device)),
        );
        this.#requests = new PlatformRequests(clock, link, this.history, () => this.#reports.changed());
        this.#own = new OwnRequests(clock, link, deps.createId, requestTimeoutMs);
        this.#firmware = new FirmwareDevices(clock, deps.store, new Pacer(clock, notifyPace), {
            send: (request, settle) => this.#own.send(request, settle),
            reported: (report, { answer, error }) => {
                const { typeId, deviceId, step } = report;
                const notified = { at: clock.now(), typeId, deviceId, action: `firmware/${step}`, from: "device" } as const;
                this.history.ended(notified, { ...(answer && { answer }), ...(error && { error }) });
                const listener = this.#responders.ownerOf(report)?.listener;
                if (answer) listener?.firmwareAnswered(report, answer);
                else if (error) listener?.raised(error, report);
            },
        });
        this.#managed = new ManagedDevices(clock, deps.random, new Pacer(clock, pace), {
            plan: (device) => this.#plan(device),
            send: (request, settle) => this.#own.send(request, settle),
            failed: ({ typeId, deviceId }, error) =>
                this.#responders.ownerOf({ typeId, deviceId })?.listener.raised(error, { typeId, deviceId, action: "manage" }),
            changed: () => this.#reports.changed(),
        });
        this.#dispatcher = new RequestDispatcher({
            requests: this.#requests,
            firmware: this.#firmware,
            responderOf: (device) => this.#responders.find(device),
            restarting: (device) => this.#managed.restarting(device),
        });
    }

    /** Adds a responder. Two with the same target are both told that they are in conflict and get nothing. */
    attach(options: ResponderOptions, listener: ResponderListener): AttachedResponder {
        const responder: Responder = { options, listener };
        this.#responders.add(responder);
        const device = this.#responders.singleDevice(responder);
        if (device) this.#managed.seen(deviceKey(device));
        this.#managed.plansChanged();
        return {
            input: (message, settle) => this.#input(responder, message, settle),
            detach: () => {
                if (this.#responders.remove(responder)) this.#managed.plansChanged();
            },
        };
    }

    /** The store can be read: firmware states of an earlier run are taken over. Call it before `linkUp`, or as soon as it opens. */
    restore(): void {
        this.#firmware.restore();
    }

    /** The connection is there: answers and requests may be sent. */
    linkUp(): void {
        this.#own.linkUp();
        this.#requests.linkUp();
    }

    /** The subscription for device management is in place on this connection: devices are managed, steps notified. */
    listening(): void {
        this.#firmware.linkUp();
        this.#managed.listening();
    }

    /** The connection is gone. */
    linkDown(): void {
        this.#requests.linkDown();
        this.#own.linkDown();
        this.#firmware.linkDown();
        this.#managed.linkDown();
    }

    /** Answers what is open, fails what waits and stops every timer. Call it while the connection is still there. */
    close(): void {
        this.#requests.close();
        this.#own.close();
        this.linkDown();
        this.#reports.close();
    }

    /** Whether a device showed up before. */
    hasSeen(device: string): boolean {
        return this.#managed.has(device);
    }

    /** Where a device stands, by its key; undefined = it is not managed. */
    phaseOf(device: string): ManagedPhase | undefined {
        return this.#managed.phaseOf(device);
    }

    /** Forgets that a device showed up; firmware states stay, because only the device knows them. */
    forget(device: string): void {
        this.#managed.forget(device);
    }

    /** A device showed up, by its key; cheap for a known one. */
    deviceSeen(device: string): void {
        this.#managed.seen(device);
    }

    /**
     * A message arrived on a device management topic. Never throws, whatever it contains.
     * @param isReplayed whether it was queued by a durable session while the gateway was away
     */
    received(topic: string, payload: Buffer, isReplayed: boolean): void {
        const parts = parseManagementTopic(topic);
        if (!parts) return;
        const message = parseManagementMessage(parts, payload);
        if (message.kind === "response") this.#own.answered(message.reqId, message.answer);
        else if (message.kind === "unusable") this.#dispatcher.reject(parts, message, payload);
        else if (message.kind === "request") this.#dispatcher.received(message.request, { topic, payload, isReplayed });
    }

    #input(responder: Responder, message: FlowMessage, settle: (outcome: FlowOutcome) => void): void {
        try {
            const parsed = parseFlowMessage(message, this.#responders.impliedIds(responder));
            if (parsed.kind === "answer") this.#dispatcher.answered(responder, parsed, settle);
            else if (parsed.kind === "firmware") this.#advance(parsed, settle);
            else this.#request(responder, parsed, settle);
        } catch (thrown) {
            settle({ error: toGatewayError(thrown, "GW_DM_INVALID") });
        }
    }

    #advance({ device, step, reason }: FlowStep, settle: (outcome: FlowOutcome) => void): void {
        if (this.#firmware.advance(device, step, reason)) this.#managed.planChanged(device);
        this.#firmware.saved().then(
            () => settle({}),
            (thrown: unknown) => settle({ error: toGatewayError(thrown, "GW_STORE") }),
        );
    }

    #request(responder: Responder, { device, action, payload, reply }: FlowOrder, settle: (outcome: FlowOutcome) => void): void {
        const isByConfiguration = action === "manage" && (payload === undefined || payload === null || payload === "");
        const data = isByConfiguration
            ? this.#manageRequest(responder.options, device)
            : requestData(action, payload, this.#deps.clock.now());
        this.#own.send({ device, action, data, reply }, (outcome) => {
            if (outcome.answer?.rc === 200 && (action === "manage" || action === "unmanage")) {
                const lifetimeS = typeof data?.lifetime === "number" ? data.lifetime : 0;
                this.#managed.acceptedFromFlow(device, action, lifetimeS);
            }
            settle(outcome);
        });
    }

    #plan(device: DeviceAddress): ManagePlan | undefined {
        const options = this.#responders.ownerOf(device)?.options;
        if (!options?.manage) return undefined;
        return { lifetimeS: options.lifetimeS, data: this.#manageRequest(options, device) };
    }

    #manageRequest(options: ResponderOptions, device: DeviceAddress): RequestData {
        return manageRequest(options, this.#firmware.installedVersion(device), this.#deps.clock.now());
    }
}

/**
 * The manage request by a responder's settings. It replaces what the platform stored, so it names the version that an update brought.
 * @param installedVersion the firmware that the last update brought to the device, if there was one
 * @param nowMs milliseconds since the epoch
 */
function manageRequest(options: ResponderOptions, installedVersion: string | undefined, nowMs: number): RequestData {
    const { lifetimeS, deviceActions, firmwareActions, bundles, metadata } = options;
    const hasInfo = Object.keys(options.deviceInfo).length > 0;
    const deviceInfo =
        hasInfo && installedVersion !== undefined ? { ...options.deviceInfo, fwVersion: installedVersion } : options.deviceInfo;
    const supports = { ...Object.fromEntries(bundles.map((bundle) => [bundle, true])), deviceActions, firmwareActions };
    return requestData("manage", { lifetime: lifetimeS, supports, deviceInfo, metadata }, nowMs) ?? {};
}
