import type { Clock, Timer } from "../clock";
import { toGatewayError } from "../errors";
import type { IdParser } from "../protocol/id-parser";
import { type DeviceAddress, deviceKey } from "../protocol/identity";
import { isSuccess, parseManagementMessage } from "../protocol/management";
import { type RequestData, requestData } from "../protocol/management-request";
import { parseManagementTopic } from "../protocol/topic";
import { FirmwareDevices } from "./firmware-devices";
import { type FlowMessage, type FlowOrder, type FlowStep, parseFlowMessage } from "./flow-message";
import { ManagedDevices, type ManagedPhase, type ManagePlan } from "./managed-devices";
import { OwnRequests } from "./own-requests";
import { type Pace, PacedTasks } from "./paced-tasks";
import { PlatformRequests } from "./platform-requests";
import type { FirmwareStore, ManagementLink } from "./ports";
import { RequestDispatcher } from "./request-dispatcher";
import { RequestHistory } from "./request-history";
import type { FirmwareReport, FlowOutcome, Responder, ResponderListener, ResponderOptions } from "./responder";
import { Responders } from "./responders";

/** Device management of one gateway and of every device behind it, for all its responders. */
export class ManagementEngine {
    readonly #deps: ManagementEngineDeps;
    readonly #responders: Responders;
    readonly #requests: PlatformRequests;
    readonly #own: OwnRequests;
    readonly #firmware: FirmwareDevices;
    readonly #managed: ManagedDevices;
    readonly #dispatcher: RequestDispatcher;
    #respondersTimer: Timer | undefined;
    /** The latest requests and their outcomes. */
    readonly history = new RequestHistory();

