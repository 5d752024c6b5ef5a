import type { NodeAPI } from "node-red";
import { toGatewayError } from "../errors";
import { ConnectionTest, type TestStep } from "../gateway/connection-test";
import { type GatewayOptions, parseGatewayOptions } from "../gateway/gateway-options";
import type { GatewayHost } from "./gateway-host";
import { readTlsOptions, type TlsOptions } from "./tls";

/** What the form gets back: findings in order, and whether the user may go on to a real CONNECT. */
export interface TestReport {
    readonly steps: readonly TestStep[];
    readonly mayConnect: boolean;
}

/** What the form asks: its settings as they are now, the token if it was typed just now, and whether to send a CONNECT. */
interface TestRequest {
    readonly settings: Readonly<Record<string, unknown>>;
    readonly token: string | undefined;
    readonly connect: boolean;
}

/**
 * Tests the settings of a form, deployed or not. Of a gateway that is connected it tells only that, because a test could end its
 * session. The deployed token is used only for the deployed host, port and identity, so that nobody can have it sent elsewhere.
 */
export async function testConnection(RED: NodeAPI, body: unknown, deployed: GatewayHost | undefined): Promise<TestReport> {
    const request = readRequest(body);
    let options: GatewayOptions;
    try {
        options = parseGatewayOptions(request.settings);
    } catch (thrown) {
        return report([{ outcome: "failed", key: "invalid", parameters: { reason: toGatewayError(thrown, "GW_CONFIG").message } }]);
    }
    const isDeployed = deployed?.isSameServer(options) === true;
    const onlineSince = isDeployed ? deployed.onlineSince : undefined;
    if (onlineSince !== undefined) {
        return report([{ outcome: "ok", key: "linkUp", parameters: { since: new Date(onlineSince).toISOString() } }]);
    }
    const steps: TestStep[] = [];
    const tls = readTls(RED, request.settings.tls, steps);
    const token = request.token ?? (isDeployed ? deployed.token : undefined);
    const test = new ConnectionTest(options, tls, token ?? "");
    steps.push(...(await test.line()));
    const isReachable = steps.every(({ outcome }) => outcome !== "failed");
    if (!isReachable) return report(steps);
    if (token === undefined) return report([...steps, { outcome: "note", key: "noToken" }]);
    if (!request.connect) return report(steps, true);
    return report([...steps, await test.connect()]);
}

function readTls(RED: NodeAPI, id: unknown, steps: TestStep[]): TlsOptions {
    try {
        return readTlsOptions(RED, id === "_ADD_" ? "" : id);
    } catch {
        steps.push({ outcome: "note", key: "tlsSettings" });
        return {};
    }
}

function readRequest(body: unknown): TestRequest {
    const { settings, token, connect } = record(body);
    return { settings: record(settings), token: typeof token === "string" ? token : undefined, connect: connect === true };
}

function record(value: unknown): Readonly<Record<string, unknown>> {
    return typeof value === "object" && value !== null ? (value as Record<string, unknown>) : {};
}

function report(steps: readonly TestStep[], mayConnect = false): TestReport {
    return { steps, mayConnect };
}
