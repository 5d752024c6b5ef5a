import type { ListVersions } from "../../gateway/monitor/gateway-monitor";
import type { SimulatorView } from "../../gateway/monitor/simulator-control";
import type { GatewayConfigController } from "../gateway-config";
import { type GatewayEntry, gatewayEntry } from "./gateway-listing";

/** What the panel shows of one gateway, beside lists that it asks for. Contains no secret. */
export interface PanelView extends GatewayEntry {
    /** Numbers that change with the lists of notifications and requests. */
    readonly lists?: ListVersions;
    /** Present on the built-in simulator. */
    readonly simulator?: SimulatorView;
}

/** What the panel shows of a gateway at this moment. */
export function panelView(controller: GatewayConfigController): PanelView {
    const { running } = controller;
    const simulator = running?.simulatorControl?.view;
    return { ...gatewayEntry(controller), ...(running && { lists: running.monitor.listVersions }), ...(simulator && { simulator }) };
}
