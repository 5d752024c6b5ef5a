import { type RequestData, requestData } from "../protocol/management-request";
import type { ResponderOptions } from "./responder";

/**
 * The manage request by a responder's settings. It replaces what the platform stored, so it names the version that an update brought.
 * @param installedVersion the firmware that the last update brought to the device, if there was one
 * @param nowMs milliseconds since the epoch
 */
export function manageRequest(options: ResponderOptions, installedVersion: string | undefined, nowMs: number): RequestData {
    const { lifetimeS, deviceActions, firmwareActions, bundles, metadata } = options;
    const hasInfo = Object.keys(options.deviceInfo).length > 0;
    const deviceInfo =
        hasInfo && installedVersion !== undefined ? { ...options.deviceInfo, fwVersion: installedVersion } : options.deviceInfo;
    const supports = { ...Object.fromEntries(bundles.map((bundle) => [bundle, true])), deviceActions, firmwareActions };
    return requestData("manage", { lifetime: lifetimeS, supports, deviceInfo, metadata }, nowMs) ?? {};
}
