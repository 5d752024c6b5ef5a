import { lookup } from "node:dns/promises";
import { connect as connectTcp, isIP, type Socket } from "node:net";
import { connect as connectTls, type PeerCertificate, type TLSSocket } from "node:tls";
import { type Clock, systemClock, type Timer } from "../clock";
import { GatewayError } from "../errors";
import { say } from "../words";
import { describeEnd, serverOf } from "./connect-error";
import { tlsOptions } from "./line";
import { mqttTransportFactory } from "./mqtt-transport";
import { describeTimeout } from "./own-reason";
import type { LineProgress, TransportOptions } from "./transport";

/** One finding: `key` names the words in the catalogue of the form, which get the parameters. Never a secret. */
export interface TestStep {
    readonly outcome: "ok" | "failed" | "note";
    readonly key: string;
    readonly parameters?: Readonly<Record<string, string | number>>;
}

const stepTimeoutMs = 8_000;
const expiresSoonMs = 30 * 86_400_000;

/**
 * Looks the host up, connects and, where the transport is encrypted, verifies the certificate; says nothing of MQTT and sends no
 * credentials. Stops at the first failure. Takes at most 24 s.
 */
export async function testLine(options: TransportOptions, clock = systemClock): Promise<TestStep[]> {
    const steps: TestStep[] = [];
    for (const test of [testName, testPort, testTls]) {
        const found = await test(options, clock);
        steps.push(...found);
        if (found.some(({ outcome }) => outcome === "failed")) break;
    }
    return steps;
}

/**
 * Makes one MQTT connection with these options and closes it at the CONNACK; nothing the server sends is acknowledged. This ends
 * a session of the same client id elsewhere. Takes at most 8 s.
 */
export function testConnect(options: TransportOptions, clock = systemClock): Promise<TestStep> {
    return new Promise((resolve) => {
        const finish = (step: TestStep) => {
            timer.cancel();
            resolve(step);
        };
        const { host, port, transport, clientId, password } = options;
        const context = { host, port, transport, clientId, lacksToken: password === undefined };
        const opened = mqttTransportFactory()(
            { ...options, will: undefined },
            {
                connected() {
                    finish({ outcome: "ok", key: "accepted" });
                    opened.disconnect();
                },
                messageReceived() {},
                strayPing() {},
                drained() {},
                ended: (end) => finish(failed("failed", { reason: describeEnd(end, false, context).text })),
            },
        );
        const timer = clock.setTimer(stepTimeoutMs, () => {
            finish(failed("failed", { reason: describeTimeout(opened.stage, stepTimeoutMs, context).text }));
            opened.destroy();
        });
    });
}

async function testName(options: TransportOptions, clock: Clock): Promise<TestStep[]> {
    const { host } = options;
    if (isIP(host) !== 0) return [];
    try {
        const addresses = await within(clock, lookup(host, { all: true }));
        return [{ outcome: "ok", key: "dns", parameters: { host, addresses: addresses.map(({ address }) => address).join(", ") } }];
    } catch (thrown) {
        const reason = inWords(options, { error: thrown, stage: "dialling" });
        return [failed("dnsFailed", { host, reason })];
    }
}

async function testPort(options: TransportOptions, clock: Clock): Promise<TestStep[]> {
    const { host, port } = options;
    const socket = connectTcp({ host, port });
    try {
        await within(clock, opened(socket, "connect", options));
        return [{ outcome: "ok", key: "tcp", parameters: { host, port } }];
    } catch (thrown) {
        const reason = inWords(options, { error: thrown, stage: "dialling" });
        return [failed("tcpFailed", { host, port, reason })];
    } finally {
        socket.destroy();
    }
}

async function testTls(options: TransportOptions, clock: Clock): Promise<TestStep[]> {
    const { host, port, transport, tls } = options;
    if (transport !== "tls" && transport !== "wss") return [];
    let certificate: PeerCertificate | undefined;
    let socket: TLSSocket | undefined;
    try {
        const dialled = connectTls({ ...tlsOptions(host, tls), host, port });
        socket = dialled;
        dialled.prependOnceListener("secure", () => {
            certificate = dialled.getPeerCertificate();
        });
        await within(clock, opened(dialled, "secureConnect", options));
        return certificateSteps(dialled, tls?.rejectUnauthorized !== false);
    } catch (thrown) {
        const reason = inWords(options, { error: thrown, stage: "securing", ...(certificate && { certificate }) });
        return [failed("tlsFailed", { reason })];
    } finally {
        socket?.destroy();
    }
}

/** A failure in the words that the log of a gateway has for it. */
function inWords(context: TransportOptions, failure: { error: unknown } & LineProgress): string {
    return describeEnd({ kind: "failed", ...failure }, false, context).text;
}

function certificateSteps(socket: TLSSocket, isVerified: boolean): TestStep[] {
    const certificate = socket.getPeerCertificate();
    const validTo = new Date(certificate.valid_to);
    const parameters = {
        protocol: socket.getProtocol() ?? "TLS",
        subject: nameOf(certificate.subject),
        issuer: nameOf(certificate.issuer),
        validTo: certificate.valid_to,
    };
    const steps: TestStep[] = isVerified ? [{ outcome: "ok", key: "tls", parameters }] : [{ outcome: "note", key: "tlsUnverified" }];
    if (validTo.getTime() - Date.now() < expiresSoonMs)
        steps.push({ outcome: "note", key: "tlsSoon", parameters: { validTo: certificate.valid_to } });
    return steps;
}

function nameOf(entity: PeerCertificate["subject"] | undefined): string {
    return String(entity?.CN ?? entity?.O ?? "?");
}

function opened(socket: Socket, event: "connect" | "secureConnect", options: TransportOptions): Promise<void> {
    return new Promise((resolve, reject) => {
        socket.once(event, () => resolve());
        socket.on("error", reject);
        socket.once("close", () => reject(failure(say("connection.closed", { server: serverOf(options) }))));
    });
}

async function within<T>(clock: Clock, promise: Promise<T>): Promise<T> {
    let timer: Timer | undefined;
    const timeout = new Promise<never>((_, reject) => {
        timer = clock.setTimer(stepTimeoutMs, () => reject(failure(say("connection.noAnswer", { seconds: stepTimeoutMs / 1000 }))));
    });
    try {
        return await Promise.race([promise, timeout]);
    } finally {
        timer?.cancel();
    }
}

/** A failure that is told in these words alone. */
function failure(text: string): GatewayError {
    return new GatewayError("GW_NETWORK", text);
}

function failed(key: string, parameters: Readonly<Record<string, string | number>>): TestStep {
    return { outcome: "failed", key, parameters };
}
