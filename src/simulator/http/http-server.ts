import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { isIP } from "node:net";
import { isSameSecret } from "../secret";

/** An answer of the HTTP API: a status, and a body that is sent as JSON. */
export interface HttpAnswer {
    status: number;
    body: unknown;
}

/** A request of the HTTP API; `body` is the parsed JSON, `undefined` when there was none. */
export interface HttpRequest {
    method: string;
    path: string;
    query: URLSearchParams;
    body: unknown;
}

/** Answers a request. */
export type HttpHandler = (request: HttpRequest) => HttpAnswer;

const maxBodyBytes = 4 * 1024 * 1024;

/** The answer to a request that cannot be served, with a readable message. */
export function problem(status: number, message: string): HttpAnswer {
    return { status, body: { message } };
}

/**
 * A server for a JSON API. With a token, every request must carry it, as password or as bearer token. Web pages must not reach the API
 * through a browser on this machine. Therefore a body must be declared as JSON, the host must be named by its address or as localhost,
 * and the origin, if the browser sends one, must be on this machine.
 */
export function createJsonServer(token: string | undefined, handler: HttpHandler): Server {
    const server = createServer((request, response) => {
        if (!isLocalName(request.headers.host ?? "")) {
            reply(response, problem(403, "Name the host by its address or as localhost."));
            return;
        }
        if (!isLocalPage(request.headers.origin)) {
            reply(response, problem(403, "Pages of other machines may not ask."));
            return;
        }
        if (token !== undefined && !carries(request.headers.authorization ?? "", token)) {
            reply(response, problem(401, "The request must carry the token, as password or as bearer token."));
            return;
        }
        readBody(request)
            .then((text) => reply(response, answer(request, text, handler)))
            .catch((error: unknown) => reply(response, problem(400, error instanceof Error ? error.message : "The request failed.")));
    });
    server.headersTimeout = 10_000;
    server.requestTimeout = 30_000;
    return server;
}

function isLocalName(host: string): boolean {
    const name = host.replace(/:\d+$/, "").replace(/^\[|\]$/g, "");
    return name === "localhost" || isIP(name) !== 0;
}

/** Browsers send an origin with every request that changes something, `null` if they hide it. Other programs send none. */
function isLocalPage(origin: string | undefined): boolean {
    if (origin === undefined) return true;
    const name = URL.canParse(origin) ? new URL(origin).hostname : "";
    return name === "localhost" || name === "[::1]" || /^127(\.\d+){3}$/.test(name);
}

function carries(authorization: string, token: string): boolean {
    const [scheme = "", credentials = ""] = authorization.split(" ");
    if (scheme.toLowerCase() === "bearer") return isSameSecret(Buffer.from(credentials), token);
    if (scheme.toLowerCase() !== "basic") return false;
    const pair = Buffer.from(credentials, "base64").toString("utf8");
    return isSameSecret(Buffer.from(pair.slice(pair.indexOf(":") + 1)), token);
}

function answer(request: IncomingMessage, text: string, handler: HttpHandler): HttpAnswer {
    const method = request.method ?? "GET";
    const [path = "/", search = ""] = (request.url ?? "/").split("?", 2);
    const query = new URLSearchParams(search);
    if (text === "") return handler({ method, path, query, body: undefined });
    if (!/^application\/json\b/i.test(request.headers["content-type"] ?? "")) {
        return problem(415, "The content type must be application/json.");
    }
    let body: unknown;
    try {
        body = JSON.parse(text);
    } catch {
        return problem(400, "The body is not JSON.");
    }
    return handler({ method, path, query, body });
}

function readBody(request: IncomingMessage): Promise<string> {
    return new Promise((resolve, reject) => {
        const chunks: Buffer[] = [];
        let bytes = 0;
        request.on("data", (chunk: Buffer) => {
            bytes += chunk.length;
            if (bytes <= maxBodyBytes) chunks.push(chunk);
            else reject(new Error(`The body is longer than ${maxBodyBytes} bytes.`));
        });
        request.on("end", () => resolve(Buffer.concat(chunks).toString("utf8")));
        request.on("error", reject);
    });
}

function reply(response: ServerResponse, { status, body }: HttpAnswer): void {
    if (response.headersSent || response.destroyed) return;
    const text = status === 204 ? "" : JSON.stringify(body);
    response.writeHead(status, { "Content-Type": "application/json", "Content-Length": Buffer.byteLength(text) });
    response.end(text);
}
