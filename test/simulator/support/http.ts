import { request } from "node:http";

/** An answer of the HTTP API; the body is parsed where there is one. */
export interface HttpReply {
    status: number;
    body: unknown;
}

export const json = { "Content-Type": "application/json" };

/** Calls the HTTP API on this machine. */
export function call(
    port: number,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = json,
): Promise<HttpReply> {
    return new Promise((resolve, reject) => {
        const outgoing = request({ host: "127.0.0.1", port, method, path, headers }, (response) => {
            let text = "";
            response.on("data", (chunk: Buffer) => {
                text += chunk.toString();
            });
            response.on("end", () => resolve({ status: response.statusCode ?? 0, body: text === "" ? undefined : JSON.parse(text) }));
        });
        outgoing.on("error", reject);
        outgoing.end(body === undefined || typeof body === "string" ? body : JSON.stringify(body));
    });
}
