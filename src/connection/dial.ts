import type { ClientRequest } from "node:http";
import { Agent } from "node:https";
import { connect as connectTcp, isIP, Socket } from "node:net";
import type { Duplex } from "node:stream";
import { type ConnectionOptions, connect as connectTls, type PeerCertificate, type TLSSocket } from "node:tls";
import { createWebSocketStream, WebSocket } from "ws";
import { openTunnel, proxyFor } from "./http-proxy";
import { socketOptions } from "./socket-options";
import { WebSocketSocket } from "./websocket-socket";

/** Large binary messages come in parts, see `WebSocketSocket`: what is larger was no MQTT. */
const maxFrameBytes = 1_048_576;

/**
 * Starts to open a stream. Failures arrive as the stream's `error`.
 * @throws GW_CONFIG when the environment names an impossible proxy, `ENOTFOUND` for a host that no URL can have, and
 * errors of Node for certificates it cannot read
 */
export function dial(options: DialOptions): RawStream {
    const progress = new DialWatch();
    return progress.over(openStream(options, progress));
}

/** How the bytes of MQTT travel. */
export type TransportName = "tcp" | "tls" | "ws" | "wss";

/** What a TLS connection presents and trusts; absent fields mean Node's defaults, so certificates are verified. */
export type TlsSettings = Pick<
    ConnectionOptions,
    "ca" | "cert" | "key" | "pfx" | "passphrase" | "rejectUnauthorized" | "servername" | "ALPNProtocols" | "minVersion"
>;

/** Where to connect, and how. */
export interface DialOptions {
    readonly transport: TransportName;
    readonly host: string;
    readonly port: number;
    /** Path of the websocket; ignored by the other two. */
    readonly path?: string | undefined;
    readonly tls?: TlsSettings | undefined;
    /** The environment that names a web proxy (`HTTPS_PROXY`, `NO_PROXY`); only websockets look at it. */
    readonly environment?: Readonly<Record<string, string | undefined>> | undefined;
}

/** How far a stream got: until TCP is there, until TLS and the websocket are agreed, or usable. */
export type DialStage = "dialling" | "securing" | "open";

/** The raw byte stream to a server, being opened or open. It takes writes at once. */
export interface RawStream {
    readonly stream: Duplex;
    readonly stage: DialStage;
    /** What the server presented, as far as it is known. */
    readonly certificate: PeerCertificate | undefined;
    /** What this side has to present, if it has a certificate. */
    readonly ownCertificate: PeerCertificate | undefined;
    /** Host and port of the web proxy it goes through, if it does. */
    readonly proxy: string | undefined;
}

function openStream(options: DialOptions, progress: DialWatch): Duplex {
    if (options.transport === "tcp") return progress.follow(dialTcp(options), "open");
    if (options.transport === "tls") return progress.followTls(dialTls(options), "open");
    return openWebSocket(options, progress);
}

/** Watches the sockets under a stream for how far they got. */
class DialWatch {
    #stage: DialStage = "dialling";
    #certificate: PeerCertificate | undefined;
    #ownCertificate: PeerCertificate | undefined;
    /** Set for a stream through a web proxy. */
    proxy: string | undefined;

    over(stream: Duplex): RawStream {
        const stage = () => this.#stage;
        const certificate = () => this.#certificate;
        const ownCertificate = () => this.#ownCertificate;
        return {
            stream,
            proxy: this.proxy,
            get stage() {
                return stage();
            },
            get certificate() {
                return certificate();
            },
            get ownCertificate() {
                return ownCertificate();
            },
        };
    }

    follow(socket: Socket, stageWhenConnected: DialStage): Socket {
        return socket.once("connect", () => this.reach(stageWhenConnected));
    }

