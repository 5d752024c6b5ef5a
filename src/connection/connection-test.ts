import { lookup } from "node:dns/promises";
import type { ClientRequest } from "node:http";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import type { PeerCertificate, TLSSocket } from "node:tls";
import { type Clock, systemClock, type Timer } from "../clock";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { proxyOf, secureOver, urlHost } from "./dial";
import { openTunnel } from "./http-proxy";
import { mqttTransportFactory } from "./mqtt-transport";
import { type ReasonOptions, serverOf, tokenFaultOf } from "./reason";
import { describeEnd, describeTimeout } from "./reasons";
import { socketOptions } from "./socket-options";
import type { DialProgress, TransportOptions } from "./transport";

const stepTimeoutMs = 8_000;
const expiresSoonMs = 30 * 86_400_000;

/** What the test needs besides the options of the transport. */
interface TestContext {
    /** What the findings show of the options. */
    readonly shown?: ReasonOptions;
    readonly clock?: Clock;
}

/**
 * Looks the host up, connects and, where the transport is encrypted, verifies the certificate; says nothing of MQTT and sends no
 * credentials, but those of a web proxy that is in between. Stops at the first failure. Takes at most 24 s.
 */
export async function testEndpoint(
    options: TransportOptions,
    { shown = options, clock = systemClock }: TestContext = {},
): Promise<TestStep[]> {
    const context = { shown, clock };
    try {
        const proxy = proxyOf(options);
        // A web proxy looks the name up itself.
        const named = proxy ? [] : await testName(options, context);
        return named.some(({ outcome }) => outcome === "failed") ? named : [...named, ...(await testServer(options, proxy, context))];
    } catch (error) {
        return [failed("failed", { reason: describeFailure(shown, { error, stage: "dialling" }) })];
    }
}

/** One finding: `key` names the words in the catalogue of the form, which get the parameters. Never a secret. */
export interface TestStep {
    readonly outcome: "ok" | "failed" | "note";
    readonly key: string;
    readonly parameters?: Readonly<Record<string, string | number>>;
}

/**
 * Makes one MQTT connection with these options and closes it at the CONNACK; nothing the server sends is acknowledged. This ends
 * a session of the same client id elsewhere. Takes at most 8 s.
 */
export function testConnect(options: TransportOptions, { shown = options, clock = systemClock }: TestContext = {}): Promise<TestStep> {
    return new Promise((resolve) => {
        const finish = (step: TestStep) => {
            timer.cancel();
            resolve(step);
        };
        const { host, port, transport, clientId } = shown;
        const context = { host, port, transport, clientId, tokenFault: tokenFaultOf(options.password) };
        const opened = mqttTransportFactory()(
            { ...options, will: undefined },
            {
                connected() {
                    finish({ outcome: "ok", key: "accepted" });
                    opened.disconnect();
                },
                pinged() {},
                ended: (end) => finish(failed("failed", { reason: describeEnd(end, false, context).text })),
            },
            { messageReceived() {}, strayPing() {}, drained() {} },
        );
        const timer = clock.setTimer(stepTimeoutMs, () => {
            finish(failed("failed", { reason: describeTimeout(opened.progress, stepTimeoutMs, context).text }));
            opened.destroy();
        });
    });
}

async function testName(options: TransportOptions, { shown, clock }: Required<TestContext>): Promise<TestStep[]> {
    const { host } = shown;
    if (isIP(options.host) !== 0) return [];
    try {
        const addresses = await within(clock, lookup(options.host, { all: true }));
        return [{ outcome: "ok", key: "dns", parameters: { host, addresses: addresses.map(({ address }) => address).join(", ") } }];
    } catch (thrown) {
        const reason = describeFailure(shown, { error: thrown, stage: "dialling" });
        return [failed("dnsFailed", { host, reason })];
    }
}

