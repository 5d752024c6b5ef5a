import { shortened } from "../i18n";
import { type ManagementAnswer, type PlatformRequest, successCodes } from "../protocol/management";
import { firmwareField, imageProblem } from "./device-firmware";
import type { FirmwareView } from "./firmware-devices";
import type { FlowRequest, ResponderOptions } from "./responder";

/** The answer to a request that the flow is not asked about; undefined when the request may be carried out. */
export function immediateRejection(
    request: PlatformRequest,
    options: ResponderOptions,
    firmware: FirmwareView,
    isReplayed: boolean,
): ManagementAnswer | undefined {
    if (!isAnnounced(request, options)) return { rc: 501, message: `${describeAction(request)} is not supported here.` };
    if (isReplayed && options.replayed === "refuse") {
        return { rc: 500, message: "The request was queued while the gateway was away and is refused; send it again." };
    }
    const problem = problemOf(request, firmware);
    return problem === undefined ? undefined : { rc: 400, message: problem };
}

/** The answer to a request that was carried out or accepted; `isAutomatic` when no flow was asked. */
export function successAnswer(
    request: PlatformRequest,
    options: ResponderOptions,
    firmware: FirmwareView,
    isAutomatic: boolean,
): ManagementAnswer {
    const rc = successCodes[request.action];
    if (request.action !== "observe") return { rc };
    const names = [...(request.fields?.keys() ?? [])];
    const unknown = names.filter((name) => name !== firmwareField || !options.firmwareActions);
    if (isAutomatic && unknown.length > 0) {
        return { rc: 404, message: "Not an attribute of this device.", d: { fields: unknown.map((field) => ({ field })) } };
    }
    if (unknown.length === names.length) return { rc };
    return { rc, d: { fields: [{ field: firmwareField, value: firmware.attribute }] } };
}

/** A request as a flow sees it. A firmware request shows the image that was described before, as the flow needs its uri. */
export function toFlowRequest(request: PlatformRequest, topic: string, firmware: FirmwareView, isReplayed: boolean): FlowRequest {
    const { action, typeId, deviceId, reqId, bundleId, actionId } = request;
    const fields = flowFields(request, firmware);
    return {
        dm: {
            action,
            typeId,
            deviceId,
            ...(reqId && { reqId: reqId.value }),
            ...(bundleId !== undefined && { bundleId }),
            ...(actionId !== undefined && { actionId }),
            ...(fields && { fields }),
            ...(isReplayed && { replayed: true }),
        },
        topic,
        // A copy: the flow may change its message, and the answer's payload is compared with what was received.
        payload: structuredClone(request.d),
    };
}

function flowFields(request: PlatformRequest, firmware: FirmwareView): FlowRequest["dm"]["fields"] {
    switch (request.action) {
        case "observe":
        case "cancel":
            return [...(request.fields?.keys() ?? [])];
        case "firmware/download":
        case "firmware/update":
            return { [firmwareField]: { ...firmware.image } };
        default:
            return request.fields && structuredClone(Object.fromEntries(request.fields));
    }
}

function problemOf(request: PlatformRequest, firmware: FirmwareView): string | undefined {
    switch (request.action) {
        case "firmware/download":
            return firmware.downloadProblem;
        case "firmware/update":
            return firmware.updateProblem;
        case "device/update":
            return request.fields?.has(firmwareField) ? imageProblem(request.fields.get(firmwareField)) : undefined;
        default:
            return undefined;
    }
}

function isAnnounced(request: PlatformRequest, options: ResponderOptions): boolean {
    switch (request.action) {
        case "device/reboot":
        case "device/factoryReset":
            return options.deviceActions;
        case "firmware/download":
        case "firmware/update":
            return options.firmwareActions;
        case "custom":
            return request.bundleId !== undefined && options.bundles.includes(request.bundleId);
        default:
            return true;
    }
}

function describeAction({ action, bundleId, actionId }: PlatformRequest): string {
    if (bundleId === undefined || actionId === undefined) return `The action ${action}`;
    return `The action ${shortened(actionId, 60)} of the bundle ${shortened(bundleId, 60)}`;
}
