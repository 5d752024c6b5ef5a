import type { NodeMessage } from "node-red";
import { GatewayError } from "../errors";
import type { GatewayState } from "../gateway/gateway-state";
import { translate } from "../i18n";
import type { FirmwareReport, FlowRequest, ResponderCounts, ResponderOptions, ResponderTarget } from "../management/responder";
import { type IdParser, platformIds } from "../protocol/id-parser";
import { isRecord } from "../protocol/json";
import type { ManagementAnswer } from "../protocol/management";
import { isLifetime, minLifetimeS } from "../protocol/management-request";
import { booleanOption, choiceOption, numberOption, type PropertyRules, textOption } from "../settings";
import type { WiotpManagementRequest } from "./flow-messages";
import { gatewayStatus } from "./gateway-status";
import type { StatusText } from "./status-reporter";

/** The rules of the properties of a `dm-responder` node. */
export const responderRules = {
    target: { choices: ["gateway", "device"], fallback: "gateway" },
    manage: { fallback: true },
    // Or 0: the device never becomes dormant.
    lifetime: { fallback: 0, min: minLifetimeS, max: 315_360_000, whole: true },
    deviceActions: { fallback: true },
    firmwareActions: { fallback: false },
    respond: { choices: ["flow", "auto"], fallback: "flow" },
    timeout: { fallback: 30, min: 1, max: 3600 },
    replayed: { choices: ["pass", "refuse"], fallback: "pass" },
} as const satisfies PropertyRules;

/** The id of a bundle of custom actions. */
export const bundlePattern = /^[A-Za-z0-9_.-]{1,255}$/;

/**
 * Reads the properties of a `dm-responder` node.
 * @throws GW_CONFIG or GW_INVALID_ID naming the property, its value and the rule
 */
export function parseResponderSettings(properties: Properties, ids: IdParser = platformIds): ResponderOptions {
    const lifetimeS = numberOption(properties, "lifetime", { ...responderRules.lifetime, min: 0 });
    if (!isLifetime(lifetimeS)) {
        throw new GatewayError("GW_CONFIG", translate("flow.lifetime", { value: lifetimeS, min: minLifetimeS }));
    }
    const deviceInfo = objectOption(properties, "deviceInfo");
    if (Object.values(deviceInfo).some((value) => typeof value !== "string")) {
        throw new GatewayError("GW_CONFIG", translate("flow.deviceInfo"));
    }
    return {
        target: targetOption(properties, ids),
        manage: booleanOption(properties, "manage", responderRules.manage),
        lifetimeS,
        deviceActions: booleanOption(properties, "deviceActions", responderRules.deviceActions),
        firmwareActions: booleanOption(properties, "firmwareActions", responderRules.firmwareActions),
        bundles: bundlesOption(properties),
        deviceInfo,
        metadata: objectOption(properties, "metadata"),
        respond: choiceOption(properties, "respond", responderRules.respond),
        timeoutMs: numberOption(properties, "timeout", responderRules.timeout) * 1000,
        replayed: choiceOption(properties, "replayed", responderRules.replayed),
    };
}

type Properties = Readonly<Record<string, unknown>>;

function targetOption(properties: Properties, ids: IdParser): ResponderTarget {
    const kind = choiceOption(properties, "target", responderRules.target);
    if (kind === "gateway") return { kind };
    const id = (name: "typeId" | "deviceId") => {
        const value = textOption(properties, name);
        return value === "" || value === "+" ? undefined : ids.parse(name, value);
    };
    return { kind, typeId: id("typeId"), deviceId: id("deviceId") };
}

function bundlesOption(properties: Properties): string[] {
    const text = textOption(properties, "bundles").trim();
    if (text === "") return [];
    const bundles = text.split(",").map((bundle) => bundle.trim());
    const wrong = bundles.find((bundle) => !bundlePattern.test(bundle));
    if (wrong === undefined) return [...new Set(bundles)];
    throw new GatewayError("GW_CONFIG", translate("flow.bundles", { value: JSON.stringify(wrong.slice(0, 60)) }));
}

function objectOption(properties: Properties, name: string): Record<string, unknown> {
    const value = properties[name];
    if (isRecord(value)) return value;
    const text = textOption(properties, name);
    if (text.trim() === "") return {};
    const parsed = parseJson(text);
    if (isRecord(parsed)) return parsed;
    throw new GatewayError("GW_CONFIG", translate("flow.jsonObject", { property: name }));
}

function parseJson(text: string): unknown {
    try {
        return JSON.parse(text);
    } catch {
        return undefined;
    }
}

/** A request of the platform as the message a flow gets, and sends back to answer. */
export function requestMessage({ dm, topic, payload }: FlowRequest): WiotpManagementRequest {
    return { dm, topic, payload };
}

/** The platform's answer to a flow's request: that very message, with the answer's code, words and data. */
export function answerMessage(request: NodeMessage, answer: ManagementAnswer): NodeMessage {
    const { message: _ofRequest, ...kept } = request;
    return { ...kept, ...parts(answer) };
}

/** The platform's answer to the notification of a firmware step. */
export function reportMessage(report: FirmwareReport, answer: ManagementAnswer): NodeMessage {
    return { dm: report, ...parts(answer) };
}

function parts({ rc, message, d }: ManagementAnswer): NodeMessage {
    return { rc, payload: d, ...(message !== undefined && { message }) };
}

/**
 * The status of a dm-responder: that of its connection, without the events that wait, as its messages do not wait with them;
 * and when it is connected its devices and requests, the most urgent first.
 */
export function responderStatus(state: GatewayState | GatewayError, counts: ResponderCounts): StatusText {
    if (state instanceof GatewayError) return gatewayStatus(state);
    const ofConnection = gatewayStatus({
        ...state,
        queued: 0,
        drain: undefined,
        isSearching: false,
        leftOut: 0,
        heldDevices: 0,
        suspectedDevices: 0,
        unansweredDevices: 0,
    });
    if (state.connection.phase !== "online" || state.storeProblem) return ofConnection;
    const { managed, pending, rejected, rejectedRc, requests } = counts;
    if (requests > 0) return { fill: "blue", shape: "dot", key: "toAnswer", parameters: { count: requests } };
    if (rejected > 0) return { fill: "red", shape: "ring", key: "rejected", parameters: { count: rejected, rc: rejectedRc ?? "" } };
    if (pending > 0) return { fill: "yellow", shape: "dot", key: "managing", parameters: { managed, count: managed + pending } };
    if (managed > 0) return { fill: "green", shape: "dot", key: "managed", parameters: { count: managed } };
    return ofConnection;
}
