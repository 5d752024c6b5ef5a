import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { type DeviceAddress, deviceKey } from "../protocol/identity";
import { isRecord } from "../protocol/json";
import { isSuccess, type ManagementAnswer, type PlatformRequest, type RequestId, usualReturnCodes } from "../protocol/management";
import { firmwareField } from "./device-firmware";
import type { FirmwareDevices } from "./firmware-devices";
import type { FlowAnswer } from "./flow-message";
import type { PlatformRequests } from "./platform-requests";
import { immediateRejection, successAnswer, toFlowRequest } from "./request-rules";
import type { FlowOutcome, Responder } from "./responder";
import type { TargetMatch } from "./responders";

/** Takes each request of the platform to the responder of its device, or answers it where no flow has to be asked. */
export class RequestDispatcher {
    readonly #deps: RequestDispatcherDeps;
    readonly #warnedOfPayload = new WeakSet<Responder>();

    constructor(deps: RequestDispatcherDeps) {
        this.#deps = deps;
    }

    /** A well-formed request arrived. */
    received(request: PlatformRequest, arrival: Arrival): void {
        const { requests, firmware } = this.#deps;
        const { reqId } = request;
        if (!requests.begin(request, reqId, actionName(request))) return;
        const match = this.#deps.responderOf(request);
        if (match.kind !== "one") {
            this.#answerAtOnce(request, reqId, noResponder(match), arrival.payload);
            return;
        }
        const { options, listener } = match.owner;
        const rejection = immediateRejection(request, options, firmware.of(request), arrival.isReplayed);
        if (rejection) {
            this.#answerAtOnce(request, reqId, rejection, arrival.payload);
            return;
        }
        const flowRequest = toFlowRequest(request, arrival.topic, firmware.of(request), arrival.isReplayed);
        if (!reqId) this.#accepted(request);
        else if (options.respond === "auto") {
            const answer = successAnswer(request, options, firmware.of(request), true);
            requests.answerAtOnce(request, reqId, answer);
            if (!isSuccess(answer.rc)) return;
            this.#accepted(request);
        } else if (requests.isFull) {
            requests.answerAtOnce(request, reqId, { rc: 500, message: "Too many requests are being worked on." });
            return;
        } else requests.wait({ ...request, reqId }, options.timeoutMs);
        listener.requestReceived(flowRequest);
    }

    /** A message arrived that is not a request this gateway can carry out. */
    reject(device: DeviceAddress, reason: { reqId?: RequestId; rc: number; reason: string }, payload: Buffer): void {
        if (!this.#deps.requests.begin(device, reason.reqId, undefined)) return;
        this.#answerAtOnce(device, reason.reqId, { rc: reason.rc, message: reason.reason }, payload);
    }

    /**
     * A flow answers a request.
     * @throws GW_DM_INVALID, GW_DM_TIMEOUT, GW_PAYLOAD_TOO_LARGE when the answer is not sent
     */
    answered(responder: Responder, flow: FlowAnswer, settle: (outcome: FlowOutcome) => void): void {
        if (flow.reqId === undefined) {
            settle({});
            return;
        }
        const { requests, firmware } = this.#deps;
        const request = requests.find(flow.device, flow.reqId);
        const match = this.#deps.responderOf(request);
        const { options } = match.kind === "one" ? match.owner : responder;
        const success = successAnswer(request, options, firmware.of(request), false);
        const rc = flow.rc ?? success.rc;
        const d = this.#answerData(responder, flow.payload, request) ?? (rc === success.rc ? success.d : undefined);
        const answer = { rc, ...(flow.message !== undefined && { message: flow.message }), ...(d !== undefined && { d }) };
        requests.answer(request, request.reqId, answer, (error) => settle(error ? { error } : {}));
        if (isSuccess(rc)) this.#accepted(request);
        if (!usualReturnCodes.has(rc)) responder.listener.warned(translate("management.unusualCode", { rc }));
    }

    /** A request that wants no answer is reported instead, so that it does not vanish. */
    #answerAtOnce(device: DeviceAddress, reqId: RequestId | undefined, answer: ManagementAnswer, payload: Buffer): void {
        if (reqId) {
            this.#deps.requests.answerAtOnce(device, reqId, answer);
            return;
        }
        const { typeId, deviceId } = device;
        const match = this.#deps.responderOf(device);
        if (match.kind !== "one") return;
        const text = translate("management.notCarriedOut", { device: deviceKey(device), reason: answer.message ?? String(answer.rc) });
        match.owner.listener.raised(new GatewayError("GW_DM_INVALID", text), { typeId, deviceId, payload });
    }

    /** The request is carried out: a restart delays renewals, and fields of the firmware are for the gateway itself. */
    #accepted(request: PlatformRequest): void {
        const { action, fields } = request;
        const { firmware } = this.#deps;
        if (action === "device/reboot" || action === "device/factoryReset") this.#deps.restarting(request);
        if (!fields?.has(firmwareField)) return;
        if (action === "device/update") firmware.describe(request, fields.get(firmwareField));
        else if (action === "observe" || action === "cancel") firmware.observe(request, action === "observe");
    }

    /** The data that the flow sends back: an object that differs from the request's own. */
    #answerData(responder: Responder, payload: unknown, request: PlatformRequest): unknown {
        if (payload === undefined || payload === null) return undefined;
        if (isRecord(payload)) return request.d && JSON.stringify(payload) === JSON.stringify(request.d) ? undefined : payload;
        if (!this.#warnedOfPayload.has(responder)) {
            this.#warnedOfPayload.add(responder);
            responder.listener.warned(translate("management.payloadNotSent"));
        }
        return undefined;
    }
}

/** A message of the platform as it arrived. */
export interface Arrival {
    readonly topic: string;
    readonly payload: Buffer;
    /** Whether it was queued by a durable session while the gateway was away. */
    readonly isReplayed: boolean;
}

/** What the dispatcher works with. */
export interface RequestDispatcherDeps {
    readonly requests: PlatformRequests;
    readonly firmware: FirmwareDevices;
    responderOf(device: DeviceAddress): TargetMatch;
    /** The device accepted a restart. */
    restarting(device: DeviceAddress): void;
}

function noResponder({ kind }: TargetMatch): ManagementAnswer {
    if (kind === "tie") return { rc: 500, message: "Several dm-responder nodes have this target." };
    return { rc: 501, message: "No dm-responder is set up for this device." };
}

function actionName({ action, bundleId, actionId }: PlatformRequest): string {
    return action === "custom" ? `${bundleId}/${actionId}` : action;
}
