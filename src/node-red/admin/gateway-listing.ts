import type { Gateway } from "../../gateway/gateway";
import type { GatewayOverview, Problem } from "../../gateway/monitor/gateway-overview";
import type { GatewayConfigController } from "../gateway-config";

/** One entry for each deployed node; several of them can lead to the same gateway. */
export function gatewayEntries(controllers: Iterable<GatewayConfigController>): GatewayEntry[] {
    return Array.from(controllers, gatewayEntry);
}

/** A deployed `gateway-config` node, and the gateway it leads to. Contains no secret. */
export interface GatewayEntry {
    /** The id of the node. */
    readonly id: string;
    readonly name: string;
    /** The reason why the gateway does not run. */
    readonly problem?: Problem;
    /** Absent when the gateway does not run, because no node uses it or because of a problem. */
    readonly gateway?: GatewayOverview;
}

/** The entry of one node. */
export function gatewayEntry({ id, name, problem, running }: GatewayConfigController): GatewayEntry {
    return {
        id,
        name,
        ...(problem && { problem: { code: problem.code, text: problem.message } }),
        ...(running && { gateway: running.monitor.overview }),
    };
}

/** Each gateway that runs, once. */
export function runningGateways(controllers: Iterable<GatewayConfigController>): Gateway[] {
    return [...new Set(Array.from(controllers, ({ running }) => running))].filter((gateway) => gateway !== undefined);
}
