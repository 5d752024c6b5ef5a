import { systemClock } from "../src/clock";
import type { Gateway } from "../src/gateway/gateway";
import { GatewayPool } from "../src/gateway/gateway-pool";
import { AbandonedFiles } from "../src/node-red/abandoned-files";
import { registerFormRoutes } from "../src/node-red/admin/form-routes";
import { registerMonitorRoutes } from "../src/node-red/admin/monitor-routes";
import { registerPanelRoutes } from "../src/node-red/admin/panel-routes";
import { registerUndeliveredRoutes } from "../src/node-red/admin/undelivered-routes";
import { defineType, type NodeAPI, onClose, translateWith } from "../src/node-red/api";
import { watchDeploys } from "../src/node-red/deploys";
import { GatewayConfigController, type GatewayConfigNode } from "../src/node-red/gateway-config";

/** `gateway-config`: the identity and the connection of one gateway, shared by all nodes that choose it. */
export default function register(RED: NodeAPI): void {
    translateWith(RED);
    const pool = new GatewayPool<Gateway>(systemClock);
    const controllers = new Map<string, GatewayConfigController>();
    const abandonedFiles = new AbandonedFiles();
    watchDeploys(RED, {
        deployAnnounced: () => pool.deployAnnounced(),
        flowsStopping: (deploy) => pool.flowsStopping(deploy),
        flowsStarted: () => {
            pool.flowsStarted();
            for (const controller of controllers.values()) controller.flowsStarted();
            const inUse = new Set(Array.from(controllers.values(), ({ identity }) => identity));
            abandonedFiles.flowsStarted((identity) => inUse.has(identity));
        },
    });

    registerFormRoutes(RED, controllers);
    registerMonitorRoutes(RED, controllers);
    registerPanelRoutes(RED, controllers);
    registerUndeliveredRoutes(RED, controllers);

    defineType<GatewayConfigNode>(
        RED,
        "gateway-config",
        (node, definition) => {
            const controller = new GatewayConfigController({ RED, node, definition, pool, abandonedFiles });
            controllers.set(node.id, controller);
            node.users = controller.users;
            node.controller = controller;
            onClose(node, () => {
                if (controllers.get(node.id) === controller) controllers.delete(node.id);
                return controller.close();
            });
        },
        { credentials: { token: { type: "password" } } },
    );
}
