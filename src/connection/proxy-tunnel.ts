import { type ClientRequest, type OutgoingHttpHeaders, request as requestOverTcp } from "node:http";
import { request as requestOverTls } from "node:https";
import type { Socket } from "node:net";
import { GatewayError } from "../errors";
import { say } from "../i18n";

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
    return new GatewayError("GW_NETWORK", say("connection.proxyAnswered", { answer: answer.slice(0, longestAnswer) }));
}
