import type { NodeAPI } from "node-red";
import { describeThrown } from "../../errors";
import { deviceFilters } from "../../gateway/monitor/gateway-overview";
import type { GatewayConfigController } from "../gateway-config";
import { diagnosticsBundle } from "./diagnostics";
import { answerAboutGateway } from "./gateway-answer";
import { gatewayEntries, runningGateways } from "./gateway-listing";
import { LogRing } from "./log-ring";
import { readManifest } from "./manifest";
import { renderMetrics } from "./prometheus";

/**
 * The routes for an operator or a monitoring system, each behind the permission `gateway-config.read`:
 *
 * - `GET wiotp-gateway/metrics`: all gateways, in the text format of Prometheus
 * - `GET wiotp-gateway/state`: the same numbers and more as JSON
 * - `GET wiotp-gateway/diagnostics`: a file for a support ticket
 * - `GET gateway-config/:id/history`: the last hour of one gateway, for charts
 * - `GET gateway-config/:id/devices?search=…&state=…&page=…`: its devices, 200 at a time
 * - `GET gateway-config/:id/notifications`: the platform's last notifications
 */
export function registerMonitorRoutes(RED: NodeAPI, controllers: ReadonlyMap<string, GatewayConfigController>): void {
    const mayRead = RED.auth.needsPermission("gateway-config.read");
    const log = new LogRing(RED, readManifest().nodeTypes);

    RED.httpAdmin.get("/wiotp-gateway/metrics", mayRead, (_request, response) => {
        renderMetrics(runningGateways(controllers.values()).map(({ monitor }) => monitor.overview))
            .then(({ contentType, text }) => response.set("Content-Type", contentType).send(text))
            .catch((thrown: unknown) => response.status(500).json({ error: describeThrown(thrown) }));
    });

    RED.httpAdmin.get("/wiotp-gateway/state", mayRead, (_request, response) => {
        response.json({ gateways: gatewayEntries(controllers.values()) });
    });

    RED.httpAdmin.get("/wiotp-gateway/diagnostics", mayRead, (_request, response) => {
        response.attachment("wiotp-gateway-diagnostics.json").json(diagnosticsBundle(RED, controllers.values(), log.lines));
    });

    answerAboutGateway(RED, controllers, "history", ({ monitor }) => monitor.history);

    answerAboutGateway(RED, controllers, "devices", ({ monitor }, { search, state, page }) => {
        const filter = deviceFilters.find((candidate) => candidate === state);
        return monitor.devices({ search: typeof search === "string" ? search : "", ...(filter && { filter }), page: pageOf(page) });
    });

    answerAboutGateway(RED, controllers, "notifications", ({ monitor }) => monitor.recentNotifications);
}

function pageOf(value: unknown): number {
    const page = typeof value === "string" ? Number(value) : 0;
    return Number.isSafeInteger(page) && page >= 0 ? page : 0;
}
