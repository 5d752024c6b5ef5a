import type { NodeAPI } from "node-red";
import { describeThrown } from "../../errors";
import type { KeptSelection } from "../../gateway/monitor/undelivered-list";
import { translate } from "../../i18n";
import type { GatewayConfigController } from "../gateway-config";

/**
 * The routes of the events that were not delivered and are kept:
 *
 * - `GET gateway-config/:id/undelivered?search=…&caught=…&page=…`: a page of them, the latest first, with `gateway-config.read`
 * - `GET gateway-config/:id/undelivered/export?search=…&caught=…`: all of them with their data as JSON Lines, the oldest first, with
 *   `gateway-config.write`
 *
 * `caught=no` leaves out those that a Catch node got. Sending again and deleting are among the actions of the panel.
 */
export function registerUndeliveredRoutes(RED: NodeAPI, controllers: ReadonlyMap<string, GatewayConfigController>): void {
    const mayRead = RED.auth.needsPermission("gateway-config.read");
    const mayWrite = RED.auth.needsPermission("gateway-config.write");

    RED.httpAdmin.get("/gateway-config/:id/undelivered", mayRead, (request, response) => {
        const list = controllers.get(String(request.params.id))?.running?.undelivered;
        if (!list) {
            response.status(404).json({ error: translate("route.notRunning") });
            return;
        }
        list.page(selectionOf(request.query), pageOf(request.query.page))
            .then((page) => response.json(page))
            .catch((thrown: unknown) => response.status(503).json({ error: describeThrown(thrown) }));
    });

    RED.httpAdmin.get("/gateway-config/:id/undelivered/export", mayWrite, (request, response) => {
        const list = controllers.get(String(request.params.id))?.running?.undelivered;
        if (!list) {
            response.status(404).json({ error: translate("route.notRunning") });
            return;
        }
        const write = async () => {
            for await (const lines of list.export(selectionOf(request.query))) {
                if (!response.headersSent) response.attachment("wiotp-gateway-undelivered.jsonl").set("Content-Type", jsonLines);
                // A slow reader, or one that has gone, must not fill the memory.
                if (!response.write(lines)) await new Promise((resolve) => response.once("drain", resolve).once("close", resolve));
                if (response.destroyed) return;
            }
            if (!response.headersSent) response.attachment("wiotp-gateway-undelivered.jsonl").set("Content-Type", jsonLines);
            response.end();
        };
        write().catch((thrown: unknown) => {
            if (response.headersSent) response.destroy();
            else response.status(503).json({ error: describeThrown(thrown) });
        });
    });
}

const jsonLines = "application/x-ndjson; charset=utf-8";

function selectionOf({ search, caught }: Readonly<Record<string, unknown>>): KeptSelection {
    return { search: typeof search === "string" ? search : "", includesCaught: caught !== "no" };
}

function pageOf(value: unknown): number {
    const page = typeof value === "string" ? Number(value) : 0;
    return Number.isSafeInteger(page) && page >= 0 && page < 1_000_000 ? page : 0;
}
