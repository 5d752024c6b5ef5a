import type { Node, NodeAPI } from "node-red";
import { toGatewayError } from "../../errors";
import { type TestStep, testGatewayConnect, testGatewayEndpoint } from "../../gateway/connection-settings";
import { type GatewayOptions, type GatewayProperties, parseGatewayOptions } from "../../gateway/gateway-options";
import { membersOf } from "../../protocol/json";
import { fillVariables, shownAs, variablePattern } from "../../settings";
import { findNode } from "../api";
import type { GatewayConfigController } from "../gateway-config";
import { readTlsOptions, type TlsOptions } from "../tls";
import { withCurrentFiles } from "../tls-files";
import { globalVariableOf, isFromVariables, variableOf } from "../variables";

/** The properties that the form sends, and of which alone an answer may speak. */
export const testedProperties = [
    "platform",
    "host",
    "port",
    "transport",
    "path",
    "tls",
    "orgId",
    "typeId",
    "deviceId",
    "clientId",
    "userName",
    "cleanSession",
    "keepAlive",
] as const;

/** The answer to the form: findings in order, and whether the user may go on to a real CONNECT. */
export interface TestReport {
    readonly steps: readonly TestStep[];
    readonly mayConnect: boolean;
}

/** The request of the form. */
interface TestRequest {
    /** The settings as the form holds them now. */
    readonly settings: GatewayProperties;
    /** The token, if it was typed just now. */
    readonly token: string | undefined;
    /** The variables of the editor, of the global environment and of the flow: their values, or texts that refer to other variables. */
    readonly environment: ReadonlyMap<string, string | { readonly text: string }>;
    /** Whether to send a CONNECT. */
    readonly connect: boolean;
}

/**
 * Tests the settings of a form, deployed or not. Of a gateway that is connected it reports only that, because a test could end its
 * session. The deployed token is used only for the deployed host, port and identity, so that no one can have it sent elsewhere.
 * Variables are shown by name: anybody may ask for any variable, also for one that holds a secret.
 */
export async function testConnection(RED: NodeAPI, body: unknown, deployed: GatewayConfigController | undefined): Promise<TestReport> {
    const request = readRequest(body);
    const variables = new Variables(RED, request.environment, deployed);
    const settings = variables.fill(request.settings);
    const found = await testSettings(RED, { ...request, settings }, deployed);
    return { ...found, steps: found.steps.map((step) => variables.hideIn(step)) };
}

async function testSettings(RED: NodeAPI, request: TestRequest, deployed: GatewayConfigController | undefined): Promise<TestReport> {
    const { settings } = request;
    let options: GatewayOptions;
    let isDeployed: boolean;
    let token: string | undefined;
    try {
        options = parseGatewayOptions(settings);
        isDeployed = deployed?.isSameServer(options) === true;
        token = request.token ?? (isDeployed ? deployed?.token : undefined);
    } catch (thrown) {
        return report([{ outcome: "failed", key: "invalid", parameters: { reason: toGatewayError(thrown, "GW_CONFIG").message } }]);
    }
    const onlineSince = isDeployed ? deployed?.running?.onlineSince : undefined;
    if (onlineSince !== undefined) {
        return report([{ outcome: "ok", key: "linkUp", parameters: { since: new Date(onlineSince).toISOString() } }]);
    }
    const steps: TestStep[] = [];
    const connection = { options, tls: readTls(RED, settings.tls, steps), token: token ?? "" };
    steps.push(...(await testGatewayEndpoint(connection, settings)));
    const isReachable = steps.every(({ outcome }) => outcome !== "failed");
    if (!isReachable) return report(steps);
    if (token === undefined) return report([...steps, { outcome: "note", key: "noToken" }]);
    if (!request.connect) return report(steps, true);
    return report([...steps, await testGatewayConnect(connection, settings)]);
}

/** No setting is longer. Variables that stand for variables would multiply what a request may bring. */
const maxTextCharacters = 1000;

function isShort(value: unknown): value is string {
    return typeof value === "string" && value.length <= maxTextCharacters;
}

/** The variables of a request: their values go into the settings, and not into the answer. */
class Variables {
    readonly #RED: NodeAPI;
    readonly #environment: TestRequest["environment"];
    readonly #node: Node | undefined;
    /** The values that were used, by the texts that stand for them in an answer. */
    readonly #used = new Map<string, string>();

    constructor(RED: NodeAPI, environment: TestRequest["environment"], deployed: GatewayConfigController | undefined) {
        this.#RED = RED;
        this.#environment = environment;
        this.#node = deployed && findNode<Node>(RED, deployed.id, "gateway-config");
    }