    constructor(deps: ManagementEngineDeps) {
        const { clock, link, random, store, createId, pace = defaultPace, requestTimeoutMs = defaultRequestTimeoutMs } = deps;
        this.#deps = deps;
        this.#responders = new Responders(clock, deps.gateway);
        this.#requests = new PlatformRequests({
            clock,
            link,
            history: this.history,
            listener: {
                ownerOf: (device) => this.#responders.ownerOf(device),
                counted: (owner, by) => this.#responders.count(owner, "requests", by),
            },
        });
        this.#own = new OwnRequests({ clock, link, createId, timeoutMs: requestTimeoutMs });
        this.#firmware = new FirmwareDevices({
            clock,
            store,
            tasks: new PacedTasks(clock, notifyPace),
            listener: {
                send: (request, settle) => this.#own.send(request, settle),
                reported: (report, outcome) => this.#stepReported(report, outcome),
            },
        });
        this.#managed = new ManagedDevices({
            clock,
            random,
            tasks: new PacedTasks(clock, pace),
            listener: {
                plan: (device) => this.#plan(device),
                send: (request, settle) => this.#own.send(request, settle),
                failed: (device, error) => this.#responders.ownerOf(device)?.listener.raised(error, { ...device, action: "manage" }),
                counted: (owner, kind, by, rc) => this.#responders.count(owner, kind, by, rc),
            },
        });
        this.#dispatcher = new RequestDispatcher({
            requests: this.#requests,
            firmware: this.#firmware,
            responderOf: (device) => this.#responders.find(device),
            restarting: (device) => this.#managed.restarting(device),
        });
    }

    /** Adds a responder. Responders with the same target are notified of their conflict and get nothing. */
    attach(options: ResponderOptions, listener: ResponderListener): AttachedResponder {
        const responder: Responder = { options, listener };
        this.#responders.add(responder);
        const device = this.#responders.singleDevice(responder);
        if (device) this.#managed.seen(deviceKey(device));
        this.#respondersChanged();
        return {
            input: (message, settle) => this.#input(responder, message, settle),
            detach: () => {
                if (this.#responders.remove(responder)) this.#respondersChanged();
            },
        };
    }

    /** The store can be read: loads the firmware states of an earlier run. Call it before `linkUp`, or as soon as the store opens. */
    restore(): void {
        this.#firmware.restore();
    }

    /** The connection is established: answers and requests may be sent. */
    linkUp(): void {
        this.#own.linkUp();
        this.#requests.linkUp();
    }

    /** The subscription for device management is in place on this connection: devices are managed, firmware steps sent. */
    listening(): void {
        this.#firmware.linkUp();
        this.#managed.listening();
    }

    /** The connection ended. */
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
        this.#managed.close();
        this.#responders.close();
        this.#respondersTimer?.cancel();
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

    /** A deploy adds and removes many responders at once: what follows from that is done once, in the next turn of the event loop. */
    #respondersChanged(): void {
        this.#respondersTimer ??= this.#deps.clock.setTimer(0, () => {
            this.#respondersTimer = undefined;
            this.#requests.recount();
            this.#managed.reviewAll();
        });
    }

    #input(responder: Responder, message: FlowMessage, settle: (outcome: FlowOutcome) => void): void {
        try {
            const parsed = parseFlowMessage(message, this.#responders.impliedIds(responder), this.#deps.ids);
            if (parsed.kind === "answer") this.#dispatcher.answered(responder, parsed, settle);
            else if (parsed.kind === "firmware") this.#advance(parsed, settle);
            else this.#request(responder, parsed, settle);
        } catch (thrown) {
            settle({ error: toGatewayError(thrown, "GW_DM_INVALID") });
        }
    }

    #advance({ device, step, reason }: FlowStep, settle: (outcome: FlowOutcome) => void): void {
        if (this.#firmware.advance(device, step, reason)) this.#managed.review(device);
        this.#firmware.saved().then(
            () => settle({}),
            (thrown: unknown) => settle({ error: toGatewayError(thrown, "GW_STORE") }),
        );
    }

    #stepReported(report: FirmwareReport, { answer, error }: FlowOutcome): void {
        const { typeId, deviceId, step } = report;
        const sent = { at: this.#deps.clock.now(), typeId, deviceId, action: `firmware/${step}`, from: "device" } as const;
        this.history.ended(sent, { ...(answer && { answer }), ...(error && { error }) });
        const listener = this.#responders.ownerOf(report)?.listener;
        if (answer) listener?.firmwareAnswered(report, answer);
        else if (error) listener?.raised(error, report);
    }

    #request(responder: Responder, { device, action, payload, reply }: FlowOrder, settle: (outcome: FlowOutcome) => void): void {
        const isByConfiguration = action === "manage" && (payload === undefined || payload === null || payload === "");
        const data = isByConfiguration ? this.#manageData(responder.options, device) : requestData(action, payload, this.#deps.clock.now());
        this.#own.send({ device, action, data, reply }, (outcome) => {
            if (outcome.answer && isSuccess(outcome.answer.rc) && (action === "manage" || action === "unmanage")) {
                const lifetimeS = typeof data?.lifetime === "number" ? data.lifetime : 0;
                this.#managed.acceptedFromFlow(device, action, lifetimeS);
            }
            settle(outcome);
        });
    }

    #plan(device: DeviceAddress): ManagePlan | undefined {
        const owner = this.#responders.ownerOf(device);
        if (!owner?.options.manage) return undefined;
        const data = this.#manageData(owner.options, device);
        return { owner, lifetimeS: owner.options.lifetimeS, data, text: JSON.stringify(data) };
    }

    /** The manage request replaces what the platform stored, so it names the version that an update brought. */
    #manageData(options: ResponderOptions, device: DeviceAddress): RequestData {
        const { lifetimeS, deviceActions, firmwareActions, bundles, metadata } = options;
        const fwVersion = this.#firmware.of(device).installedVersion;
        const hasInfo = Object.keys(options.deviceInfo).length > 0;
        const deviceInfo = hasInfo && fwVersion !== undefined ? { ...options.deviceInfo, fwVersion } : options.deviceInfo;
        const supports = { ...Object.fromEntries(bundles.map((bundle) => [bundle, true])), deviceActions, firmwareActions };
        return requestData("manage", { lifetime: lifetimeS, supports, deviceInfo, metadata }, this.#deps.clock.now()) ?? {};
    }
}

/** What device management works with. */
export interface ManagementEngineDeps {
    readonly gateway: DeviceAddress;
    /** Reads the ids in messages of flows. */
    readonly ids: IdParser;
    readonly link: ManagementLink;
    readonly store: FirmwareStore;
    readonly clock: Clock;
    /** A number from 0 to 1, to spread what many devices would do at once. */
    readonly random: () => number;
    /** A new id for a request; never the same twice. */
    readonly createId: () => string;
    /** How long the platform has to answer our requests; 60 s unless given. */
    readonly requestTimeoutMs?: number;
    /** How fast automatic manage requests are sent; 50 a second with 16 unanswered unless given. */
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
/** The platform waits for notifications of firmware steps, so they may use the whole rate that it allows a gateway. */
const notifyPace: Pace = { perSecond: 100, maxUnderWay: 32 };
const defaultRequestTimeoutMs = 60_000;