    followTls(socket: TLSSocket, stageWhenSecured: DialStage): TLSSocket {
        if (socket.connecting) this.follow(socket, "securing");
        else this.reach("securing");
        // Before Node's own check: once that has failed, the certificate can no longer be asked for.
        socket.prependOnceListener("secure", () => {
            this.#certificate = socket.getPeerCertificate();
            const own = socket.getCertificate();
            if (own && "valid_to" in own) this.#ownCertificate = own;
        });
        return socket.once("secureConnect", () => this.reach(stageWhenSecured));
    }

    reach(stage: DialStage): void {
        this.#stage = stage;
    }
}

function dialTcp({ host, port }: DialOptions): Socket {
    return connectTcp({ ...socketOptions, host, port });
}

function dialTls({ host, port, tls }: DialOptions): TLSSocket {
    return connectTls({ ...socketOptions, ...tlsOptions(host, tls), host, port }).setNoDelay(true);
}

/**
 * The settings with the server name that the certificate must carry; an address cannot be sent as one. Certificates are verified
 * unless the settings say otherwise, whatever `NODE_TLS_REJECT_UNAUTHORIZED` does to the rest of the process.
 */
export function tlsOptions(host: string, tls: TlsSettings = {}): ConnectionOptions {
    const servername = tls.servername || (isIP(host) === 0 ? host : "");
    const rejectUnauthorized = tls.rejectUnauthorized !== false;
    return { minVersion: "TLSv1.2", ...tls, rejectUnauthorized, ...(servername === "" ? {} : { servername }) };
}

/** The server as a URL has it: an address of IPv6 in brackets, and without the name of an interface of this machine. */
export function urlHost({ host, port }: Pick<DialOptions, "host" | "port">): string {
    return `${isIP(host) === 6 ? `[${host.replace(/%.*/, "")}]` : host}:${port}`;
}

/**
 * The web proxy that a line goes through, or undefined.
 * @throws GW_CONFIG when the environment names an impossible one
 */
export function proxyOf({ transport, host, port, environment = process.env }: DialOptions): URL | undefined {
    return transport === "wss" ? proxyFor(host, port, environment) : undefined;
}

function openWebSocket(options: DialOptions, progress: DialWatch): Duplex {
    const { transport, host, path = "/", tls } = options;
    const url = `${transport}://${urlHost(options)}${path.startsWith("/") ? path : `/${path}`}`;
    // The error for it would show the whole URL, and a path may have a secret in it.
    if (!URL.canParse(url)) throw Object.assign(new Error("ENOTFOUND"), { code: "ENOTFOUND" });
    const secure = transport === "wss";
    const proxy = proxyOf(options);
    progress.proxy = proxy?.host;
    const dialled = () =>
        new WebSocketSocket(secure ? progress.followTls(dialTls(options), "securing") : progress.follow(dialTcp(options), "securing"));
    const agent = new Agent();
    let tunnel: ClientRequest | undefined;
    if (proxy) {
        agent.createConnection = (_options, connected) => {
            const opened = (socket: Socket) =>
                connected?.(null, new WebSocketSocket(progress.followTls(secureOver(options, socket), "securing")));
            tunnel = openTunnel(proxy, urlHost(options), opened, (error) => connected?.(error, new Socket()));
            return undefined;
        };
    }
    const socket = new WebSocket(url, ["mqtt"], {
        ...(secure ? tlsOptions(host, tls) : {}),
        ...(proxy ? { agent } : { createConnection: dialled }),
        perMessageDeflate: false,
        maxPayload: maxFrameBytes,
    });
    socket.once("open", () => progress.reach("open"));
    // A tunnel that is still awaited does not end with the websocket.
    return createWebSocketStream(socket).once("close", () => tunnel?.destroy());
}

/** TLS with the server over a connection to it. */
export function secureOver({ host, tls }: DialOptions, socket: Socket): TLSSocket {
    socket.setNoDelay(true).setKeepAlive(true);
    const secured = connectTls({ ...tlsOptions(host, tls), host, socket });
    socket.on("error", (error) => secured.destroy(error));
    return secured;
}