    /** The settings with values in place of variables; a variable that is not set stays as it is. */
    fill(settings: GatewayProperties): GatewayProperties {
        const shown: Record<string, string> = {};
        const filled = Object.entries(settings).map(([name, value]) => {
            if (!isShort(value) || !variablePattern.test(value)) return [name, value];
            shown[name] = value;
            const withValues = fillVariables(value, (variable) => this.#use(variable));
            this.#used.set(value, withValues);
            return [name, withValues];
        });
        return { ...Object.fromEntries(filled), [shownAs]: shown };
    }

    /**
     * A finding without any value. What this package says of the settings has none; this is for what the operating system, OpenSSL
     * and the certificate of the server say, who may cut a value or write it in lower case.
     */
    hideIn(step: TestStep): TestStep {
        if (!step.parameters) return step;
        // The longest first: of two values one may be a part of the other.
        const used = [...this.#used].sort(([, one], [, other]) => other.length - one.length);
        const hide = (text: string | number) => (typeof text === "string" ? used.reduce(hideValue, text) : text);
        return { ...step, parameters: Object.fromEntries(Object.entries(step.parameters).map(([name, value]) => [name, hide(value)])) };
    }

    #use(name: string): unknown {
        const value = this.#valueOf(name);
        if (value !== undefined && value !== "") this.#used.set(`\${${name}}`, String(value));
        return value;
    }

    /** Variables of the editor count before those that are deployed. */
    #valueOf(name: string): unknown {
        const value = this.#environment.get(name);
        return typeof value === "object" ? fillVariables(value.text, (other) => this.#plainValueOf(other)) : this.#plainValueOf(name);
    }

    /** The value of a variable that does not refer to others. */
    #plainValueOf(name: string): unknown {
        const value = this.#environment.get(name);
        if (typeof value === "string") return value;
        return this.#node ? variableOf(this.#RED, this.#node, name) : globalVariableOf(this.#RED, name);
    }
}

/** The beginning of a longer value is enough to recognise it: the rest may be cut off. */
const recognisableCharacters = 12;

/** A text in which a reference stands in place of each occurrence of its value. A short value is hidden where it is a word. */
function hideValue(text: string, [reference, value]: readonly [string, string]): string {
    const wanted = lowerCase(value);
    const start = wanted.slice(0, recognisableCharacters);
    const isWord = (at: number, end: number) => !/[a-z\d]/i.test(`${text[at - 1] ?? ""}${text[end] ?? ""}`);
    let hidden = "";
    let done = 0;
    for (let at = lowerCase(text).indexOf(start); at >= 0 && start !== ""; at = lowerCase(text).indexOf(start, done)) {
        let end = at + start.length;
        while (end - at < wanted.length && lowerCase(text[end] ?? "") === wanted[end - at]) end += 1;
        const isHidden = start.length === recognisableCharacters || isWord(at, end);
        hidden += text.slice(done, at) + (isHidden ? reference : text.slice(at, end));
        done = end;
    }
    return hidden + text.slice(done);
}

/** Of the same length as the text, which is not so for every letter of every language. */
function lowerCase(text: string): string {
    return text.replace(/[A-Z]+/g, (letters) => letters.toLowerCase());
}

function readTls(RED: NodeAPI, id: unknown, steps: TestStep[]): TlsOptions {
    try {
        const chosen = id === "_ADD_" ? "" : id;
        return withCurrentFiles(RED, chosen, readTlsOptions(RED, chosen), () => undefined);
    } catch {
        steps.push({ outcome: "note", key: "tlsSettings" });
        return {};
    }
}

function readRequest(body: unknown): TestRequest {
    const { settings, token, environment, connect } = membersOf(body);
    const given = membersOf(settings);
    // A variable's value is as secret as the stored token, and goes nowhere but where that goes.
    const isTyped = typeof token === "string" && !isFromVariables(token);
    return {
        settings: Object.fromEntries(testedProperties.map((name) => [name, given[name]])),
        token: isTyped ? token : undefined,
        environment: readEnvironment(environment),
        connect: connect === true,
    };
}

function readEnvironment(environment: unknown): TestRequest["environment"] {
    const variables = new Map<string, string | { readonly text: string }>();
    for (const [name, value] of Object.entries(membersOf(environment))) {
        const { text } = membersOf(value);
        if (isShort(value)) variables.set(name, value);
        else if (isShort(text)) variables.set(name, { text });
    }
    return variables;
}

function report(steps: readonly TestStep[], mayConnect = false): TestReport {
    return { steps, mayConnect };
}
