import { readFileSync } from "node:fs";
import path from "node:path";
import type { NodeAPI } from "node-red";
import { systemClock } from "../../clock";
import { describeThrown, GatewayError } from "../../errors";
import type { ListVersions } from "../../gateway/monitor/gateway-monitor";
import type { SimulatorView } from "../../gateway/monitor/simulator-control";
import { translate } from "../../i18n";
import { membersOf } from "../../protocol/json";
import type { GatewayConfigController } from "../gateway-config";
import { findAction } from "./action-request";
import { answerAboutGateway } from "./gateway-answer";
import { type GatewayEntry, gatewayEntry } from "./gateway-listing";
import { LiveView } from "./live-view";

/** A command's payload may have 131072 bytes, each of which JSON may write as six. */
const maxBodyBytes = 1_000_000;

/**
 * The routes of the panel in the editor's sidebar, besides those of a monitoring system:
 *
 * - `POST gateway-config/:id/watch`: answers with the gateway's state, and has its changes published for the next 15 s on the
 *   editor's own channel, as `wiotp-gateway/:id`
 * - `GET gateway-config/:id/requests`: the last device management requests
 * - `GET gateway-config/:id/commands`: the last commands
 * - `GET gateway-config/:id/suspects`: what is suspected of ending the connection
 * - `GET wiotp-gateway/uplot.js` and `.css`: the chart library that is installed with this package
 * - `POST gateway-config/:id/actions/:action`: carries an action out, with `gateway-config.write`
 */
export function registerPanelRoutes(RED: NodeAPI, controllers: ReadonlyMap<string, GatewayConfigController>): void {
    const mayRead = RED.auth.needsPermission("gateway-config.read");
    const mayWrite = RED.auth.needsPermission("gateway-config.write");
    const live = new LiveView({
        clock: systemClock,
        read: (id) => {
            const controller = controllers.get(id);
            return controller && panelView(controller);
        },
        publish: (id, view) => RED.comms.publish(`wiotp-gateway/${id}`, stamped(view), false),
    });

    RED.httpAdmin.post("/gateway-config/:id/watch", mayRead, (request, response) => {
        const view = live.watch(String(request.params.id));
        if (view) response.json(stamped(view));
        else response.status(404).json({ error: translate("route.notDeployed") });
    });

    answerAboutGateway(RED, controllers, "requests", ({ monitor }) => monitor.recentRequests);
    answerAboutGateway(RED, controllers, "commands", ({ monitor }) => monitor.recentCommands);
    answerAboutGateway(RED, controllers, "suspects", ({ monitor }) => monitor.suspects);

    for (const [name, type, read] of chartFiles) {
        RED.httpAdmin.get(`/wiotp-gateway/${name}`, mayRead, (_request, response) => {
            response.set("Content-Type", type).set("Cache-Control", "private, max-age=3600").send(read());
        });
    }

    RED.httpAdmin.post("/gateway-config/:id/actions/:action", mayWrite, (request, response) => {
        const action = findAction(String(request.params.action));
        const gateway = controllers.get(String(request.params.id))?.running;
        if (!action || !gateway) {
            response.status(404).json({ error: translate(action ? "route.notRunning" : "route.noSuchAction") });
            return;
        }
        if (Number(request.headers["content-length"] ?? 0) > maxBodyBytes) {
            response.status(413).json({ error: translate("route.tooLong", { count: maxBodyBytes }) });
            return;
        }
        Promise.resolve()
            .then(() => action(gateway, membersOf(request.body)))
            .then((outcome) => response.json(outcome))
            .catch((thrown: unknown) => response.status(statusOf(thrown)).json({ error: describeThrown(thrown) }));
    });
}

const chartFiles = [
    ["uplot.js", "text/javascript; charset=utf-8", () => intoNamespace(readChartFile("uPlot.iife.min.js"))],
    ["uplot.css", "text/css; charset=utf-8", () => readChartFile("uPlot.min.css")],
] as const;

function readChartFile(name: string): string {
    // Found as Node.js finds it, wherever npm has put the dependency.
    return readFileSync(path.join(path.dirname(require.resolve("uplot/package.json")), "dist", name), "utf8");
}

/** The library declares a global variable; in the editor's page only a name of the panel's own is taken. */
function intoNamespace(script: string): string {
    return `globalThis.wiotpPanel = { uPlot: (() => {\n${script}\nreturn uPlot;\n})() };\n`;
}

/** With the time at this machine, as a browser's clock may be wrong. */
function stamped(view: object): object {
    return { ...view, at: systemClock.now() };
}

/** A fault of the request gets another status than a fault of the gateway. */
function statusOf(thrown: unknown): number {
    return thrown instanceof GatewayError && thrown.code !== "GW_STORE" ? 400 : 500;
}

/** The panel's view of a gateway at this moment. */
function panelView(controller: GatewayConfigController): PanelView {
    const { running } = controller;
    const simulator = running?.simulatorControl?.view;
    return { ...gatewayEntry(controller), ...(running && { lists: running.monitor.listVersions }), ...(simulator && { simulator }) };
}

/** The panel's view of one gateway, besides lists that it asks for. Contains no secret. */
interface PanelView extends GatewayEntry {
    /** Numbers that change with the lists of notifications and requests. */
    readonly lists?: ListVersions;
    /** Present on the built-in simulator. */
    readonly simulator?: SimulatorView;
}
