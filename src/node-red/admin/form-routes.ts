import type { NodeAPI } from "node-red";
import { describeThrown } from "../../errors";
import { translate } from "../../i18n";
import type { GatewayConfigController } from "../gateway-config";
import { testConnection } from "./connection-test-request";

/** The names that forms complete. */
const kinds = ["typeId", "deviceId", "eventId", "commandId"] as const;
const maxTests = 4;

/**
 * The routes of the forms in the editor, each behind a permission:
 *
 * - `GET gateway-config/:id/inventory?kind=…&q=…&typeId=…`: names the gateway has seen, for completion in forms
 * - `POST gateway-config/:id/test`: tests the settings of a form
 */
export function registerFormRoutes(RED: NodeAPI, controllers: ReadonlyMap<string, GatewayConfigController>): void {
    let tests = 0;

    RED.httpAdmin.get("/gateway-config/:id/inventory", RED.auth.needsPermission("gateway-config.read"), (request, response) => {
        const inventory = controllers.get(String(request.params.id))?.running?.inventory;
        const kind = kinds.find((candidate) => candidate === request.query.kind);
        if (!kind) {
            response.status(404).json({ error: translate("route.kind", { choices: kinds.join(", ") }) });
            return;
        }
        // Nothing is known of a gateway that is not deployed. A browser would log an error for each key that is typed.
        if (!inventory) {
            response.json([]);
            return;
        }
        const { q, typeId } = request.query;
        response.json(
            inventory.names({
                of: kind,
                ...(typeof q === "string" && { prefix: q }),
                ...(typeof typeId === "string" && typeId !== "" && { typeId }),
            }),
        );
    });

    RED.httpAdmin.post("/gateway-config/:id/test", RED.auth.needsPermission("gateway-config.write"), (request, response) => {
        if (tests >= maxTests) {
            response.status(429).json({ error: translate("route.tooManyTests") });
            return;
        }
        tests += 1;
        testConnection(RED, request.body, controllers.get(String(request.params.id)))
            .then((report) => response.json(report))
            .catch((thrown: unknown) => response.status(500).json({ error: describeThrown(thrown) }))
            .finally(() => {
                tests -= 1;
            });
    });
}