async function testServer(options: TransportOptions, proxy: URL | undefined, context: Required<TestContext>): Promise<TestStep[]> {
    const { shown, clock } = context;
    const { host, port } = shown;
    const { transport } = options;
    const way = new Way(options, proxy);
    try {
        const socket = await within(clock, way.opened);
        const reached: TestStep = { outcome: "ok", key: "tcp", parameters: { host, port } };
        const isEncrypted = transport === "tls" || transport === "wss";
        return isEncrypted ? [reached, ...(await testTls(options, socket, context))] : [reached];
    } catch (error) {
        const reason = describeFailure(shown, { error, stage: "dialling", proxy: proxy?.host });
        return [failed("tcpFailed", { host, port, reason })];
    } finally {
        way.close();
    }
}

/** A TCP connection to the server, or one through a web proxy. */
class Way {
    readonly opened: Promise<Socket>;
    #end: Socket | ClientRequest | undefined;

    constructor(options: TransportOptions, proxy: URL | undefined) {
        this.opened = new Promise((resolve, reject) => {
            const opened = (socket: Socket) => {
                this.#end = socket;
                resolve(socket);
            };
            if (proxy) {
                this.#end = openTunnel(proxy, urlHost(options), opened, reject);
            } else {
                const socket = connectTcp({ ...socketOptions, host: options.host, port: options.port });
                this.#end = socket.once("connect", () => opened(socket)).on("error", reject);
            }
        });
    }

    close(): void {
        this.#end?.destroy();
    }
}

async function testTls(options: TransportOptions, socket: Socket, { shown, clock }: Required<TestContext>): Promise<TestStep[]> {
    let certificate: PeerCertificate | undefined;
    try {
        const secured = secureOver(options, socket);
        secured.prependOnceListener("secure", () => {
            certificate = secured.getPeerCertificate();
        });
        await within(clock, whenSecure(secured, shown));
        return certificateSteps(secured, clock, options.tls?.rejectUnauthorized !== false);
    } catch (error) {
        return [failed("tlsFailed", { reason: describeFailure(shown, { error, stage: "securing", certificate }) })];
    }
}

/** A failure in the words that the log of a gateway has for it. */
function describeFailure(context: ReasonOptions, failure: { error: unknown } & DialProgress): string {
    return describeEnd({ kind: "failed", ...failure }, false, context).text;
}

function certificateSteps(socket: TLSSocket, clock: Clock, isVerified: boolean): TestStep[] {
    const certificate = socket.getPeerCertificate();
    const validTo = new Date(certificate.valid_to);
    const parameters = {
        protocol: socket.getProtocol() ?? "TLS",
        subject: nameOf(certificate.subject),
        issuer: nameOf(certificate.issuer),
        validTo: certificate.valid_to,
    };
    const steps: TestStep[] = isVerified ? [{ outcome: "ok", key: "tls", parameters }] : [{ outcome: "note", key: "tlsUnverified" }];
    if (validTo.getTime() - clock.now() < expiresSoonMs)
        steps.push({ outcome: "note", key: "tlsSoon", parameters: { validTo: certificate.valid_to } });
    return steps;
}

function nameOf(entity: PeerCertificate["subject"] | undefined): string {
    return String(entity?.CN ?? entity?.O ?? "?");
}

function whenSecure(socket: TLSSocket, shown: ReasonOptions): Promise<void> {
    return new Promise((resolve, reject) => {
        socket.once("secureConnect", () => resolve());
        socket.on("error", reject);
        socket.once("close", () => reject(failure(translate("connection.closed", { server: serverOf(shown) }))));
    });
}

async function within<T>(clock: Clock, promise: Promise<T>): Promise<T> {
    let timer: Timer | undefined;
    const timeout = new Promise<never>((_, reject) => {
        timer = clock.setTimer(stepTimeoutMs, () => reject(failure(translate("connection.noAnswer", { seconds: stepTimeoutMs / 1000 }))));
    });
    try {
        return await Promise.race([promise, timeout]);
    } finally {
        timer?.cancel();
    }
}

/** A failure whose reason is exactly this text. */
function failure(text: string): GatewayError {
    return new GatewayError("GW_NETWORK", text);
}

function failed(key: string, parameters: Readonly<Record<string, string | number>>): TestStep {
    return { outcome: "failed", key, parameters };
}
