import { systemClock } from "../src/clock";
import type { Gateway } from "../src/gateway/gateway";
import { GatewayPool } from "../src/gateway/gateway-pool";
import { registerFormRoutes } from "../src/node-red/admin/form-routes";
import { registerMonitorRoutes } from "../src/node-red/admin/monitor-routes";
import { registerPanelRoutes } from "../src/node-red/admin/panel-routes";
import { defineType, type NodeAPI, speakLanguageOf } from "../src/node-red/api";
import { watchDeploys } from "../src/node-red/deploys";
import { GatewayHost } from "../src/node-red/gateway-config-controller";
import type { GatewayConfigNode } from "../src/node-red/gateway-config-node";
import { onClose } from "../src/node-red/handlers";

/** `gateway-config`: the identity and the connection of one gateway, shared by all nodes that choose it. */
export default function register(RED: NodeAPI): void {
    speakLanguageOf(RED);
    const pool = new GatewayPool<Gateway>(systemClock);
    const hosts = new Map<string, GatewayHost>();
    watchDeploys(RED, {
        deployAnnounced: () => pool.deployAnnounced(),
        flowsStopping: (deploy) => pool.flowsStopping(deploy),
        flowsStarted: () => {
            pool.flowsStarted();
            for (const host of hosts.values()) host.flowsStarted();
        },
    });

    registerFormRoutes(RED, hosts);
    registerMonitorRoutes(RED, hosts);
    registerPanelRoutes(RED, hosts);

    defineType<GatewayConfigNode>(
        RED,
        "gateway-config",
        (node, definition) => {
            const host = new GatewayHost({ RED, node, definition, pool });
            hosts.set(node.id, host);
            node.users = host.users;
            node.gateway = () => host.gateway();
            node.join = (member) => host.join(member);
            node.leave = (member) => host.leave(member);
            onClose(node, (removed) => {
                if (hosts.get(node.id) === host) hosts.delete(node.id);
                return host.close(removed);
            });
        },
        { credentials: { token: { type: "password" } } },
    );
}
