import { type ClientRequest, type OutgoingHttpHeaders, request as requestOverTcp } from "node:http";
import { request as requestOverTls } from "node:https";
import { isIP, type Socket } from "node:net";
import { GatewayError } from "../errors";
import { translate } from "../i18n";
import { socketOptions } from "./socket-options";

/**
 * The web proxy that the environment names for a secure websocket, or undefined. Looks at `wss_proxy`, `https_proxy` and
 * `all_proxy`, lower case first, and leaves out the hosts of `no_proxy`, by the rules that Node-RED's own nodes follow.
 * The address may carry a user name and a password: only its `host` may be shown.
 * @throws GW_CONFIG when it is not the address of a web proxy
 */
export function proxyFor(host: string, port: number, environment: Environment): URL | undefined {
    if (!mayUseProxy(host.toLowerCase(), port, read(environment, "no_proxy"))) return undefined;
    const proxy = read(environment, "wss_proxy") || read(environment, "https_proxy") || read(environment, "all_proxy");
    if (proxy === "") return undefined;
    const url = parseAddress(proxy.includes("://") ? proxy : `http://${proxy}`);
    if (url) return url;
    throw new GatewayError("GW_CONFIG", translate("connection.proxyAddress"));
}

type Environment = Readonly<Record<string, string | undefined>>;

function parseAddress(address: string): URL | undefined {
    try {
        const url = new URL(address);
        decodeURIComponent(url.username + url.password);
        return url.protocol === "http:" || url.protocol === "https:" ? url : undefined;
    } catch {
        // What is thrown has the address in it, and with that a password perhaps.
        return undefined;
    }
}

function read(environment: Environment, name: string): string {
    return environment[name] || environment[name.toUpperCase()] || "";
}

function mayUseProxy(host: string, port: number, exceptions: string): boolean {
    if (exceptions.trim() === "*") return false;
    return exceptions
        .toLowerCase()
        .split(/[,\s]+/)
        .filter((exception) => exception !== "")
        .every((exception) => !isException(host, port, exception));
}

/** An exception is a host, or with a leading `.` or `*` the end of one, and may name a port. */
function isException(host: string, port: number, exception: string): boolean {
    if (isIP(exception) === 6) return host === exception;
    const [, named = exception, portText] = /^(.+):(\d+)$/.exec(exception) ?? [];
    if (portText !== undefined && Number(portText) !== port) return false;
    if (named.startsWith("*")) return host.endsWith(named.slice(1));
    return named.startsWith(".") ? host.endsWith(named) : host === named.replace(/^\[(.+)\]$/, "$1");
}

const longestAnswer = 100;

/**
 * Asks a web proxy for a way to a server. Destroying the request gives that up; an open tunnel is no more of its business.
 * @param proxy with the credentials that it wants, if any
 * @param server host and port as a URL has them
 */
export function openTunnel(proxy: URL, server: string, opened: (tunnel: Socket) => void, failed: (error: Error) => void): ClientRequest {
    const request = askFor(server, proxy)
        .once("connect", ({ statusCode, statusMessage }, tunnel: Socket, head: Buffer) => {
            if (statusCode !== 200) {
                tunnel.destroy();
                failed(refused(`${statusCode} ${statusMessage}`));
                return;
            }
            if (head.length > 0) tunnel.unshift(head);
            opened(tunnel);
        })
        .on("error", failed);
    request.end();
    return request;
}

function askFor(server: string, proxy: URL): ClientRequest {
    const isSecure = proxy.protocol === "https:";
    const request = isSecure ? requestOverTls : requestOverTcp;
    return request({
        ...socketOptions,
        method: "CONNECT",
        path: server,
        host: proxy.hostname.replace(/^\[(.+)\]$/, "$1"),
        port: proxy.port || (isSecure ? 443 : 80),
        headers: { Host: server, ...authorization(proxy) },
        rejectUnauthorized: true,
        agent: false,
    });
}

function authorization({ username, password }: URL): OutgoingHttpHeaders {
    if (username === "" && password === "") return {};
    const credentials = `${decodeURIComponent(username)}:${decodeURIComponent(password)}`;
    return { "Proxy-Authorization": `Basic ${Buffer.from(credentials).toString("base64")}` };
}

function refused(answer: string): GatewayError {
    return new GatewayError("GW_NETWORK", translate("connection.proxyAnswered", { answer: answer.slice(0, longestAnswer) }));
}
