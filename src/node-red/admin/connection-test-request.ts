import type { Node, NodeAPI } from "node-red";
import { toGatewayError } from "../../errors";
import { type TestStep, testGatewayConnect, testGatewayEndpoint } from "../../gateway/connection-settings";
import { type GatewayOptions, parseGatewayOptions } from "../../gateway/gateway-options";
import { membersOf } from "../../protocol/json";
import { findNode } from "../api";
import type { GatewayConfigController } from "../gateway-config-controller";
import { readTlsOptions, type TlsOptions } from "../tls";

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
export async function testConnection(RED: NodeAPI, body: unknown, deployed: GatewayConfigController | undefined): Promise<TestReport> {
    const request = readRequest(body);
    const { settings, variables } = resolveVariables(RED, request.settings, deployed);
    const found = await testSettings(RED, { ...request, settings }, deployed);
    return { ...found, steps: found.steps.map((step) => withoutValues(step, variables)) };
}

async function testSettings(RED: NodeAPI, request: TestRequest, deployed: GatewayConfigController | undefined): Promise<TestReport> {
    let options: GatewayOptions;
    let isDeployed: boolean;
    let token: string | undefined;
    try {
        options = parseGatewayOptions(request.settings);
        isDeployed = deployed?.isSameServer(options) === true;
        token = request.token ?? (isDeployed ? deployed?.token : undefined);
    } catch (thrown) {
        return report([{ outcome: "failed", key: "invalid", parameters: { reason: toGatewayError(thrown, "GW_CONFIG").message } }]);
    }
    const onlineSince = isDeployed ? deployed?.onlineSince : undefined;
    if (onlineSince !== undefined) {
        return report([{ outcome: "ok", key: "linkUp", parameters: { since: new Date(onlineSince).toISOString() } }]);
    }
    const steps: TestStep[] = [];
    const tls = readTls(RED, request.settings.tls, steps);
    const connection = { options, tls, token: token ?? "" };
    steps.push(...(await testGatewayEndpoint(connection)));
    const isReachable = steps.every(({ outcome }) => outcome !== "failed");
    if (!isReachable) return report(steps);
    if (token === undefined) return report([...steps, { outcome: "note", key: "noToken" }]);
    if (!request.connect) return report(steps, true);
    return report([...steps, await testGatewayConnect(connection)]);
}

/** The value of each `${NAME}` in the settings, by that text. */
type Variables = ReadonlyMap<string, string>;

/** Replaces `${NAME}`, or `$(NAME)`, as Node-RED does when it starts a node; what is not set stays as it is. */
function resolveVariables(
    RED: NodeAPI,
    settings: TestRequest["settings"],
    deployed: GatewayConfigController | undefined,
): { settings: TestRequest["settings"]; variables: Variables } {
    const variables = new Map<string, string>();
    const resolve = (value: unknown): unknown => {
        if (typeof value !== "string" || !isVariable(value)) return value;
        const found = variableOf(RED, value, deployed);
        if (found === "") return value;
        variables.set(value, found);
        return found;
    };
    return { settings: Object.fromEntries(Object.entries(settings).map(([name, value]) => [name, resolve(value)])), variables };
}

/** The value of `${NAME}` where the deployed node is, or in the environment of Node-RED; empty when it is not set. */
function variableOf(RED: NodeAPI, text: string, deployed: GatewayConfigController | undefined): string {
    const name = text.slice(2, -1);
    const node = deployed && findNode<Node>(RED, deployed.id, "gateway-config");
    if (!node) return process.env[name] ?? "";
    return String(RED.util.evaluateNodeProperty(name, "env", node, {}));
}

const isVariable = (value: string): boolean => /^\$(?:\{\S+\}|\(\S+\))$/.test(value);

/** A finding that names variables in place of their values: anybody may ask for any variable, also for one that holds a secret. */
function withoutValues(step: TestStep, variables: Variables): TestStep {
    const hide = (text: string | number): string | number => {
        let hidden = text;
        for (const [name, value] of variables) if (typeof hidden === "string") hidden = hidden.replaceAll(value, name);
        return hidden;
    };
    if (!step.parameters) return step;
    return { ...step, parameters: Object.fromEntries(Object.entries(step.parameters).map(([name, value]) => [name, hide(value)])) };
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
    const { settings, token, connect } = membersOf(body);
    // A variable's value is as secret as the stored token, and goes nowhere but where that goes.
    const isTyped = typeof token === "string" && !isVariable(token);
    return { settings: membersOf(settings), token: isTyped ? token : undefined, connect: connect === true };
}

function report(steps: readonly TestStep[], mayConnect = false): TestReport {
    return { steps, mayConnect };
}
