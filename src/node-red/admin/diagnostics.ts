import { arch, platform, release } from "node:os";
import type { NodeAPI } from "node-red";
import { systemClock } from "../../clock";
import { describeThrown, GatewayError } from "../../errors";
import { withoutSecrets } from "../../settings";
import type { GatewayConfigController } from "../gateway-config";
import { type GatewayEntry, gatewayEntry } from "./gateway-listing";
import type { LogLine } from "./log-ring";
import { readManifest } from "./manifest";

/** Collects the bundle. */
export function diagnosticsBundle(
    RED: NodeAPI,
    controllers: Iterable<GatewayConfigController>,
    log: readonly LogLine[],
): DiagnosticsBundle {
    return {
        createdAt: new Date(systemClock.now()).toISOString(),
        versions: {
            package: readManifest().version,
            nodeRed: String((RED.settings as { version?: unknown }).version),
            node: process.version,
            system: `${platform()} ${release()} ${arch()}`,
            uptimeS: String(Math.round(process.uptime())),
        },
        gateways: Array.from(controllers, (controller) => ({
            ...gatewayEntry(controller),
            settings: settingsOf(controller),
            problems: controller.running?.monitor.recentProblems ?? [],
            notifications: controller.running?.monitor.recentNotifications ?? [],
            requests: controller.running?.monitor.recentRequests ?? [],
            commands: controller.running?.monitor.recentCommands ?? [],
            suspects: controller.running?.monitor.suspects ?? [],
        })),
        log,
    };
}

/** The contents of a support ticket, without secrets: no token, no passphrase, no payload. */
export interface DiagnosticsBundle {
    readonly createdAt: string;
    readonly versions: Readonly<Record<string, string>>;
    readonly gateways: readonly (GatewayEntry & {
        readonly settings: unknown;
        readonly problems: unknown;
        readonly notifications: unknown;
        readonly requests: unknown;
        readonly commands: unknown;
        readonly suspects: unknown;
    })[];
    /** The last lines that this package wrote to Node-RED's log, the oldest first. */
    readonly log: readonly LogLine[];
}

function settingsOf(controller: GatewayConfigController): unknown {
    const { settings } = controller;
    if (settings instanceof GatewayError) return settings.message;
    return { ...settings, path: withoutSecrets(settings.path), ...tokenOf(controller) };
}

/** Whether there is a token; one from an environment variable that is not set cannot be read, and the answer says so. */
function tokenOf(controller: GatewayConfigController): { hasToken: boolean; tokenProblem?: string } {
    try {
        return { hasToken: controller.token !== "" };
    } catch (thrown) {
        return { hasToken: false, tokenProblem: describeThrown(thrown) };
    }
}
