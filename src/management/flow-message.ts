import { describeThrown, GatewayError } from "../errors";
import { translate } from "../i18n";
import type { IdParser } from "../protocol/id-parser";
import type { DeviceAddress } from "../protocol/identity";
import { isRecord } from "../protocol/json";
import { isPlatformAction, type PlatformAction } from "../protocol/management";
import { isOwnAction, type OwnAction } from "../protocol/management-request";
import { type FirmwareStep, isFirmwareStep } from "./device-firmware";

/**
 * Reads a message a flow sent to a dm-responder.
 * @param fallback the ids that a message may leave out
 * @param ids reads those that it has
 * @throws GW_DM_INVALID, GW_INVALID_ID
 */
export function parseFlowMessage(message: FlowMessage, fallback: Partial<DeviceAddress>, ids: IdParser): ParsedFlowMessage {
    try {
        return parse(message, fallback, ids);
    } catch (thrown) {
        if (thrown instanceof GatewayError) throw thrown;
        throw new GatewayError("GW_DM_INVALID", translate("management.unreadable", { reason: describeThrown(thrown) }), { cause: thrown });
    }
}

/** The parts of a flow's message that matter here, not checked yet. */
export interface FlowMessage {
    readonly dm?: unknown;
    readonly rc?: unknown;
    readonly message?: unknown;
    readonly payload?: unknown;
}

/** The flow answers a request of the platform. */
export interface FlowAnswer {
    readonly kind: "answer";
    readonly device: DeviceAddress;
    readonly action: PlatformAction;
    readonly reqId: unknown;
    /** Absent = the success code of the action. */
    readonly rc?: number | undefined;
    readonly message?: string | undefined;
    readonly payload: unknown;
}

/** The flow sends a request of our own. */
export interface FlowOrder {
    readonly kind: "request";
    readonly device: DeviceAddress;
    readonly action: OwnAction;
    readonly payload: unknown;
    /** Whether the platform is to answer. */
    readonly reply: boolean;
}

/** The flow reports progress of a firmware request. */
export interface FlowStep {
    readonly kind: "firmware";
    readonly device: DeviceAddress;
    readonly step: FirmwareStep;
    readonly reason: unknown;
}

/** The meaning of a flow's message. */
export type ParsedFlowMessage = FlowAnswer | FlowOrder | FlowStep;

function parse({ dm, rc, message, payload }: FlowMessage, fallback: Partial<DeviceAddress>, ids: IdParser): ParsedFlowMessage {
    if (!isRecord(dm)) throw invalid(translate("management.dmMissing"));
    const { action, reqId, reply, step, reason } = dm;
    if (isPlatformAction(action)) {
        const device = parseAddress(dm, {}, ids);
        return { kind: "answer", device, action, reqId, rc: parseCode(rc), message: parseMessage(message), payload };
    }
    if (isOwnAction(action)) return { kind: "request", device: parseAddress(dm, fallback, ids), action, payload, reply: reply !== false };
    if (action !== "firmware") throw invalid(translate("management.action"));
    if (!isFirmwareStep(step)) throw invalid(translate("firmware.step"));
    return { kind: "firmware", device: parseAddress(dm, fallback, ids), step, reason };
}

/** A complete fallback is taken as a whole or not at all, so that half an address never becomes that of another device. */
function parseAddress({ typeId, deviceId }: Record<string, unknown>, fallback: Partial<DeviceAddress>, ids: IdParser): DeviceAddress {
    const isPartlyNamed = typeId !== undefined || deviceId !== undefined;
    const missing = isPartlyNamed && fallback.typeId !== undefined && fallback.deviceId !== undefined ? {} : fallback;
    return {
        typeId: ids.parse("typeId", typeId ?? missing.typeId, "msg.dm.typeId"),
        deviceId: ids.parse("deviceId", deviceId ?? missing.deviceId, "msg.dm.deviceId"),
    };
}

function parseCode(rc: unknown): number | undefined {
    if (rc === undefined || rc === null || rc === "") return undefined;
    const code = typeof rc === "string" && /^\d{1,6}$/.test(rc) ? Number(rc) : rc;
    if (typeof code === "number" && Number.isSafeInteger(code)) return code;
    throw invalid(translate("management.rc"));
}

function parseMessage(message: unknown): string | undefined {
    if (message === undefined || message === null || message === "") return undefined;
    if (typeof message === "string") return message;
    throw invalid(translate("management.message"));
}

function invalid(text: string): GatewayError {
    return new GatewayError("GW_DM_INVALID", text);
}
