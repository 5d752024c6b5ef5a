import type { NodeAPI } from "node-red";
import type { Gateway } from "../../gateway/gateway";
import { translate } from "../../i18n";
import type { GatewayConfigController } from "../gateway-config";

/**
 * Answers `GET gateway-config/:id/<name>` with JSON about that gateway, behind the permission `gateway-config.read`; with 404 while it
 * does not run.
 */
export function answerAboutGateway(
    RED: NodeAPI,
    controllers: ReadonlyMap<string, GatewayConfigController>,
    name: string,
    answer: (gateway: Gateway, query: Readonly<Record<string, unknown>>) => object,
): void {
    RED.httpAdmin.get(`/gateway-config/:id/${name}`, RED.auth.needsPermission("gateway-config.read"), (request, response) => {
        const gateway = controllers.get(String(request.params.id))?.running;
        if (gateway) response.json(answer(gateway, request.query));
        else response.status(404).json({ error: translate("route.notRunning") });
    });
}
